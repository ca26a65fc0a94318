//! `PUT /v1/{tenant}/mailboxes/{mailbox}/{role}/{step}`: put a message at its place.

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use trefoil_protocol::pairing::PutMessageRequest;
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_store::PutMessage;

use crate::access::{AtMailbox, AtPlace};
use crate::body::Json;
use crate::openapi::{ANY, BODY, PATH, PlacePath, problems};
use crate::refusal::Answer;
use crate::server::MetadataServer;

problems!(
    MailboxPutProblems = [
        ANY,
        PATH,
        BODY,
        &[
            Code::NotOffered,
            Code::NoMailbox,
            Code::MailboxClosed,
            Code::MailboxExpired,
            Code::MailboxTaken,
            Code::MailboxFull,
        ]
    ]
);

/// Put a message at its place
#[utoipa::path(
    put, path = "/v1/{tenant}/mailboxes/{mailbox}/{role}/{step}", tag = "mailboxes",
    operation_id = "mailbox_put",
    params(PlacePath),
    request_body = PutMessageRequest,
    responses((status = 204, description = "put"), MailboxPutProblems)
)]
pub(in crate::routes) async fn handle(
    State(server): State<Arc<MetadataServer>>,
    AtMailbox(mailbox): AtMailbox,
    AtPlace { role, step }: AtPlace,
    Json(request): Json<PutMessageRequest>,
) -> Answer<StatusCode> {
    let put = PutMessage {
        mailbox,
        role,
        step,
        message: request.message,
    };
    server.store.put_message(put).await?;
    Ok(StatusCode::NO_CONTENT)
}
