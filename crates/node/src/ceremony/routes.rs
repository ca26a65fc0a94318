//! `GET /v1/ceremony` and `POST /v1/ceremony/<step>`. Nobody logs in here: what counts are the signatures in the bodies.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;
use trefoil_protocol::ceremony::MAX_CEREMONY_BODY;
use trefoil_store::StoreError;

use super::CeremonyError;
use crate::http::{JSON, NO_STORE, Refusal, json_body};
use crate::node::Node;
use crate::state::StateError;

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
    let request = json_body(request).await?;
    let step = async move { node.plan(&request).await };
    answer("plan", to_its_end(step).await)
}

async fn deal(State(node): Shared, request: Request) -> Result<Response, Refusal> {
    let request = json_body(request).await?;
    let step = async move { node.deal(&request).await };
    answer("deal", to_its_end(step).await)
}

async fn hold(State(node): Shared, request: Request) -> Result<Response, Refusal> {
    let request = json_body(request).await?;
    let step = async move { node.hold(&request).await };
    answer("hold", to_its_end(step).await)
}

async fn sign(State(node): Shared, request: Request) -> Result<Response, Refusal> {
    let request = json_body(request).await?;
    let step = async move { node.sign(&request).await };
    answer("sign", to_its_end(step).await)
}

async fn activate(State(node): Shared, request: Request) -> Result<Response, Refusal> {
    let request = json_body(request).await?;
    let step = async move { node.activate(&request).await };
    answer("activate", to_its_end(step).await)
}

async fn finish(State(node): Shared, request: Request) -> Result<Response, Refusal> {
    let request = json_body(request).await?;
    let step = async move { node.finish(&request).await };
    answer("finish", to_its_end(step).await)
}

/// A coordinator that hangs up does not leave a step half-way: what was stored and is not served yet.
async fn to_its_end<T: Send + 'static>(
    step: impl Future<Output = Result<T, CeremonyError>> + Send + 'static,
) -> Result<T, CeremonyError> {
    let ended = tokio::spawn(step).await;
    ended.unwrap_or_else(|_| Err(StateError::Store(StoreError::Closed).into()))
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
