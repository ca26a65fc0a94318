//! `GET /v1/{tenant}/accounts/{id}/slots`: the slots of the account that were not deleted.

use std::sync::Arc;

use axum::extract::State;
use trefoil_protocol::guess::SlotsResponse;

use crate::access::InSession;
use crate::refusal::Answer;
use crate::server::MetadataServer;

pub(in crate::routes) async fn handle(
    State(server): State<Arc<MetadataServer>>,
    InSession(caller): InSession,
) -> Answer<axum::Json<SlotsResponse>> {
    let slots = server.store.list_slots(caller).await?;
    Ok(axum::Json(SlotsResponse { slots }))
}
