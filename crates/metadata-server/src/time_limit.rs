//! How long a request may take from its headers to its answer.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::refusal::{Answer, Refusal};
use crate::server::MetadataServer;

/// What the store has begun it finishes all the same; repeating a request is safe.
pub(crate) async fn limit_time(
    State(server): State<Arc<MetadataServer>>,
    request: Request,
    next: Next,
) -> Answer<Response> {
    tokio::time::timeout(server.config.request_timeout, next.run(request))
        .await
        .map_err(|_| Refusal::too_slow())
}
