//! The provider's HTTP routes: discovery (OpenID Connect Discovery 1.0 section 4), JWKS, the development login.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{DefaultBodyLimit, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::provider::Shared;
use super::{Algorithm, Fault};

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/jwks", get(jwks))
        .route("/dev/token", post(dev_token))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&shared),
            misbehave,
        ))
        .layer(DefaultBodyLimit::max(16 * 1024))
        .with_state(shared)
}

async fn misbehave(
    State(shared): State<Arc<Shared>>,
    request: axum::extract::Request,
    next: Next,
) -> Response {
    // Counted here, so that a request is seen even where its answer is withheld.
    match request.uri().path() {
        "/jwks" => shared.jwks_fetches.fetch_add(1, Ordering::SeqCst),
        "/.well-known/openid-configuration" => {
            shared.discovery_fetches.fetch_add(1, Ordering::SeqCst)
        }
        _ => 0,
    };
    match shared.fault() {
        Fault::Down => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Fault::Slow(delay) => tokio::time::sleep(delay).await,
        _ => {}
    }
    next.run(request).await
}

async fn discovery(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let issuer = &shared.issuer;
    let (named, jwks_uri) = match shared.fault() {
        Fault::OtherIssuer(other) => (other, format!("{issuer}/jwks")),
        Fault::OtherJwksUri(other) => (issuer.clone(), other),
        _ => (issuer.clone(), format!("{issuer}/jwks")),
    };
    Json(json!({
        "issuer": named,
        "jwks_uri": jwks_uri,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": Algorithm::ALL.map(Algorithm::name),
    }))
}

async fn jwks(State(shared): State<Arc<Shared>>) -> Response {
    match shared.fault() {
        Fault::NotJson => "<html>no keys today</html>".into_response(),
        Fault::NoKeys => Json(json!({ "keys": [] })).into_response(),
        Fault::Redirect => Redirect::temporary(&format!("{}/jwks", shared.issuer)).into_response(),
        Fault::Oversized(bytes) => {
            let mut set = shared.keys().jwks();
            if let Some(fields) = set.as_object_mut() {
                fields.insert("padding".to_owned(), json!("x".repeat(bytes)));
            }
            Json(set).into_response()
        }
        _ => Json(shared.keys().jwks()).into_response(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DevLogin {
    sub: String,
    nonce: String,
    #[serde(default)]
    email: Option<String>,
}

/// Signs in whoever is named: there is nobody to ask.
async fn dev_token(State(shared): State<Arc<Shared>>, Json(login): Json<DevLogin>) -> Response {
    let mut claims = shared.claims(&login.sub).nonce(&login.nonce);
    if let Some(address) = &login.email {
        claims = claims.email(address, true);
    }
    match shared.sign(&claims) {
        Ok(id_token) => Json(json!({ "id_token": id_token })).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
