//! `GET /v1/ceremony` and `POST /v1/ceremony/<step>`. Nobody logs in here: what counts are the signatures in the bodies.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;
use trefoil_protocol::ceremony::MAX_CEREMONY_BODY;

use super::CeremonyError;
use crate::http::{JSON, NO_STORE, Refusal, json_body};
use crate::node::Node;

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
    answer("plan", node.plan(&json_body(request).await?).await)
}

async fn deal(State(node): Shared, request: Request) -> Result<Response, Refusal> {
    answer("deal", node.deal(&json_body(request).await?).await)
}

async fn hold(State(node): Shared, request: Request) -> Result<Response, Refusal> {
    answer("hold", node.hold(&json_body(request).await?).await)
}

async fn sign(State(node): Shared, request: Request) -> Result<Response, Refusal> {
    answer("sign", node.sign(&json_body(request).await?).await)
}

async fn activate(State(node): Shared, request: Request) -> Result<Response, Refusal> {
    answer("activate", node.activate(&json_body(request).await?).await)
}

async fn finish(State(node): Shared, request: Request) -> Result<Response, Refusal> {
    answer("finish", node.finish(&json_body(request).await?).await)
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
