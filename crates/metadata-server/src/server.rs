//! The server's state and how it becomes a router.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use rand_core::{CryptoRng, Rng as _, TryCryptoRng, TryRng};
use tokio::sync::Semaphore;
use trefoil_protocol::guess::EvaluatorName;
use trefoil_protocol::policy::Level;
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::tenant::Tenant;
use trefoil_protocol::wire::{SessionGrant, SessionToken};
use trefoil_server_kit::Recent;
use trefoil_store::{MetadataStore, NewSession, StoreError, TokenHash};

use crate::config::Config;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::routes;
use crate::tenants::TenantPolicy;

type Clock = Box<dyn Fn() -> u64 + Send + Sync>;

/// A metadata server without a socket: whoever has one serves [`Self::into_router`] on it.
pub struct MetadataServer {
    pub(crate) config: Config,
    pub(crate) store: Arc<dyn MetadataStore>,
    clock: Clock,
    rng: Mutex<Box<dyn CryptoRng + Send>>,
    /// The server as statements about slots name it.
    pub(crate) name: EvaluatorName,
    pub(crate) permit_key: Option<AuthPrivateKey>,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) readiness: Recent<Result<(), StoreError>>,
    /// Bytes of bodies that may still be taken in.
    pub(crate) body_room: Semaphore,
}

impl MetadataServer {
    /// A server on this store. `clock` yields unix seconds; `rng` makes session tokens and proofs. It enrols no slots before
    /// it has a [permit key](Self::with_permit_key).
    pub fn new(
        config: Config,
        store: Arc<dyn MetadataStore>,
        clock: impl Fn() -> u64 + Send + Sync + 'static,
        rng: impl CryptoRng + Send + 'static,
    ) -> Self {
        Self {
            body_room: Semaphore::new(config.body_bytes.min(Semaphore::MAX_PERMITS)),
            name: EvaluatorName::Server(config.public_url.clone()),
            config,
            store,
            clock: Box::new(clock),
            rng: Mutex::new(Box::new(rng)),
            permit_key: None,
            limits: Limits::none(),
            metrics: Metrics::default(),
            readiness: Recent::default(),
        }
    }

    /// Signs permits to enrol slots with this key, whose public part the nodes are configured with.
    #[must_use]
    pub fn with_permit_key(mut self, key: AuthPrivateKey) -> Self {
        self.permit_key = Some(key);
        self
    }

    /// Limits how often addresses, factors and slots may ask; without this there is no limit.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// All routes of this server.
    pub fn into_router(self) -> Router {
        routes::router(Arc::new(self))
    }

    pub(crate) fn now(&self) -> u64 {
        (self.clock)()
    }

    /// Unix milliseconds, as exactly as the clock is.
    pub(crate) fn now_millis(&self) -> u64 {
        self.now().saturating_mul(1000)
    }

    /// What the tenant offers.
    pub(crate) fn policy(&self, tenant: &Tenant) -> TenantPolicy {
        let config = self.config.tenant(tenant);
        config.map(|config| config.policy).unwrap_or_default()
    }

    /// The random source. It is held for the time of one draw only.
    pub(crate) const fn rng(&self) -> ServerRng<'_> {
        ServerRng(&self.rng)
    }

    /// A fresh session: what the client gets and what the store keeps.
    pub(crate) fn new_session(&self, tenant: &Tenant, now: u64) -> (SessionGrant, NewSession) {
        let token = SessionToken::random(&mut self.rng());
        let expires = now.saturating_add(self.policy(tenant).session_seconds);
        let kept = NewSession {
            token: TokenHash::of(&token),
            level: Level::Primary,
            expires,
        };
        (SessionGrant { token, expires }, kept)
    }
}

/// One after the other draws from the server's random source.
pub(crate) struct ServerRng<'a>(&'a Mutex<Box<dyn CryptoRng + Send>>);

impl TryRng for ServerRng<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.lock().next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.lock().next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.lock().fill_bytes(bytes);
        Ok(())
    }
}

impl TryCryptoRng for ServerRng<'_> {}

impl ServerRng<'_> {
    fn lock(&self) -> MutexGuard<'_, Box<dyn CryptoRng + Send>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MetadataServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetadataServer")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
