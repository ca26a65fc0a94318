//! The API as an OpenAPI 3.1 document, made of the routes themselves.

mod params;
mod problems;

use std::sync::{Arc, LazyLock};

use http::header;
use trefoil_protocol::problem::Problem;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use self::params::{
    AccountMailboxPath, AccountPath, AccountSlotPath, IfMatch, MailboxPath, PlacePath, SlotPath,
    TenantPath,
};
pub(crate) use self::problems::{
    ANY, BODY, CREATION, PATH, RECORD, SESSION, SLOT, STATEMENT, by_status, problems,
};
use crate::server::MetadataServer;

/// The session's bearer token.
pub(crate) const SESSION_SCHEME: &str = "session";

/// The document of all calls, as `GET /openapi.json` answers it.
#[must_use]
pub fn openapi_json() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let (routes, probes) = crate::routes::routes();
        let document = complete(routes.merge(probes).into_openapi());
        // Strings, numbers and lists only: serialising them cannot fail.
        document.to_pretty_json().unwrap_or_default()
    });
    &TEXT
}

/// The route of the document itself.
pub(crate) fn route() -> OpenApiRouter<Arc<MetadataServer>> {
    OpenApiRouter::new().routes(routes!(handle))
}

problems!(DocumentProblems = [ANY]);

/// This document
#[utoipa::path(
    get, path = "/openapi.json", tag = "operator",
    responses((status = 200, description = "the document", body = Object), DocumentProblems)
)]
async fn handle() -> impl axum::response::IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], openapi_json())
}

/// What the routes do not say: the title, how sessions are shown, the form of problems.
fn complete(routes: OpenApi) -> OpenApi {
    let components = ComponentsBuilder::from(routes.components.clone().unwrap_or_default())
        .schema(Problem::name(), Problem::schema())
        .security_scheme(
            SESSION_SCHEME,
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
        )
        .build();
    let info = InfoBuilder::new()
        .title("Trefoil metadata server")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Records, sealed nonces, sessions, slots of counted guesses, mailboxes. Whatever is refused is a problem \
             document (RFC 9457) with a stable code.",
        ))
        .build();
    OpenApiBuilder::from(routes)
        .info(info)
        .components(Some(components))
        .build()
}
