//! Which web pages may call: those of the origins that the tenant in the path names (the Fetch standard's CORS protocol).
//!
//! A browser asks before each call and shows a page only what it is allowed to see. No credentials are involved: sessions are
//! bearer tokens, which a page has to have.

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use trefoil_protocol::tenant::Tenant;

use crate::server::MetadataServer;

/// Seconds for which a browser need not ask again.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, DELETE");
const REQUEST_HEADERS: HeaderValue =
    HeaderValue::from_static("authorization, content-type, if-match");
/// What a page may see beside the body and a few headers that it always sees.
const EXPOSED: HeaderValue = HeaderValue::from_static("etag, retry-after, x-request-id");

pub(crate) async fn cors<F: Future<Output = Response>>(
    server: &MetadataServer,
    request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response {
    let Some(tenant) = tenant_of(request.uri()) else {
        return answer(request).await;
    };
    let allowed = allowed_origin(server, &tenant, request.headers());
    let is_preflight = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if is_preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        answer(request).await
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if is_preflight {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        } else {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
    response
}

/// The tenant in `/v1/{tenant}/…`.
fn tenant_of(uri: &Uri) -> Option<Tenant> {
    let rest = uri.path().strip_prefix("/v1/")?;
    let (name, _) = rest.split_once('/')?;
    Tenant::new(name).ok()
}

fn allowed_origin(
    server: &MetadataServer,
    tenant: &Tenant,
    headers: &HeaderMap,
) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    let config = server.config.tenant(tenant)?;
    let mut origins = config.origins.iter();
    origins
        .any(|allowed| allowed.as_str().as_bytes() == origin.as_bytes())
        .then(|| origin.clone())
}
