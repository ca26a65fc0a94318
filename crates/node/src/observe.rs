//! Around every request: an id, one line of log, one count. Nothing of what was asked or answered goes into them.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use rand_core::Rng as _;
use trefoil_protocol::problem::ProblemCode;

use crate::node::Node;

/// Carries the request's id in the answer, for the user who complains and the operator who searches the log.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Paths that the operator's probes ask for; they would fill the log.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];

pub(crate) async fn observe(
    State(node): State<Arc<Node>>,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let mut rng = node.rng();
    // What the client says it is called would be written into the log.
    let id = format!("{:016x}{:016x}", rng.next_u64(), rng.next_u64());
    // The route's pattern, not the path: a path can hold anything.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "other".to_owned(), |path| path.as_str().to_owned());
    let mut response = next.run(request).await;

    let status = response.status();
    let code = match response.extensions().get::<ProblemCode>() {
        Some(code) => code.as_str(),
        None if status.is_success() => "ok",
        None => "other",
    };
    node.metrics.request(&route, code);
    let status = status.as_u16();
    let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    if PROBES.contains(&route.as_str()) {
        tracing::debug!(request_id = id, route, status, code, micros, "request");
    } else {
        tracing::info!(request_id = id, route, status, code, micros, "request");
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}
