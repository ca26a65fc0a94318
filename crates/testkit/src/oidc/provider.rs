//! The running provider: starts on an ephemeral loopback port, stops when dropped.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rand_core::CryptoRng;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{Algorithm, Claims, Forger, KeyRing, forge, routes};

/// Why the provider could not do what a test or the demo asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OidcError {
    /// No loopback port could be had.
    #[error("the local OpenID provider cannot listen on loopback")]
    Listen(#[source] std::io::Error),
    /// A committed RSA key is not readable.
    #[error("a test key of the local OpenID provider is not readable")]
    Key,
    /// The RSA signature failed.
    #[error("the local OpenID provider could not sign")]
    Sign,
}

/// How the provider misbehaves until told otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Fault {
    /// Not at all.
    #[default]
    None,
    /// Answers 503 to everything.
    Down,
    /// Waits this long before each answer.
    Slow(Duration),
    /// The discovery document names another issuer.
    OtherIssuer(String),
    /// The discovery document sends verifiers to another place for the keys.
    OtherJwksUri(String),
    /// The JWKS is padded to this many bytes and more.
    Oversized(usize),
    /// The JWKS is not JSON.
    NotJson,
    /// The JWKS holds no key.
    NoKeys,
    /// The JWKS is a redirect to itself.
    Redirect,
}

/// How often verifiers asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fetches {
    /// `GET /.well-known/openid-configuration`.
    pub discovery: usize,
    /// `GET /jwks`.
    pub jwks: usize,
}

/// What a provider is started with.
#[derive(Clone)]
pub struct ProviderOptions {
    /// `aud` of the tokens that are signed without another being named.
    pub audience: String,
    /// Seconds between `iat` and `exp`.
    pub lifetime: u64,
    /// What tokens are signed with.
    pub algorithm: Algorithm,
    /// Unix seconds.
    pub clock: Arc<dyn Fn() -> u64 + Send + Sync>,
}

impl ProviderOptions {
    /// ES256, five minutes, for one audience and clock.
    #[must_use]
    pub fn new(audience: &str, clock: Arc<dyn Fn() -> u64 + Send + Sync>) -> Self {
        Self {
            audience: audience.to_owned(),
            lifetime: 300,
            algorithm: Algorithm::Es256,
            clock,
        }
    }
}

impl fmt::Debug for ProviderOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderOptions")
            .field("audience", &self.audience)
            .field("lifetime", &self.lifetime)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

pub(super) struct Shared {
    pub(super) issuer: String,
    pub(super) options: ProviderOptions,
    pub(super) keys: RwLock<KeyRing>,
    pub(super) fault: RwLock<Fault>,
    pub(super) discovery_fetches: AtomicUsize,
    pub(super) jwks_fetches: AtomicUsize,
}

impl Shared {
    pub(super) fn keys(&self) -> KeyRing {
        self.keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn fault(&self) -> Fault {
        self.fault
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn claims(&self, subject: &str) -> Claims {
        Claims::new(
            &self.issuer,
            subject,
            &self.options.audience,
            (self.options.clock)(),
            self.options.lifetime,
        )
    }

    pub(super) fn sign(&self, claims: &Claims) -> Result<String, OidcError> {
        forge::sign(self.keys().key(self.options.algorithm), claims)
    }
}

/// A provider that listens on loopback until it is dropped.
pub struct OpenIdProvider {
    shared: Arc<Shared>,
    foreign: KeyRing,
    server: JoinHandle<()>,
}

impl OpenIdProvider {
    /// Makes keys, binds `127.0.0.1` on a free port and serves from a task of the current runtime.
    ///
    /// # Errors
    /// [`OidcError::Listen`], [`OidcError::Key`].
    pub async fn start(
        options: ProviderOptions,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, OidcError> {
        let keys = KeyRing::generate(rng)?;
        let foreign = keys.next(rng)?;
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .map_err(OidcError::Listen)?;
        let address = listener.local_addr().map_err(OidcError::Listen)?;
        let shared = Arc::new(Shared {
            issuer: format!("http://{address}"),
            options,
            keys: RwLock::new(keys),
            fault: RwLock::default(),
            discovery_fetches: AtomicUsize::new(0),
            jwks_fetches: AtomicUsize::new(0),
        });
        let router = routes::router(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            // Fails only when the listener does; whoever asks next sees a refused connection.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            shared,
            foreign,
            server,
        })
    }

    /// The issuer: `http://127.0.0.1:<port>`, without a trailing slash.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.shared.issuer
    }

    /// Where a development login is had: `POST {sub, nonce, email?}` answers `{id_token}`.
    #[must_use]
    pub fn dev_token_url(&self) -> String {
        format!("{}/dev/token", self.shared.issuer)
    }

    /// An honest set of claims for a subject, without a nonce.
    #[must_use]
    pub fn claims(&self, subject: &str) -> Claims {
        self.shared.claims(subject)
    }

    /// Signs with the default algorithm.
    ///
    /// # Errors
    /// [`OidcError::Sign`].
    pub fn id_token(&self, claims: &Claims) -> Result<String, OidcError> {
        self.shared.sign(claims)
    }

    /// Signs with a chosen algorithm.
    ///
    /// # Errors
    /// [`OidcError::Sign`].
    pub fn id_token_with(
        &self,
        algorithm: Algorithm,
        claims: &Claims,
    ) -> Result<String, OidcError> {
        forge::sign(self.shared.keys().key(algorithm), claims)
    }

    /// Makes bad tokens with the keys of this moment.
    #[must_use]
    pub fn forger(&self) -> Forger {
        Forger::new(self.shared.keys(), self.foreign.clone())
    }

    /// The JWK Set of this moment, for verifiers that pin it.
    #[must_use]
    pub fn jwks(&self) -> Value {
        self.shared.keys().jwks()
    }

    /// Replaces all keys; the old ones are served no more.
    ///
    /// # Errors
    /// [`OidcError::Key`].
    pub fn rotate_keys(&self, rng: &mut impl CryptoRng) -> Result<(), OidcError> {
        let next = self.shared.keys().next(rng)?;
        *self
            .shared
            .keys
            .write()
            .unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    /// Misbehaves from now on; [`Fault::None`] ends it.
    pub fn set_fault(&self, fault: Fault) {
        *self
            .shared
            .fault
            .write()
            .unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// How often discovery and JWKS were asked for, faulty answers included.
    #[must_use]
    pub fn fetches(&self) -> Fetches {
        Fetches {
            discovery: self.shared.discovery_fetches.load(Ordering::SeqCst),
            jwks: self.shared.jwks_fetches.load(Ordering::SeqCst),
        }
    }
}

impl fmt::Debug for OpenIdProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenIdProvider")
            .field("issuer", &self.shared.issuer)
            .finish_non_exhaustive()
    }
}

impl Drop for OpenIdProvider {
    fn drop(&mut self) {
        self.server.abort();
    }
}
