//! `GET /healthz` and `GET /readyz`, for whoever runs the server.

use std::sync::Arc;

use axum::extract::State;

use trefoil_protocol::problem::ProblemCode as Code;

use crate::openapi::problems;
use crate::refusal::Answer;
use crate::server::MetadataServer;

/// The process answers
#[utoipa::path(
    get, path = "/healthz", tag = "operator", operation_id = "healthz",
    responses((status = 200, description = "it does", body = String, content_type = "text/plain"))
)]
pub(super) async fn live() -> &'static str {
    "ok"
}

problems!(ReadyProblems = [&[Code::Unavailable]]);

/// The store reads and writes durably
#[utoipa::path(
    get, path = "/readyz", tag = "operator", operation_id = "readyz",
    responses(
        (status = 200, description = "it does", body = String, content_type = "text/plain"),
        ReadyProblems
    )
)]
pub(super) async fn ready(State(server): State<Arc<MetadataServer>>) -> Answer<&'static str> {
    let check = || server.store.check_ready(server.now());
    let result = server.readiness.get(check).await;
    server.metrics.ready(result.is_ok());
    // Whatever is wrong with it: there is nobody whose request this was.
    result.map_err(|error| {
        tracing::warn!(%error, "the store does not work");
        Code::Unavailable
    })?;
    Ok("ok")
}
