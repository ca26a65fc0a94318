//! `POST /v1/{tenant}/accounts/{id}/nonce`: release the sealed nonce.

use std::sync::Arc;

use axum::extract::State;
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::wire::NonceResponse;

use crate::access::InSession;
use crate::openapi::{ANY, AccountPath, PATH, SESSION, problems};
use crate::refusal::Answer;
use crate::server::MetadataServer;

problems!(NonceProblems = [ANY, PATH, SESSION, &[Code::NoNonce]]);

/// Release the sealed nonce
#[utoipa::path(
    post, path = "/v1/{tenant}/accounts/{account}/nonce", tag = "accounts",
    operation_id = "nonce",
    params(AccountPath),
    security(("session" = [])),
    responses((status = 200, description = "the sealed nonce", body = NonceResponse), NonceProblems)
)]
pub(super) async fn handle(
    State(server): State<Arc<MetadataServer>>,
    InSession(caller): InSession,
) -> Answer<axum::Json<NonceResponse>> {
    let sealed_nonce = server.store.release_nonce(caller).await?;
    Ok(axum::Json(NonceResponse { sealed_nonce }))
}
