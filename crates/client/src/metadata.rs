//! Client of the metadata server: one file per call.
//!
//! Every call is repeated on its own where repeating is safe, within the time of its [`RetryPolicy`]; a statement
//! that the server finds too old or too new is made again once with the server's time. Dropping the future of a call
//! leaves nothing half done here; whether the server acted on it is found out by repeating the call or logging in.
//!
//! Nothing that a server answers is verified here beyond its form: records are checked by whoever opens them.

mod call;
mod commit;
mod create;
mod delete;
mod errors;
mod events;
mod kind;
mod kit;
mod login;
mod mailbox;
mod nonce;
mod read;
mod session;
mod slots;
#[cfg(test)]
mod tests;

use core::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;

use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::statement::{Context, SignedStatement, StatementBody};
use trefoil_protocol::tenant::Tenant;
use url::Url;

use crate::environment::Environment;
use crate::retry::RetryPolicy;
use crate::transport::{Transport, is_secure};

pub use commit::CommitError;
pub use create::CreateError;
pub use delete::DeleteError;
pub use errors::{Misbehaviour, Offline};
pub use events::{Events, EventsError};
pub use kind::ErrorKind;
pub use kit::KitError;
pub use login::LoginError;
pub use mailbox::{MailboxContent, MailboxError};
pub use nonce::NonceError;
pub use read::ReadError;
pub use session::Session;

/// A metadata server, as one tenant's clients see it. Clones share connections and clock offset.
#[derive(Clone)]
pub struct MetadataClient {
    transport: Arc<dyn Transport>,
    base: Url,
    audience: String,
    tenant: Tenant,
    environment: Environment,
    retry: RetryPolicy,
    // Server's clock minus ours, in seconds; learned from refusals.
    offset: Arc<AtomicI64>,
}

/// The address cannot be that of a metadata server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{url:?} cannot be a server's address: it must be https (http only on this machine), without query or fragment"
)]
pub struct BadAddress {
    /// The refused address.
    pub url: String,
}

impl MetadataClient {
    /// A client of the server at `base`, its public base URL. Nothing is sent yet.
    ///
    /// # Errors
    /// [`BadAddress`] where `base` is neither HTTPS nor loopback, or has a query, a fragment or a password.
    pub fn new(
        transport: Arc<dyn Transport>,
        base: &str,
        tenant: Tenant,
        environment: Environment,
    ) -> Result<Self, BadAddress> {
        let refused = || BadAddress {
            url: base.to_owned(),
        };
        let parsed = Url::parse(base).map_err(|_| refused())?;
        let plain = parsed.query().is_none()
            && parsed.fragment().is_none()
            && parsed.username().is_empty()
            && parsed.password().is_none();
        if !plain || !is_secure(&parsed) {
            return Err(refused());
        }
        let audience = parsed.as_str().trim_end_matches('/').to_owned();
        Ok(Self {
            transport,
            base: Url::parse(&audience).map_err(|_| refused())?,
            audience,
            tenant,
            environment,
            retry: RetryPolicy::default(),
            offset: Arc::default(),
        })
    }

    /// Changes how often and how long calls are tried.
    #[must_use]
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// What statements to this server name: its base URL without a trailing slash.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// The name space.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Unix seconds by the server's clock, as far as it is known.
    pub fn server_time(&self) -> u64 {
        self.environment
            .now()
            .saturating_add_signed(self.offset.load(Ordering::Relaxed))
    }

    /// Opens a connection ahead of the first call. Failure is silent.
    pub async fn warm_up(&self) {
        self.transport.warm_up(self.base.clone()).await;
    }

    /// Whether the server's clock can be believed.
    fn learn_time(&self, server: u64) -> bool {
        let Some(offset) = self.environment.offset_to(server) else {
            return false;
        };
        self.offset.store(offset, Ordering::Relaxed);
        true
    }

    /// `{base}/v1/{tenant}/{path…}`.
    fn url<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.base.clone();
        // Cannot fail: http and https addresses always have a path.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments
                .pop_if_empty()
                .extend(["v1", self.tenant.as_str()])
                .extend(path);
        }
        url
    }

    /// Signs a statement for this server at the present time.
    fn statement(&self, body: StatementBody, signer: &AuthPrivateKey) -> SignedStatement {
        let context = Context {
            aud: &self.audience,
            tenant: &self.tenant,
            now: self.server_time(),
        };
        SignedStatement::sign(body, signer, context, &mut self.environment.rng())
    }
}

impl core::fmt::Debug for MetadataClient {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("MetadataClient")
            .field("audience", &self.audience)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}
