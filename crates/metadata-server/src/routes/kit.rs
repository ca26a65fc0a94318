//! `POST /v1/{tenant}/accounts/{id}/kit`: everything a recovery kit holds, for the account's own key.

use std::sync::Arc;

use axum::extract::State;
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::statement::StatementBody;
use trefoil_protocol::wire::{KitRequest, KitResponse};

use crate::access::InSession;
use crate::body::Json;
use crate::openapi::{ANY, AccountPath, BODY, PATH, SESSION, STATEMENT, problems};
use crate::parts::{indexed, signed_payload};
use crate::refusal::Answer;
use crate::server::MetadataServer;
use crate::statements;

problems!(KitProblems = [ANY, PATH, BODY, SESSION, STATEMENT, &[Code::WrongKey]]);

/// Everything a recovery kit holds, for the account's own key
#[utoipa::path(
    post, path = "/v1/{tenant}/accounts/{account}/kit", tag = "accounts",
    operation_id = "kit",
    params(AccountPath),
    request_body = KitRequest,
    security(("session" = [])),
    responses((status = 200, description = "record, all envelopes, sealed nonce", body = KitResponse), KitProblems)
)]
pub(super) async fn handle(
    State(server): State<Arc<MetadataServer>>,
    InSession(caller): InSession,
    Json(request): Json<KitRequest>,
) -> Answer<axum::Json<KitResponse>> {
    let usage = statements::by_account(&server, &caller, &request.statement, |body| match body {
        StatementBody::Kit { account_id } => Some(*account_id),
        _ => None,
    })?;
    let kit = server.store.export_kit(caller, usage).await?;
    Ok(axum::Json(KitResponse {
        record: signed_payload(kit.record),
        envelopes: indexed(kit.envelopes),
        sealed_nonce: kit.sealed_nonce,
    }))
}
