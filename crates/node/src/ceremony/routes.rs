//! `GET /v1/ceremony` and `POST /v1/ceremony/<step>`. Nobody logs in here: what counts are the signatures in the bodies.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;
use serde::de::DeserializeOwned;
use trefoil_protocol::ceremony::MAX_CEREMONY_BODY;
use trefoil_protocol::problem::ProblemCode;

use super::CeremonyError;
use crate::http::{BODY_TIME_LIMIT, JSON, NO_STORE, Refusal, is_json};
use crate::node::{Node, read_step};

pub(crate) fn routes() -> Router<Arc<Node>> {
    Router::new()
        .route("/v1/ceremony", get(status))
        .route("/v1/ceremony/plan", post(plan))
        .route("/v1/ceremony/deal", post(deal))
        .route("/v1/ceremony/hold", post(hold))
        .route("/v1/ceremony/sign", post(sign))
        .route("/v1/ceremony/activate", post(activate))
        .route("/v1/ceremony/finish", post(finish))
        .layer(DefaultBodyLimit::max(MAX_CEREMONY_BODY))
}

type Shared = State<Arc<Node>>;

async fn status(State(node): Shared) -> Result<Response, Refusal> {
    answer("status", node.status().await)
}

async fn plan(State(node): Shared, request: Request) -> Result<Response, Refusal> {
    answer("plan", node.plan(&body(request).await?).await)
}

async fn deal(State(node): Shared, request: Request) -> Result<Response, Refusal> {
    answer("deal", node.deal(&body(request).await?).await)
}

async fn hold(State(node): Shared, request: Request) -> Result<Response, Refusal> {
    answer("hold", node.hold(&body(request).await?).await)
}

async fn sign(State(node): Shared, request: Request) -> Result<Response, Refusal> {
    answer("sign", node.sign(&body(request).await?).await)
}

async fn activate(State(node): Shared, request: Request) -> Result<Response, Refusal> {
    answer("activate", node.activate(&body(request).await?).await)
}

async fn finish(State(node): Shared, request: Request) -> Result<Response, Refusal> {
    answer("finish", node.finish(&body(request).await?).await)
}

async fn body<T: DeserializeOwned>(request: Request) -> Result<T, Refusal> {
    if !is_json(request.headers()) {
        return Err(ProblemCode::UnsupportedMediaType.into());
    }
    let body = tokio::time::timeout(BODY_TIME_LIMIT, Bytes::from_request(request, &()))
        .await
        .map_err(|_| Refusal::from(ProblemCode::RequestTimeout))?
        .map_err(|rejection| Refusal::from(&rejection))?;
    read_step(&body).map_err(|error| Refusal::from(error.problem()))
}

fn answer<T: Serialize>(
    step: &'static str,
    answer: Result<T, CeremonyError>,
) -> Result<Response, Refusal> {
    match answer {
        Ok(answer) => {
            // Strings, numbers and lists only: serialising them cannot fail.
            let json = serde_json::to_vec(&answer).unwrap_or_default();
            Ok(([JSON, NO_STORE], json).into_response())
        }
        Err(error) => {
            tracing::warn!(step, code = error.code().as_str(), %error, "a step of a ceremony was refused");
            Err(error.problem().into())
        }
    }
}
