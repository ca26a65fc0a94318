//! A registry on HTTP.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use http::header;
use prometheus_client::registry::Registry;

/// Everything in the registry, as OpenMetrics 1.0 text.
#[must_use]
pub fn encode(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = prometheus_client::encoding::text::encode(&mut text, registry);
    text
}

/// `GET /metrics`: for a listener of its own, never the public one.
pub fn metrics_router(registry: Arc<Registry>) -> Router {
    Router::new().route(
        "/metrics",
        get(move || {
            let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            let text = encode(&registry);
            async move { ([(header::CONTENT_TYPE, content_type)], text) }
        }),
    )
}
