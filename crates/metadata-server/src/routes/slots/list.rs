//! `POST /v1/{tenant}/slots/{slot}/list`: a newer list of guess keys, signed by the slot's admin key.

use std::sync::Arc;

use axum::extract::State;
use trefoil_protocol::guess::{ListAnswer, ListRequest, SlotRecord};

use super::change;
use crate::access::{InTenant, OfSlot};
use crate::body::Json;
use crate::refusal::Answer;
use crate::server::MetadataServer;

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
