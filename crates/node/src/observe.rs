//! Around every request: an id, one line of log, one count. Nothing of what was asked or answered goes into them.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderValue;
use trefoil_protocol::problem::ProblemCode;
use trefoil_server_kit::{REQUEST_ID, is_probe, micros, request_id, route_of};

use crate::node::Node;

pub(crate) async fn observe(
    State(node): State<Arc<Node>>,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let id = request_id(&mut node.rng());
    let route = route_of(&request);
    let mut response = next.run(request).await;

    let status = response.status();
    let code = match response.extensions().get::<ProblemCode>() {
        Some(code) => code.as_str(),
        None if status.is_success() => "ok",
        None => "other",
    };
    node.metrics.request(&route, code);
    let (status, micros) = (status.as_u16(), micros(begun));
    if is_probe(&route) {
        tracing::debug!(request_id = id, route, status, code, micros, "request");
    } else {
        tracing::info!(request_id = id, route, status, code, micros, "request");
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}
