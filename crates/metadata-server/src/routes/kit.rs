//! `POST /v1/{tenant}/accounts/{id}/kit`: everything a recovery kit holds, for the account's own key.

use std::sync::Arc;

use axum::extract::State;
use trefoil_protocol::statement::StatementBody;
use trefoil_protocol::wire::{KitRequest, KitResponse};

use crate::access::InSession;
use crate::body::Json;
use crate::parts::{indexed, signed_payload};
use crate::refusal::Answer;
use crate::server::MetadataServer;
use crate::statements;

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
