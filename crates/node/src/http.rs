//! The node on HTTP. Every refusal is a problem document (RFC 9457); of a login nothing but its outcome is logged.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody, QueryRejection};
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequest, Query, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use trefoil_protocol::problem::{CONTENT_TYPE, Problem, ProblemCode};
use trefoil_protocol::social::ManifestChain;
use zeroize::Zeroize;

use crate::evaluate::EvaluateError;
use crate::node::Node;
use crate::observe::observe;

/// Bytes of a request body at most; above what a token needs, so that an over-long token is told so.
const MAX_BODY: usize = 64 * 1024;
/// Within which a body must have arrived.
pub(crate) const BODY_TIME_LIMIT: Duration = Duration::from_secs(15);

impl Node {
    /// `POST /v1/evaluate`, `GET /v1/manifest`, `GET /v1/manifests`, `GET /healthz`, `GET /readyz`; the steps of ceremonies;
    /// `POST /v1/slots/…`.
    pub fn router(self) -> Router {
        Self::shared_router(Arc::new(self))
    }

    /// The same, for whoever keeps a hand on the node: to let it [`Self::tick`].
    pub fn shared_router(node: Arc<Self>) -> Router {
        Router::new()
            .route("/v1/evaluate", post(evaluate))
            .route("/v1/manifest", get(manifest))
            .route("/v1/manifests", get(manifests))
            .merge(crate::ceremony::routes())
            .merge(crate::slots::routes())
            .route_layer(from_fn_with_state(Arc::clone(&node), limit_address))
            // What follows is not limited: the operator's probes.
            .route("/healthz", get(alive))
            .route("/readyz", get(ready))
            .fallback(|| async { Refusal::from(ProblemCode::NotFound) })
            .method_not_allowed_fallback(|| async { Refusal::from(ProblemCode::MethodNotAllowed) })
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .layer(from_fn_with_state(Arc::clone(&node), observe))
            .with_state(node)
    }
}

/// Reads a JSON object from a request.
pub(crate) async fn json_body<T: DeserializeOwned>(request: Request) -> Result<T, Refusal> {
    if !is_json(request.headers()) {
        return Err(ProblemCode::UnsupportedMediaType.into());
    }
    let body = tokio::time::timeout(BODY_TIME_LIMIT, Bytes::from_request(request, &()))
        .await
        .map_err(|_| Refusal::from(ProblemCode::RequestTimeout))?
        .map_err(|rejection| Refusal::from(&rejection))?;
    // serde would also read a struct from an array of its fields' values.
    let object = body.trim_ascii_start().first() == Some(&b'{');
    let read = object.then(|| serde_json::from_slice(&body).ok()).flatten();
    // It may hold a share; where nobody else shares the buffer it is wiped.
    if let Ok(mut buffer) = body.try_into_mut() {
        buffer.as_mut().zeroize();
    }
    read.ok_or_else(|| ProblemCode::MalformedRequest.into())
}

async fn evaluate(State(node): State<Arc<Node>>, request: Request) -> Result<Response, Refusal> {
    if !is_json(request.headers()) {
        return Err(ProblemCode::UnsupportedMediaType.into());
    }
    let body = tokio::time::timeout(BODY_TIME_LIMIT, Bytes::from_request(request, &()))
        .await
        .map_err(|_| Refusal::from(ProblemCode::RequestTimeout))?
        .map_err(|rejection| Refusal::from(&rejection))?;
    let begun = Instant::now();
    let answer = node.evaluate(&body).await;
    if answer.is_ok() {
        node.metrics.evaluated(begun.elapsed());
    }
    // The body holds the ID token; where nobody else shares the buffer it is wiped.
    if let Ok(mut buffer) = body.try_into_mut() {
        buffer.as_mut().zeroize();
    }
    let answer = answer?;
    // Strings and numbers only: serialising them cannot fail.
    let json = serde_json::to_vec(&answer).unwrap_or_default();
    Ok(([JSON, NO_STORE], json).into_response())
}

async fn manifest(State(node): State<Arc<Node>>) -> Result<Response, Refusal> {
    let manifest = node.manifest().ok_or(ProblemCode::NoShare)?;
    // Strings, numbers and lists only: serialising them cannot fail.
    let json = serde_json::to_vec(&manifest).unwrap_or_default();
    Ok((
        [
            JSON,
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ],
        json,
    )
        .into_response())
}

