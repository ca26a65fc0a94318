//! `DELETE /v1/{tenant}/mailboxes/{mailbox}`: close it and erase its messages.

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;

use crate::access::AtMailbox;
use crate::refusal::Answer;
use crate::server::MetadataServer;

pub(in crate::routes) async fn handle(
    State(server): State<Arc<MetadataServer>>,
    AtMailbox(place): AtMailbox,
) -> Answer<StatusCode> {
    server.store.close_mailbox(place).await?;
    Ok(StatusCode::NO_CONTENT)
}
