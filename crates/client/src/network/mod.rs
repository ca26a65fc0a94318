//! Client of the node network: asks all nodes at once, checks their proofs, combines the first `T` good answers.
//!
//! Up to `N - T` nodes may be slow, gone or malicious: the login still succeeds, they are named in its result, and
//! nobody waits for them. Fewer than `T` malicious nodes cannot make it yield another secret.

mod ask;
mod errors;
mod fault;
mod follow;
mod hints;
mod known;
mod lineage;
mod manifest;
mod round;
mod social;
#[cfg(test)]
mod tests;

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use trefoil_protocol::social::{EphemeralKey, NodeIndex, VerifiedManifest};
use url::Url;

use crate::environment::Environment;
use crate::retry::RetryPolicy;
use crate::transport::Transport;

use known::{Known, View};

pub use errors::SocialError;
pub use fault::{NodeFault, NodeReport};
pub use follow::ManifestUpdate;
pub use manifest::{ManifestUpdateError, fetch_first_manifest};
pub use social::{SocialLogin, SocialSecret};

/// Longest time for asking the network, unless set otherwise.
pub const DEFAULT_TIME_LIMIT: Duration = Duration::from_secs(10);

/// No wait of ours is shorter, whatever the policy says: nodes that are not there yet must not be pestered.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);

/// A node network. Clones share connections and the manifest, which follows the network from epoch to epoch.
#[derive(Clone)]
pub struct NetworkClient {
    transport: Arc<dyn Transport>,
    known: Arc<Known>,
    environment: Environment,
    retry: RetryPolicy,
}

/// A node's address cannot be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the address of node {index} is neither https nor on this machine: {url:?}")]
pub struct BadNetwork {
    /// Whose address.
    pub index: NodeIndex,
    /// The address.
    pub url: String,
}

impl NetworkClient {
    /// A client of the network that `manifest` belongs to, beginning with its nodes. Nothing is sent yet.
    ///
    /// # Errors
    /// [`BadNetwork`] where a node's address is not one to send an ID token to.
    pub fn new(
        transport: Arc<dyn Transport>,
        manifest: VerifiedManifest,
        environment: Environment,
    ) -> Result<Self, BadNetwork> {
        Ok(Self {
            known: Arc::new(Known::new(View::new(manifest)?)),
            transport,
            environment,
            retry: RetryPolicy {
                total: DEFAULT_TIME_LIMIT,
                ..RetryPolicy::default()
            },
        })
    }

    /// Sets the longest time for one call, whatever the nodes do.
    #[must_use]
    pub fn with_time_limit(mut self, limit: Duration) -> Self {
        self.retry.total = limit;
        self
    }

    /// Sets how often each node is asked within one call, with which waits, and the longest time for the call. By default
    /// as [`RetryPolicy::default`] within [`DEFAULT_TIME_LIMIT`].
    #[must_use]
    pub fn with_retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// The newest manifest in use. Worth keeping for the next start.
    #[must_use]
    pub fn manifest(&self) -> Arc<VerifiedManifest> {
        Arc::clone(&self.known.current().manifest)
    }

    /// A fresh key for one login; its [`EphemeralKey::oidc_nonce`] goes to the provider.
    #[must_use]
    pub fn ephemeral_key(&self) -> EphemeralKey {
        EphemeralKey::random(&mut self.environment.rng())
    }
}

/// `{base}/v1/{call}`.
fn call_url(base: &Url, call: &str) -> Url {
    let mut url = base.clone();
    // Cannot fail: http and https addresses always have a path.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(["v1", call]);
    }
    url
}

impl fmt::Debug for NetworkClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let current = self.known.current();
        f.debug_struct("NetworkClient")
            .field("network", &current.manifest.network())
            .field("epoch", &current.epoch())
            .field("nodes", &current.nodes.len())
            .finish_non_exhaustive()
    }
}
