//! Client of the node network: asks all nodes at once, checks their proofs, combines the first `T` good answers.
//!
//! Up to `N - T` nodes may be slow, gone or malicious: the login still succeeds, they are named in its result, and
//! nobody waits for them. Fewer than `T` malicious nodes cannot make it yield another secret.

mod errors;
mod fault;
mod manifest;
mod social;
#[cfg(test)]
mod tests;

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use futures::future::join_all;
use trefoil_protocol::social::{EphemeralKey, NodeIndex, VerifiedManifest};
use url::Url;

use crate::environment::Environment;
use crate::transport::{Transport, is_secure};

pub use errors::SocialError;
pub use fault::{NodeFault, NodeReport};
pub use manifest::{ManifestUpdateError, fetch_first_manifest};
pub use social::{SocialLogin, SocialSecret};

/// Longest time for asking the network, unless set otherwise.
pub const DEFAULT_TIME_LIMIT: Duration = Duration::from_secs(10);

/// The node network of one manifest. Clones share connections.
#[derive(Clone)]
pub struct NetworkClient {
    transport: Arc<dyn Transport>,
    manifest: Arc<VerifiedManifest>,
    nodes: Arc<[NodeAddress]>,
    environment: Environment,
    time_limit: Duration,
}

#[derive(Debug, Clone)]
struct NodeAddress {
    index: NodeIndex,
    base: Url,
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
    /// A client of the manifest's nodes. Nothing is sent yet.
    ///
    /// # Errors
    /// [`BadNetwork`] where a node's address is not one to send an ID token to.
    pub fn new(
        transport: Arc<dyn Transport>,
        manifest: VerifiedManifest,
        environment: Environment,
    ) -> Result<Self, BadNetwork> {
        let nodes = manifest.nodes().iter().map(|node| {
            let url = Url::parse(&node.url).ok().filter(is_secure);
            url.map(|base| NodeAddress {
                index: node.index,
                base,
            })
            .ok_or_else(|| BadNetwork {
                index: node.index,
                url: node.url.clone(),
            })
        });
        Ok(Self {
            nodes: nodes.collect::<Result<_, _>>()?,
            transport,
            manifest: Arc::new(manifest),
            environment,
            time_limit: DEFAULT_TIME_LIMIT,
        })
    }

    /// Sets the longest time for one call, whatever the nodes do.
    #[must_use]
    pub fn with_time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// The manifest in use.
    #[must_use]
    pub fn manifest(&self) -> &VerifiedManifest {
        &self.manifest
    }

    /// A fresh key for one login; its [`EphemeralKey::oidc_nonce`] goes to the provider.
    #[must_use]
    pub fn ephemeral_key(&self) -> EphemeralKey {
        EphemeralKey::random(&mut self.environment.rng())
    }

    /// Opens connections to all nodes while the user is still at the provider, so that the login itself costs one
    /// round trip. Ends within the time limit; failure is silent, the login will say what is wrong.
    pub async fn connect_ahead(&self) {
        let all = join_all(
            self.nodes
                .iter()
                .map(|node| self.transport.warm_up(node.base.clone())),
        );
        let _ = tokio::time::timeout(self.time_limit, all).await;
    }
}

impl NodeAddress {
    /// `{base}/v1/{call}`.
    fn call(&self, call: &str) -> Url {
        call_url(&self.base, call)
    }
}

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
        f.debug_struct("NetworkClient")
            .field("network", &self.manifest.network())
            .field("epoch", &self.manifest.epoch())
            .field("nodes", &self.nodes.len())
            .finish_non_exhaustive()
    }
}
