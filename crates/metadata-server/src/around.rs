//! What is done around every request, from the outside: it is logged and counted, browsers learn who may see the answer, its time
//! is limited, its address's requests are counted.
//!
//! All of it is one layer, since the router copies each for every request.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::cors::cors;
use crate::limits::{ClientAddress, limit_address};
use crate::observe::observe;
use crate::refusal::{Answer, Refusal};
use crate::server::MetadataServer;

pub(crate) async fn around(
    State(server): State<Arc<MetadataServer>>,
    request: Request,
    next: Next,
) -> Response {
    let limited = |request| limited(&server, request, next);
    let seen_by_browsers = |request| cors(&server, request, limited);
    observe(&server, request, seen_by_browsers).await
}

/// What the store has begun when the time is up it finishes all the same; repeating a request is safe.
async fn limited(server: &MetadataServer, request: Request, next: Next) -> Response {
    let client = ClientAddress::counted(server, &request);
    let answered = async {
        if let Some(client) = client {
            limit_address(server, client).await?;
        }
        Ok(next.run(request).await)
    };
    let answer: Answer<Response> = tokio::time::timeout(server.config.request_timeout, answered)
        .await
        .unwrap_or_else(|_| Err(Refusal::too_slow()));
    answer.into_response()
}
