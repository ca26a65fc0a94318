//! The server's state and how it becomes a router.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use rand_core::CryptoRng;
use trefoil_protocol::policy::Level;
use trefoil_protocol::wire::{SessionGrant, SessionToken};
use trefoil_store::{MetadataStore, NewSession, TokenHash};

use crate::config::{Config, SESSION_SECONDS};
use crate::routes;

type Clock = Box<dyn Fn() -> u64 + Send + Sync>;

/// A metadata server without a socket: whoever has one serves [`Self::into_router`] on it.
pub struct MetadataServer {
    pub(crate) config: Config,
    pub(crate) store: Arc<dyn MetadataStore>,
    clock: Clock,
    rng: Mutex<Box<dyn CryptoRng + Send>>,
}

impl MetadataServer {
    /// A server on this store. `clock` yields unix seconds; `rng` makes session tokens.
    pub fn new(
        config: Config,
        store: Arc<dyn MetadataStore>,
        clock: impl Fn() -> u64 + Send + Sync + 'static,
        rng: impl CryptoRng + Send + 'static,
    ) -> Self {
        Self {
            config,
            store,
            clock: Box::new(clock),
            rng: Mutex::new(Box::new(rng)),
        }
    }

    /// All routes of this server.
    pub fn into_router(self) -> Router {
        routes::router(Arc::new(self))
    }

    pub(crate) fn now(&self) -> u64 {
        (self.clock)()
    }

    /// A fresh session: what the client gets and what the store keeps.
    pub(crate) fn new_session(&self, now: u64) -> (SessionGrant, NewSession) {
        let token = {
            let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
            SessionToken::random(&mut *rng)
        };
        let expires = now.saturating_add(SESSION_SECONDS);
        let kept = NewSession {
            token: TokenHash::of(&token),
            level: Level::Primary,
            expires,
        };
        (SessionGrant { token, expires }, kept)
    }
}

impl fmt::Debug for MetadataServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetadataServer")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
