//! `GET /v1/{tenant}/accounts/{id}/events`: the audit log, for the owner.

use std::sync::Arc;

use axum::extract::State;
use trefoil_protocol::wire::EventsResponse;

use crate::access::InSession;
use crate::openapi::{ANY, AccountPath, PATH, SESSION, problems};
use crate::refusal::Answer;
use crate::server::MetadataServer;

problems!(EventsProblems = [ANY, PATH, SESSION]);

/// The audit log
#[utoipa::path(
    get, path = "/v1/{tenant}/accounts/{account}/events", tag = "accounts",
    operation_id = "events",
    params(AccountPath),
    security(("session" = [])),
    responses((status = 200, description = "the newest events", body = EventsResponse), EventsProblems)
)]
pub(super) async fn handle(
    State(server): State<Arc<MetadataServer>>,
    InSession(caller): InSession,
) -> Answer<axum::Json<EventsResponse>> {
    let log = server.store.read_events(caller).await?;
    Ok(axum::Json(EventsResponse {
        events: log.events,
        head: log.head,
    }))
}
