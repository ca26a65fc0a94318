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
use trefoil_protocol::problem::ProblemCode as Code;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::around::around;
use crate::refusal::Refusal;
use crate::server::MetadataServer;

/// The calls, and the operator's probes, which are not limited.
pub(crate) fn routes() -> (
    OpenApiRouter<Arc<MetadataServer>>,
    OpenApiRouter<Arc<MetadataServer>>,
) {
    let calls = OpenApiRouter::new()
        .routes(routes!(login::handle))
        .routes(routes!(create::handle))
        .routes(routes!(delete::handle))
        .routes(routes!(record::handle, commit::handle))
        .routes(routes!(nonce::handle))
        .routes(routes!(kit::handle))
        .routes(routes!(events::handle))
        .routes(routes!(slots::held::handle))
        .routes(routes!(slots::enrol::handle))
        .routes(routes!(slots::guess::handle))
        .routes(routes!(slots::unlock::handle))
        .routes(routes!(slots::list::handle))
        .routes(routes!(slots::delete::handle))
        .routes(routes!(mailboxes::create::handle))
        .routes(routes!(mailboxes::read::handle, mailboxes::close::handle))
        .routes(routes!(mailboxes::put::handle))
        .routes(routes!(permit_key::handle))
        .merge(crate::openapi::route());
    let probes = OpenApiRouter::new()
        .routes(routes!(health::live))
        .routes(routes!(health::ready));
    (calls, probes)
}

pub(crate) fn router(server: Arc<MetadataServer>) -> Router {
    let (calls, probes) = routes();
    Router::from(calls)
        .merge(Router::from(probes))
        .fallback(async || Refusal::from(Code::NotFound))
        .method_not_allowed_fallback(async || Refusal::from(Code::MethodNotAllowed))
        .layer(from_fn_with_state(Arc::clone(&server), around))
        .with_state(server)
}
