//! How a request leaves the process: one object-safe trait, one implementation over HTTP, one wrapper that counts.
//!
//! Everything above this module speaks [`Transport`], so tests can cut, delay or falsify any single exchange without
//! touching the code under test.

mod http_transport;
mod round_trips;

use core::fmt;
use std::net::IpAddr;

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use bytes::Bytes;
use futures::future::BoxFuture;
use url::{Host, Url};

pub use http_transport::{HttpTransport, HttpTransportBuilder};
pub use round_trips::{CountingTransport, RoundTrips};

/// Answers longer than this are refused unless a request says otherwise: 256 KiB, the servers' own body limit.
pub const DEFAULT_MAX_BODY: usize = 256 * 1024;

/// One HTTP request.
///
/// Bodies and headers can hold session tokens, so `Debug` prints neither.
#[derive(Clone)]
#[non_exhaustive]
pub struct Request {
    /// GET, POST, PUT or DELETE.
    pub method: Method,
    /// Absolute address. HTTPS, except to a loopback address.
    pub url: Url,
    /// Sent as they stand.
    pub headers: HeaderMap,
    /// Empty for calls without a body.
    pub body: Bytes,
    /// Longest answer accepted, in bytes.
    pub max_body: usize,
    /// Whether no user waits for the answer. It is sent like any other; only who counts what users wait for leaves it out.
    pub background: bool,
}

impl Request {
    /// A request without headers or body, answers limited to [`DEFAULT_MAX_BODY`].
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            max_body: DEFAULT_MAX_BODY,
            background: false,
        }
    }

    /// Adds a header, replacing one of the same name.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sets a JSON body and its content type.
    #[must_use]
    pub fn json(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        )
    }

    /// Sets the longest answer accepted, in bytes.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Marks a request for whose answer no user waits.
    #[must_use]
    pub fn in_background(mut self) -> Self {
        self.background = true;
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &self.url.as_str())
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// One HTTP answer, its body within the limit of its request.
///
/// Bodies can hold session tokens and key material sealed to this client, so `Debug` does not print them.
#[derive(Clone)]
pub struct Response {
    /// As sent by the server; redirects are not followed.
    pub status: StatusCode,
    /// As sent by the server.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Why a request got no usable answer, told apart by what is known of the server's side.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The address is not HTTPS and not on this machine; nothing was sent.
    #[error("{url} is neither https nor on this machine; use an https address")]
    Insecure {
        /// The refused address.
        url: String,
    },
    /// The request cannot be expressed in HTTP; nothing was sent.
    #[error("the request could not be built")]
    Malformed {
        /// What the HTTP library said.
        #[source]
        source: Box<dyn core::error::Error + Send + Sync>,
    },
    /// No connection; the server has not seen the request.
    #[error("{host} could not be reached; check the connection and try again")]
    Unreachable {
        /// Host and port.
        host: String,
        /// What the HTTP library said.
        #[source]
        source: Box<dyn core::error::Error + Send + Sync>,
    },
    /// The connection ended before the whole answer was here; the server may have acted on the request.
    #[error("the connection to {host} broke before its answer arrived; try again")]
    Interrupted {
        /// Host and port.
        host: String,
        /// What the HTTP library said.
        #[source]
        source: Box<dyn core::error::Error + Send + Sync>,
    },
    /// No whole answer within the time limit; the server may have acted on the request.
    #[error("{host} did not answer in time; try again")]
    TimedOut {
        /// Host and port.
        host: String,
    },
    /// The answer was longer than the request allows; the server may have acted on the request.
    #[error("the answer of {host} is longer than the {limit} bytes allowed")]
    TooLarge {
        /// Host and port.
        host: String,
        /// The limit, in bytes.
        limit: usize,
    },
}

impl TransportError {
    /// Whether the server may have acted on the request.
    pub fn may_have_arrived(&self) -> bool {
        matches!(
            self,
            Self::Interrupted { .. } | Self::TimedOut { .. } | Self::TooLarge { .. }
        )
    }

    /// Whether the same request may succeed later without anything being changed.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Interrupted { .. } | Self::TimedOut { .. }
        )
    }
}

/// Carries one request to a server and its answer back.
///
/// Implementations never follow redirects, never send to an insecure address and never return a body longer than
/// `max_body`. Dropping the future gives the exchange up; the server may still act on it.
pub trait Transport: Send + Sync {
    /// Sends one request.
    ///
    /// # Errors
    /// [`TransportError`], whenever no whole answer of any status arrived.
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>>;

    /// Opens a connection to the server of `url` ahead of the first request, so that the request itself costs one
    /// round trip. Failure is silent: the request will say what is wrong. Does nothing by default.
    fn warm_up(&self, url: Url) -> BoxFuture<'_, ()> {
        let _ = url;
        Box::pin(core::future::ready(()))
    }
}

impl<T: Transport + ?Sized> Transport for std::sync::Arc<T> {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        (**self).send(request)
    }

    fn warm_up(&self, url: Url) -> BoxFuture<'_, ()> {
        (**self).warm_up(url)
    }
}

/// Whether requests may go to `url`: HTTPS anywhere, plain HTTP only to this machine.
///
/// Of names only `localhost` counts as this machine; [`HttpTransport`] resolves it itself, so a name server cannot
/// point it elsewhere.
pub fn is_secure(url: &Url) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => is_loopback(url),
        _ => false,
    }
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

/// Host and port of an address, for error messages: paths can hold account ids.
pub fn host_of(url: &Url) -> String {
    match (url.host_str(), url.port_or_known_default()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        _ => "the server".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_only() {
        for (address, secure) in [
            ("https://wallet.example", true),
            ("https://127.0.0.1", true),
            ("http://127.0.0.1:8080", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:1", true),
            ("http://LOCALHOST:1", true),
            ("http://wallet.example", false),
            ("http://localhost.example", false),
            ("http://127.0.0.1.example", false),
            ("http://10.0.0.1", false),
            ("http://[::2]", false),
            ("http://0.0.0.0", false),
            ("ftp://127.0.0.1", false),
            ("file:///etc/passwd", false),
        ] {
            assert_eq!(
                is_secure(&Url::parse(address).unwrap()),
                secure,
                "{address}"
            );
        }
    }

    #[test]
    fn debug_shows_neither_headers_nor_bodies() {
        let request = Request::new(
            Method::POST,
            Url::parse("https://wallet.example/v1").unwrap(),
        )
        .header(
            header::AUTHORIZATION,
            HeaderValue::from_static("Bearer hush"),
        )
        .json("a secret body");
        let text = format!("{request:?}");
        assert!(
            !text.contains("hush") && !text.contains("secret body"),
            "{text}"
        );
        assert!(text.contains("body_len: 13"), "{text}");
        let response = Response {
            status: StatusCode::OK,
            headers: request.headers,
            body: request.body,
        };
        let text = format!("{response:?}");
        assert!(
            !text.contains("hush") && !text.contains("secret body"),
            "{text}"
        );
    }
}
