//! `PUT /v1/{tenant}/accounts/{id}/mailboxes/{mailbox}`: make a mailbox, with the old side's first message.

use std::sync::Arc;

use axum::extract::State;
use trefoil_protocol::pairing::{CreateMailboxRequest, MAILBOX_SECONDS, MailboxResponse};
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_store::NewMailbox;

use super::response;
use crate::access::{InSession, OfMailbox};
use crate::body::Json;
use crate::guard;
use crate::openapi::{ANY, AccountMailboxPath, BODY, PATH, SESSION, problems};
use crate::refusal::Answer;
use crate::server::MetadataServer;
use crate::tenants::Offer;

problems!(
    MailboxCreateProblems = [
        ANY,
        PATH,
        BODY,
        SESSION,
        &[
            Code::NotOffered,
            Code::MailboxClosed,
            Code::MailboxExpired,
            Code::MailboxTaken,
            Code::MailboxFull,
            Code::TooManyMailboxes,
        ]
    ]
);

/// Make a mailbox, with the old side's first message
#[utoipa::path(
    put, path = "/v1/{tenant}/accounts/{account}/mailboxes/{mailbox}", tag = "mailboxes",
    operation_id = "mailbox_create",
    params(AccountMailboxPath),
    request_body = CreateMailboxRequest,
    security(("session" = [])),
    responses((status = 200, description = "made", body = MailboxResponse), MailboxCreateProblems)
)]
pub(in crate::routes) async fn handle(
    State(server): State<Arc<MetadataServer>>,
    InSession(caller): InSession,
    OfMailbox(id): OfMailbox,
    Json(request): Json<CreateMailboxRequest>,
) -> Answer<axum::Json<MailboxResponse>> {
    guard::check_offered(&server, &caller.tenant, Offer::Mailboxes)?;
    let new = NewMailbox {
        expires: caller.now.saturating_add(MAILBOX_SECONDS),
        caller,
        id,
        message: request.message,
    };
    let mailbox = server.store.create_mailbox(new).await?;
    Ok(axum::Json(response(mailbox)))
}
