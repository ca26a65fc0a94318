//! Around every request: an id, one line of log, one count. Never the path itself, headers or bodies, so that no token,
//! account or locator gets into a log.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::Request;
use axum::response::Response;
use http::{HeaderValue, Method, header};
use trefoil_protocol::problem::ProblemCode;
use trefoil_server_kit::{REQUEST_ID, is_probe, micros, request_id, route_of};

use tracing::Instrument as _;

use crate::refusal::StoreFailed;
use crate::server::MetadataServer;

/// The outcome of a request whose client did not wait for the answer.
const HUNG_UP: &str = "hung_up";

pub(crate) async fn observe<F: Future<Output = Response>>(
    server: &Arc<MetadataServer>,
    request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response {
    let id = request_id(&mut server.rng());
    // At the highest level: whatever is logged of the request carries its id.
    let span = tracing::error_span!("request", request_id = id);
    let mut seen = Seen {
        server: Arc::clone(server),
        begun: Instant::now(),
        route: route_of(&request),
        method: name_of(request.method()),
        id,
        answered: false,
    };
    let mut response = answer(request).instrument(span).await;
    seen.answered(&response);
    let headers = response.headers_mut();
    // Records, nonces and tokens are for nobody's cache.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&seen.id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// A request that is being worked on.
struct Seen {
    server: Arc<MetadataServer>,
    begun: Instant,
    route: String,
    method: &'static str,
    id: String,
    answered: bool,
}

impl Seen {
    fn answered(&mut self, response: &Response) {
        self.answered = true;
        let status = response.status();
        let code = match response.extensions().get::<ProblemCode>() {
            Some(code) => code.as_str(),
            None if status.is_success() => "ok",
            None => "other",
        };
        if response.extensions().get::<StoreFailed>().is_some() {
            self.server.metrics.store_failed();
        }
        self.note(Some(status.as_u16()), code);
    }

    fn note(&self, status: Option<u16>, code: &'static str) {
        let (id, route, method) = (&self.id, &self.route, self.method);
        let metrics = &self.server.metrics;
        metrics.request(route, method, code, self.begun.elapsed());
        let micros = micros(self.begun);
        if is_probe(route) {
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
    }
}

impl Drop for Seen {
    /// Without an answer: whoever asked has hung up. What the store has begun it finishes all the same.
    fn drop(&mut self) {
        if !self.answered {
            self.note(None, HUNG_UP);
        }
    }
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
