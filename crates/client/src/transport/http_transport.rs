//! HTTP over rustls, with the limits that a client of untrusted servers needs.

use core::error::Error as StdError;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http::Method;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use url::Url;

use super::{Request, Response, Transport, TransportError, host_of, is_loopback, is_secure};

/// A connection that was silent for longer is opened anew.
const REUSE_LIMIT: Duration = Duration::from_secs(25);
/// After so long without an answer an HTTP/2 server is asked whether it is there, and given as long again to say so.
const HTTP2_PING: Duration = Duration::from_secs(5);

/// The transport that apps use.
///
/// TLS 1.2 and 1.3 by rustls on ring, the Mozilla root certificates, HTTP/2 where the server speaks it. No redirects,
/// no cookies, no process-wide TLS provider. Proxies from the environment are used for HTTPS only, where they see
/// nothing but a tunnel.
#[derive(Clone, Debug)]
pub struct HttpTransport {
    remote: reqwest::Client,
    // Plain HTTP to this machine must not reach a proxy, and must not trust a name server for `localhost`.
    local: reqwest::Client,
}

impl HttpTransport {
    /// A transport with the default limits: 5 s to connect, 15 s for a whole exchange.
    ///
    /// # Errors
    /// [`TransportError::Malformed`] where TLS cannot be set up.
    pub fn new() -> Result<Self, TransportError> {
        Self::builder().build()
    }

    /// Sets limits and roots first.
    pub fn builder() -> HttpTransportBuilder {
        HttpTransportBuilder {
            connect_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(15),
            extra_roots: Vec::new(),
        }
    }

    fn client_for(&self, url: &Url) -> &reqwest::Client {
        if is_loopback(url) {
            &self.local
        } else {
            &self.remote
        }
    }
}

/// Settings of an [`HttpTransport`].
#[derive(Clone, Debug)]
pub struct HttpTransportBuilder {
    connect_timeout: Duration,
    total_timeout: Duration,
    extra_roots: Vec<CertificateDer<'static>>,
}

impl HttpTransportBuilder {
    /// Longest time to open a connection.
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Longest time for a whole exchange, connecting and the last byte of the body included.
    #[must_use]
    pub fn total_timeout(mut self, limit: Duration) -> Self {
        self.total_timeout = limit;
        self
    }

    /// Trusts one more certificate authority, for deployments with their own. DER bytes of an X.509 certificate.
    #[must_use]
    pub fn add_root(mut self, der: Vec<u8>) -> Self {
        self.extra_roots.push(CertificateDer::from(der));
        self
    }

    /// Builds the transport.
    ///
    /// # Errors
    /// [`TransportError::Malformed`] where an added root is not a certificate or TLS cannot be set up.
    pub fn build(self) -> Result<HttpTransport, TransportError> {
        let mut roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        for root in &self.extra_roots {
            roots.add(root.clone()).map_err(malformed)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(malformed)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];

        let client = || {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .connect_timeout(self.connect_timeout)
                .timeout(self.total_timeout)
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                // Without this the second small packet of a request can wait 40 ms for the first one's ACK.
                .tcp_nodelay(true)
                // A server keeps silent connections for 30 s: one that it is about to close is not used again.
                .pool_idle_timeout(REUSE_LIMIT)
                // A phone that changed its network finds out before the call's time is up that its connection is dead.
                .http2_keep_alive_interval(HTTP2_PING)
                .http2_keep_alive_timeout(HTTP2_PING)
                .user_agent(concat!("trefoil/", env!("CARGO_PKG_VERSION")))
        };
        let loopback = [
            SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0),
        ];
        Ok(HttpTransport {
            remote: client().https_only(true).build().map_err(malformed)?,
            local: client()
                .no_proxy()
                .resolve_to_addrs("localhost", &loopback)
                .build()
                .map_err(malformed)?,
        })
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        Box::pin(async move {
            if !is_secure(&request.url) {
                return Err(TransportError::Insecure {
                    url: request.url.origin().ascii_serialization(),
                });
            }
            let host = host_of(&request.url);
            let limit = request.max_body;
            let mut answer = self
                .client_for(&request.url)
                .request(request.method, request.url)
                .headers(request.headers)
                .body(request.body)
                .send()
                .await
                .map_err(|error| classify(error, &host))?;
            let status = answer.status();
            let headers = core::mem::take(answer.headers_mut());
            let body = read_limited(&mut answer, limit, &host).await?;
            Ok(Response {
                status,
                headers,
                body,
            })
        })
    }

    fn warm_up(&self, url: Url) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Ok(url) = url.join("/healthz")
                && is_secure(&url)
            {
                // The body is read so that the connection goes back to the pool.
                let request = Request::new(Method::GET, url).max_body(4096);
                let _ = self.send(request).await;
            }
        })
    }
}

/// Reads chunk by chunk and stops at the first byte over the limit, whatever length the server announced.
async fn read_limited(
    answer: &mut reqwest::Response,
    limit: usize,
    host: &str,
) -> Result<Bytes, TransportError> {
    let too_large = || TransportError::TooLarge {
        host: host.to_owned(),
        limit,
    };
    if answer
        .content_length()
        .is_some_and(|announced| announced > limit as u64)
    {
        return Err(too_large());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = answer
        .chunk()
        .await
        .map_err(|error| interrupted(error, host))?
    {
        if chunk.len() > limit - body.len() {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn classify(error: reqwest::Error, host: &str) -> TransportError {
    // The error's own address would repeat account ids in logs.
    let error = error.without_url();
    if error.is_builder() {
        malformed(error)
    } else if error.is_connect() {
        // Also when connecting took too long: nothing has been sent.
        TransportError::Unreachable {
            host: host.to_owned(),
            source: Box::new(error),
        }
    } else {
        interrupted(error, host)
    }
}

fn interrupted(error: reqwest::Error, host: &str) -> TransportError {
    if error.is_timeout() {
        TransportError::TimedOut {
            host: host.to_owned(),
        }
    } else {
        TransportError::Interrupted {
            host: host.to_owned(),
            source: Box::new(error.without_url()),
        }
    }
}

fn malformed(source: impl StdError + Send + Sync + 'static) -> TransportError {
    TransportError::Malformed {
        source: Box::new(source),
    }
}
