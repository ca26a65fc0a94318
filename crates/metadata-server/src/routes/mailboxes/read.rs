//! `GET /v1/{tenant}/mailboxes/{mailbox}`: all messages so far.

use std::sync::Arc;

use axum::extract::State;
use trefoil_protocol::pairing::MailboxResponse;
use trefoil_protocol::problem::ProblemCode as Code;

use super::response;
use crate::access::AtMailbox;
use crate::openapi::{ANY, MailboxPath, PATH, problems};
use crate::refusal::Answer;
use crate::server::MetadataServer;

problems!(
    MailboxReadProblems = [
        ANY,
        PATH,
        &[
            Code::NotOffered,
            Code::NoMailbox,
            Code::MailboxClosed,
            Code::MailboxExpired
        ]
    ]
);

/// All messages so far
#[utoipa::path(
    get, path = "/v1/{tenant}/mailboxes/{mailbox}", tag = "mailboxes",
    operation_id = "mailbox_read",
    params(MailboxPath),
    responses((status = 200, description = "the messages", body = MailboxResponse), MailboxReadProblems)
)]
pub(in crate::routes) async fn handle(
    State(server): State<Arc<MetadataServer>>,
    AtMailbox(place): AtMailbox,
) -> Answer<axum::Json<MailboxResponse>> {
    let mailbox = server.store.read_mailbox(place).await?;
    Ok(axum::Json(response(mailbox)))
}
