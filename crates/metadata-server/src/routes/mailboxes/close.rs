//! `DELETE /v1/{tenant}/mailboxes/{mailbox}`: close it and erase its messages.

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use trefoil_protocol::problem::ProblemCode as Code;

use crate::access::AtMailbox;
use crate::openapi::{ANY, MailboxPath, PATH, problems};
use crate::refusal::Answer;
use crate::server::MetadataServer;

problems!(
    MailboxCloseProblems = [
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

/// Close it and erase its messages
#[utoipa::path(
    delete, path = "/v1/{tenant}/mailboxes/{mailbox}", tag = "mailboxes",
    operation_id = "mailbox_close",
    params(MailboxPath),
    responses((status = 204, description = "closed"), MailboxCloseProblems)
)]
pub(in crate::routes) async fn handle(
    State(server): State<Arc<MetadataServer>>,
    AtMailbox(place): AtMailbox,
) -> Answer<StatusCode> {
    server.store.close_mailbox(place).await?;
    Ok(StatusCode::NO_CONTENT)
}
