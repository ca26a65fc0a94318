//! `GET /healthz` and `GET /readyz`, for whoever runs the server.

use std::sync::Arc;

use axum::extract::State;

use trefoil_protocol::problem::ProblemCode as Code;

use crate::refusal::Answer;
use crate::server::MetadataServer;

/// The process answers.
pub(super) async fn live() -> &'static str {
    "ok"
}

/// The store reads and writes durably.
pub(super) async fn ready(State(server): State<Arc<MetadataServer>>) -> Answer<&'static str> {
    let checked = server.readiness.get(server.store.check_ready(server.now()));
    let result = checked.await;
    server.metrics.ready(result.is_ok());
    // Whatever is wrong with it: there is nobody whose request this was.
    result.map_err(|error| {
        tracing::warn!(%error, "the store does not work");
        Code::Unavailable
    })?;
    Ok("ok")
}
