//! One file per route.

mod commit;
mod create;
mod delete;
mod events;
mod health;
mod kit;
mod login;
mod mailboxes;
mod nonce;
mod permit_key;
mod record;
mod slots;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post, put};
use trefoil_protocol::problem::ProblemCode as Code;

use crate::cors::cors;
use crate::limits::limit_address;
use crate::observe::observe;
use crate::refusal::Refusal;
use crate::server::MetadataServer;
use crate::time_limit::limit_time;

pub(crate) fn router(server: Arc<MetadataServer>) -> Router {
    Router::new()
        .route("/v1/{tenant}/sessions", post(login::handle))
        .route("/v1/{tenant}/accounts", post(create::handle))
        .route("/v1/{tenant}/accounts/{account}", delete(delete::handle))
        .route(
            "/v1/{tenant}/accounts/{account}/record",
            get(record::handle).put(commit::handle),
        )
        .route("/v1/{tenant}/accounts/{account}/nonce", post(nonce::handle))
        .route("/v1/{tenant}/accounts/{account}/kit", post(kit::handle))
        .route(
            "/v1/{tenant}/accounts/{account}/events",
            get(events::handle),
        )
        .route(
            "/v1/{tenant}/accounts/{account}/slots",
            get(slots::held::handle),
        )
        .route(
            "/v1/{tenant}/accounts/{account}/slots/{slot}",
            put(slots::enrol::handle),
        )
        .route(
            "/v1/{tenant}/slots/{slot}/guess",
            post(slots::guess::handle),
        )
        .route(
            "/v1/{tenant}/slots/{slot}/unlock",
            post(slots::unlock::handle),
        )
        .route("/v1/{tenant}/slots/{slot}/list", post(slots::list::handle))
        .route(
            "/v1/{tenant}/slots/{slot}/delete",
            post(slots::delete::handle),
        )
        .route(
            "/v1/{tenant}/accounts/{account}/mailboxes/{mailbox}",
            put(mailboxes::create::handle),
        )
        .route(
            "/v1/{tenant}/mailboxes/{mailbox}",
            get(mailboxes::read::handle).delete(mailboxes::close::handle),
        )
        .route(
            "/v1/{tenant}/mailboxes/{mailbox}/{role}/{step}",
            put(mailboxes::put::handle),
        )
        .route("/v1/permit_key", get(permit_key::handle))
        .route_layer(from_fn_with_state(Arc::clone(&server), limit_address))
        // What follows is not limited: the operator's probes.
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .fallback(async || Refusal::from(Code::NotFound))
        .method_not_allowed_fallback(async || Refusal::from(Code::MethodNotAllowed))
        .layer(from_fn_with_state(Arc::clone(&server), limit_time))
        .layer(from_fn_with_state(Arc::clone(&server), cors))
        .layer(from_fn_with_state(Arc::clone(&server), observe))
        .with_state(server)
}
