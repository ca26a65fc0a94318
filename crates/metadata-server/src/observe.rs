//! Around every request: an id, one line of log, one count. Never the path itself, headers or bodies, so that no token,
//! account or locator gets into a log.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderValue, Method, header};
use trefoil_protocol::problem::ProblemCode;
use trefoil_server_kit::{REQUEST_ID, is_probe, micros, request_id, route_of};

use crate::refusal::StoreFailed;
use crate::server::MetadataServer;

pub(crate) async fn observe(
    State(server): State<Arc<MetadataServer>>,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let id = request_id(&mut server.rng());
    let route = route_of(&request);
    let method = name_of(request.method());
    let mut response = next.run(request).await;

    let status = response.status();
    let code = match response.extensions().get::<ProblemCode>() {
        Some(code) => code.as_str(),
        None if status.is_success() => "ok",
        None => "other",
    };
    if response.extensions().get::<StoreFailed>().is_some() {
        server.metrics.store_failed();
    }
    server
        .metrics
        .request(&route, method, code, begun.elapsed());
    let (status, micros) = (status.as_u16(), micros(begun));
    if is_probe(&route) {
        tracing::debug!(
            request_id = id,
            method,
            route,
            status,
            code,
            micros,
            "request"
        );
    } else {
        tracing::info!(
            request_id = id,
            method,
            route,
            status,
            code,
            micros,
            "request"
        );
    }
    let headers = response.headers_mut();
    // Records, nonces and tokens are for nobody's cache.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// Clients may invent methods; the log and the counters know these.
fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