/// Which manifests a client has already.
#[derive(Deserialize)]
struct After {
    /// The epoch of its newest; 0 for none.
    after: u32,
}

async fn manifests(
    State(node): State<Arc<Node>>,
    query: Result<Query<After>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(After { after }) = query.map_err(|_| Refusal::from(ProblemCode::MalformedRequest))?;
    let chain = ManifestChain::new(node.serving().manifests_after(after));
    Ok((
        [
            JSON,
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ],
        chain.to_json(),
    )
        .into_response())
}

async fn alive() -> StatusCode {
    StatusCode::OK
}

async fn ready(State(node): State<Arc<Node>>) -> Result<StatusCode, Refusal> {
    node.ready().await?;
    Ok(StatusCode::OK)
}

/// Before anything else of a request is looked at.
async fn limit_address(
    State(node): State<Arc<Node>>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map(|ConnectInfo(peer)| peer.ip());
    if let Err(too_many) = node.limits.check_address(peer, request.headers()) {
        node.metrics.limited(too_many.of);
        let seconds = too_many.retry_after;
        let mut problem = Problem::new(
            ProblemCode::TooManyRequests,
            format!("too many requests from this address: try again in {seconds} seconds"),
        );
        problem.retry_after = Some(seconds);
        return Err(Refusal(Box::new(problem)));
    }
    Ok(next.run(request).await)
}

pub(crate) const JSON: (header::HeaderName, HeaderValue) = (
    header::CONTENT_TYPE,
    HeaderValue::from_static("application/json"),
);
pub(crate) const NO_STORE: (header::HeaderName, HeaderValue) =
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));

/// `application/json`, with whatever parameters.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    value.is_some_and(|value| {
        value
            .split(';')
            .next()
            .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
    })
}

/// A problem document on its way out.
pub(crate) struct Refusal(Box<Problem>);

impl From<ProblemCode> for Refusal {
    fn from(code: ProblemCode) -> Self {
        Self(Box::new(code.into()))
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl From<EvaluateError> for Refusal {
    fn from(error: EvaluateError) -> Self {
        let mut problem = Problem::new(error.code(), error.to_string());
        problem.retry_after = error.retry_after();
        problem.epoch = error.current_epoch();
        Self(Box::new(problem))
    }
}

impl From<&BytesRejection> for Refusal {
    fn from(rejection: &BytesRejection) -> Self {
        match rejection {
            BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
                ProblemCode::BodyTooLarge.into()
            }
            _ => ProblemCode::MalformedRequest.into(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        let status =
            StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let json = serde_json::to_vec(&problem).unwrap_or_default();
        let content_type = (header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        let mut response = (status, [content_type, NO_STORE], json).into_response();
        // For the log and the counters.
        response.extensions_mut().insert(problem.code);
        if let Some(seconds) = problem.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use rand_core::SeedableRng;
    use tower::ServiceExt;
    use trefoil_protocol::social::deal_network;

    use super::*;
    use crate::{Clock, IdTokenVerifier, NodeConfig};

    /// Time is turned by the runtime, so that nobody waits.
    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_arrives_is_given_up() {
        let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
        let dealt = deal_network(&["https://node.example.com".to_owned()], 1, &mut rng).unwrap();
        let verifier = IdTokenVerifier::new(NodeConfig::default()).unwrap();
        let manifest = dealt.manifest.trust_pinned().unwrap();
        let node = Node::new(
            dealt.nodes[0].clone(),
            &manifest,
            verifier,
            Clock::new(|| 0),
            rng,
        )
        .unwrap();
        let endless = futures::stream::pending::<Result<Bytes, std::io::Error>>();
        let request = http::Request::post("/v1/evaluate")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from_stream(endless))
            .unwrap();
        let begun = tokio::time::Instant::now();
        let response = node.router().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
        assert_eq!(response.headers()[header::CONTENT_TYPE], CONTENT_TYPE);
        assert_eq!(begun.elapsed().as_secs(), BODY_TIME_LIMIT.as_secs());
    }
}
