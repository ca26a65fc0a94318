//! `GET /v1/{tenant}/mailboxes/{mailbox}`: all messages so far.

use std::sync::Arc;

use axum::extract::State;
use trefoil_protocol::pairing::MailboxResponse;

use super::response;
use crate::access::AtMailbox;
use crate::refusal::Answer;
use crate::server::MetadataServer;

pub(in crate::routes) async fn handle(
    State(server): State<Arc<MetadataServer>>,
    AtMailbox(place): AtMailbox,
) -> Answer<axum::Json<MailboxResponse>> {
    let mailbox = server.store.read_mailbox(place).await?;
    Ok(axum::Json(response(mailbox)))
}
