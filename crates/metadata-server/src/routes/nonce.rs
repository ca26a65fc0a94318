//! `POST /v1/{tenant}/accounts/{id}/nonce`: release the sealed nonce.

use std::sync::Arc;

use axum::extract::State;
use trefoil_protocol::wire::NonceResponse;

use crate::access::InSession;
use crate::refusal::Answer;
use crate::server::MetadataServer;

pub(super) async fn handle(
    State(server): State<Arc<MetadataServer>>,
    InSession(caller): InSession,
) -> Answer<axum::Json<NonceResponse>> {
    let sealed_nonce = server.store.release_nonce(caller).await?;
    Ok(axum::Json(NonceResponse { sealed_nonce }))
}
