//! `POST /v1/{tenant}/slots/{slot}/list`: a newer list of guess keys, signed by the slot's admin key.

use std::sync::Arc;

use axum::extract::State;
use trefoil_protocol::guess::{ListAnswer, ListRequest, SlotRecord};
use trefoil_protocol::problem::ProblemCode as Code;

use super::change;
use crate::access::{InTenant, OfSlot};
use crate::body::Json;
use crate::openapi::{ANY, BODY, PATH, SLOT, SlotPath, problems};
use crate::refusal::Answer;
use crate::server::MetadataServer;

problems!(SlotListProblems = [ANY, PATH, BODY, SLOT, &[Code::BadSlot]]);

/// A newer list of guess keys
#[utoipa::path(
    post, path = "/v1/{tenant}/slots/{slot}/list", tag = "slots",
    operation_id = "slot_list",
    params(SlotPath),
    request_body = ListRequest,
    responses((status = 200, description = "the list in force", body = ListAnswer), SlotListProblems)
)]
pub(in crate::routes) async fn handle(
    State(server): State<Arc<MetadataServer>>,
    InTenant(tenant): InTenant,
    slot: OfSlot,
    Json(request): Json<ListRequest>,
) -> Answer<axum::Json<ListAnswer>> {
    slot.check(request.slot)?;
    let ask = |record: &SlotRecord| record.take_list(&request.list);
    Ok(axum::Json(change(&server, &tenant, slot.0, ask).await?))
}
