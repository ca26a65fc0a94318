//! `POST /v1/slots/<call>`. Nobody logs in here: what counts are the signatures in the bodies.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Serialize;
use trefoil_protocol::guess::MAX_REQUEST;

use super::SlotsError;
use crate::http::{JSON, NO_STORE, Refusal, json_body};
use crate::node::Node;

pub(crate) fn routes() -> Router<Arc<Node>> {
    Router::new()
        .route("/v1/slots/enrol", post(enrol))
        .route("/v1/slots/guess", post(guess))
        .route("/v1/slots/unlock", post(unlock))
        .route("/v1/slots/list", post(list))
        .route("/v1/slots/delete", post(delete))
        .layer(DefaultBodyLimit::max(MAX_REQUEST))
}

type Shared = State<Arc<Node>>;

/// Nothing more to say than that it is done.
#[derive(Serialize)]
struct Done {}

async fn enrol(State(node): Shared, request: Request) -> Result<Response, Refusal> {
    let answer = node.enrol_slot(&json_body(request).await?).await;
    respond(answer.map(|()| Done {}))
}

async fn guess(State(node): Shared, request: Request) -> Result<Response, Refusal> {
    respond(node.guess(&json_body(request).await?).await)
}

async fn unlock(State(node): Shared, request: Request) -> Result<Response, Refusal> {
    respond(node.unlock(&json_body(request).await?).await)
}

async fn list(State(node): Shared, request: Request) -> Result<Response, Refusal> {
    respond(node.take_list(&json_body(request).await?).await)
}

async fn delete(State(node): Shared, request: Request) -> Result<Response, Refusal> {
    let answer = node.delete_slot(&json_body(request).await?).await;
    respond(answer.map(|()| Done {}))
}

fn respond<T: Serialize>(answer: Result<T, SlotsError>) -> Result<Response, Refusal> {
    let answer = answer.map_err(|error| Refusal::from(error.problem()))?;
    // Strings, numbers and lists only: serialising them cannot fail.
    let json = serde_json::to_vec(&answer).unwrap_or_default();
    Ok(([JSON, NO_STORE], json).into_response())
}
