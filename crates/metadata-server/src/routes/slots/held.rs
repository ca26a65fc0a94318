//! `GET /v1/{tenant}/accounts/{id}/slots`: the slots of the account that were not deleted.

use std::sync::Arc;

use axum::extract::State;
use trefoil_protocol::guess::SlotsResponse;

use crate::access::InSession;
use crate::openapi::{ANY, AccountPath, PATH, SESSION, problems};
use crate::refusal::Answer;
use crate::server::MetadataServer;

problems!(SlotHeldProblems = [ANY, PATH, SESSION]);

/// The account's slots that were not deleted
#[utoipa::path(
    get, path = "/v1/{tenant}/accounts/{account}/slots", tag = "slots",
    operation_id = "slot_held",
    params(AccountPath),
    security(("session" = [])),
    responses((status = 200, description = "the slots", body = SlotsResponse), SlotHeldProblems)
)]
pub(in crate::routes) async fn handle(
    State(server): State<Arc<MetadataServer>>,
    InSession(caller): InSession,
) -> Answer<axum::Json<SlotsResponse>> {
    let slots = server.store.list_slots(caller).await?;
    Ok(axum::Json(SlotsResponse { slots }))
}
