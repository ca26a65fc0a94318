//! `GET /healthz` and `GET /readyz`, for whoever runs the server.

use std::sync::Arc;

use axum::extract::State;

use crate::refusal::Answer;
use crate::server::MetadataServer;

/// The process answers.
pub(super) async fn live() -> &'static str {
    "ok"
}

/// The store reads and writes durably.
pub(super) async fn ready(State(server): State<Arc<MetadataServer>>) -> Answer<&'static str> {
    server.store.check_ready(server.now()).await?;
    Ok("ok")
}
