//! `POST /v1/{tenant}/slots/{slot}/delete`: end a slot for ever, asked for by its admin key.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use trefoil_protocol::guess::{SlotDeleteRequest, SlotRecord};
use utoipa::ToSchema;

use super::change;
use crate::access::{InTenant, OfSlot};
use crate::body::Json;
use crate::metrics::Tombstone;
use crate::openapi::{ANY, BODY, PATH, SLOT, SlotPath, problems};
use crate::refusal::Answer;
use crate::server::MetadataServer;

/// Every answer of an evaluator is a JSON object.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct Deleted {}

problems!(SlotDeleteProblems = [ANY, PATH, BODY, SLOT]);

/// End a slot for ever
#[utoipa::path(
    post, path = "/v1/{tenant}/slots/{slot}/delete", tag = "slots",
    operation_id = "slot_delete",
    params(SlotPath),
    request_body = SlotDeleteRequest,
    responses((status = 200, description = "ended", body = Deleted), SlotDeleteProblems)
)]
pub(in crate::routes) async fn handle(
    State(server): State<Arc<MetadataServer>>,
    InTenant(tenant): InTenant,
    slot: OfSlot,
    Json(request): Json<SlotDeleteRequest>,
) -> Answer<axum::Json<Deleted>> {
    slot.check(request.slot)?;
    let ask = |record: &SlotRecord| record.delete(&request.deletion);
    change(&server, &tenant, slot.0, ask).await?;
    server.metrics.tombstone(Tombstone::Slot);
    Ok(axum::Json(Deleted {}))
}
