//! A node as a process that can die and come back.

use core::net::SocketAddr;
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Arc;

use trefoil_client::Clock;
use trefoil_node::{IdTokenVerifier, Node, NodeConfig, PermitConfig, VerifierConfig};
use trefoil_protocol::bytes::AuthKey;
use trefoil_protocol::social::{NodeSecrets, SignedManifest};
use trefoil_store::MemorySlotStore;

use super::running::{RunningServer, bind_again};
use super::world::names;
use super::{TestkitError, Verifier};
use crate::environment::os_rng;

/// What all nodes of a network are configured with.
#[derive(Clone, Debug)]
pub(super) struct VerifierSettings(NodeConfig);

impl VerifierSettings {
    pub(super) fn of(verifiers: &[Verifier], issuer: &str) -> Result<Self, TestkitError> {
        let mut config = NodeConfig::default();
        for verifier in verifiers {
            let (tenant, id) = names(verifier)?;
            let mut settings = VerifierConfig::new(tenant, id, issuer, &verifier.audience);
            settings.custom = verifier.custom;
            config.verifiers.push(settings);
        }
        Ok(Self(config))
    }

    /// Slots are taken on permits by this key, in every tenant of the verifiers.
    pub(super) fn with_permits(mut self, key: AuthKey) -> Self {
        let tenants = self.0.verifiers.iter();
        let tenants: BTreeSet<_> = tenants.map(|verifier| verifier.tenant.clone()).collect();
        let permit = |tenant| PermitConfig { tenant, key };
        self.0.permits = tenants.into_iter().map(permit).collect();
        self
    }

    pub(super) fn config(&self) -> NodeConfig {
        self.0.clone()
    }
}

/// A node on a loopback port of its own.
pub struct NodeProcess {
    address: SocketAddr,
    secrets: NodeSecrets,
    manifest: SignedManifest,
    settings: VerifierSettings,
    clock: Arc<dyn Clock>,
    /// Outlives a kill, as a disk does.
    slots: MemorySlotStore,
    running: Option<RunningServer>,
}

impl NodeProcess {
    pub(super) fn start(
        listener: TcpListener,
        secrets: NodeSecrets,
        manifest: SignedManifest,
        settings: VerifierSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TestkitError> {
        let address = listener.local_addr().map_err(TestkitError::Listen)?;
        let mut node = Self {
            address,
            secrets,
            manifest,
            settings,
            clock,
            slots: MemorySlotStore::default(),
            running: None,
        };
        node.run(listener)?;
        Ok(node)
    }

    /// Its own base URL; the manifest's is another one where a proxy stands before it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it keeps of slots: what its thief has, too, but sealed.
    #[must_use]
    pub const fn slots(&self) -> &MemorySlotStore {
        &self.slots
    }

    /// Its disk fails: from now on it has no slots.
    pub fn lose_slots(&mut self) {
        self.slots.clear();
    }

    /// Kills it: open connections break, nothing more is answered. Harmless where it does not run.
    pub async fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill().await;
        }
    }

    /// Starts it again on the same port with the same keys. Harmless where it runs.
    ///
    /// # Errors
    /// [`TestkitError::Listen`], [`TestkitError::Node`].
    pub fn start_again(&mut self) -> Result<(), TestkitError> {
        if self.running.is_some() {
            return Ok(());
        }
        self.run(bind_again(self.address)?)
    }

    fn run(&mut self, listener: TcpListener) -> Result<(), TestkitError> {
        let manifest = self.manifest.trust_pinned().map_err(node_error)?;
        let verifier = IdTokenVerifier::new(self.settings.0.clone()).map_err(node_error)?;
        let clock = Arc::clone(&self.clock);
        let clock = trefoil_node::Clock::new(move || clock.unix_time());
        let node = Node::new(self.secrets.clone(), &manifest, verifier, clock, os_rng())
            .map_err(node_error)?
            .with_slots(Arc::new(self.slots.clone()), self.settings.config().permits);
        self.running = Some(RunningServer::start(listener, move || Ok(node.router()))?);
        Ok(())
    }
}

impl core::fmt::Debug for NodeProcess {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("NodeProcess")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

fn node_error(error: impl core::error::Error + Send + Sync + 'static) -> TestkitError {
    TestkitError::Node(Box::new(error))
}
