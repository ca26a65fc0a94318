//! What the log and the answer say of a request.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use http::HeaderName;
use rand_core::CryptoRng;

/// Carries the request's id in the answer, for the user who complains and the operator who searches the log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Paths that the operator's probes ask for; they would fill the log.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];

/// 128 random bits, hexadecimal. What the client says its request is called would be written into the log.
pub fn request_id(rng: &mut impl CryptoRng) -> String {
    // One draw: it may be a call of the operating system.
    let mut bits = [0; 16];
    rng.fill_bytes(&mut bits);
    format!("{:032x}", u128::from_be_bytes(bits))
}

/// The route's pattern, not the path: a path can hold anything.
#[must_use]
pub fn route_of(request: &Request) -> String {
    request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "other".to_owned(), |path| path.as_str().to_owned())
}

/// Whether the route is one that the operator's probes ask for.
#[must_use]
pub fn is_probe(route: &str) -> bool {
    PROBES.contains(&route)
}

/// Microseconds since then.
#[must_use]
pub fn micros(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX)
}
