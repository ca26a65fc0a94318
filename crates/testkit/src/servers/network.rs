//! Nodes that make their network's key among themselves, each with a store of its own on disk.

use core::net::SocketAddr;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use trefoil_client::ceremony::{CeremonyError, Chain, Coordinator, Member, Outcome};
use trefoil_client::{Clock, Environment, HttpTransport, SystemClock, Transport};
use trefoil_node::{CeremonyPolicy, IdTokenVerifier, Node, Trust};
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::social::{NodeKey, VerifiedManifest};
use trefoil_store::SqliteNodeStore;

use super::nodes::VerifierSettings;
use super::running::{RunningServer, bind, bind_again};
use super::{TestkitError, Verifier};
use crate::environment::os_rng;
use crate::oidc::{OpenIdProvider, ProviderOptions};

/// A node on a loopback port that begins without a share.
pub struct NetworkNode {
    address: SocketAddr,
    directory: PathBuf,
    key: NodeKey,
    policy: CeremonyPolicy,
    overlap: u64,
    settings: VerifierSettings,
    clock: Arc<dyn Clock>,
    running: Option<RunningServer>,
    node: Option<Arc<Node>>,
}

impl NetworkNode {
    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its lasting key, which a thief of the node has.
    #[must_use]
    pub const fn key(&self) -> &NodeKey {
        &self.key
    }

    /// Where its store lies.
    #[must_use]
    pub const fn directory(&self) -> &PathBuf {
        &self.directory
    }

    /// As a ceremony's plan names it.
    #[must_use]
    pub fn member(&self) -> Member {
        Member {
            url: self.url(),
            identity_key: Some(self.key.identity_key()),
        }
    }

    /// The node itself, while it runs.
    #[must_use]
    pub const fn node(&self) -> Option<&Arc<Node>> {
        self.node.as_ref()
    }

    /// Whose plans it follows from its next start.
    pub fn set_policy(&mut self, policy: CeremonyPolicy) {
        self.policy = policy;
    }

    /// Kills it: open connections break, nothing more is answered.
    pub async fn kill(&mut self) {
        self.node = None;
        if let Some(running) = self.running.take() {
            running.kill().await;
        }
    }

    /// Starts it again on the same port with what its store holds. Harmless where it runs.
    ///
    /// # Errors
    /// [`TestkitError`].
    pub async fn start_again(&mut self) -> Result<(), TestkitError> {
        if self.running.is_some() {
            return Ok(());
        }
        self.run(bind_again(self.address)?).await
    }

    async fn run(&mut self, listener: TcpListener) -> Result<(), TestkitError> {
        let store = Arc::new(SqliteNodeStore::open(&self.directory)?);
        let verifier = IdTokenVerifier::new(self.settings.config()).map_err(node_error)?;
        let clock = Arc::clone(&self.clock);
        let clock = trefoil_node::Clock::new(move || clock.unix_time());
        let node = Node::open(store.clone(), self.key.clone(), verifier, clock, os_rng())
            .await
            .map_err(node_error)?
            .with_policy(self.policy.clone())
            .with_overlap(self.overlap)
            .with_slots(store, self.settings.config().permits);
        let node = Arc::new(node);
        let served = Arc::clone(&node);
        self.running = Some(RunningServer::start(listener, move || {
            Ok(Node::shared_router(served))
        })?);
        self.node = Some(node);
        Ok(())
    }
}

impl core::fmt::Debug for NetworkNode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("NetworkNode")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Nodes, the provider whose logins they take, and who coordinates them.
pub struct NodeNetwork {
    /// All nodes, whether members of the network or not.
    pub nodes: Vec<NetworkNode>,
    /// Where users log in; audience of the verifiers given.
    pub provider: OpenIdProvider,
    coordinator: AuthPrivateKey,
    permit_key: AuthPrivateKey,
    _directory: TempDir,
}

impl NodeNetwork {
    /// By which a metadata server permits slots at these nodes.
    #[must_use]
    pub const fn permit_key(&self) -> &AuthPrivateKey {
        &self.permit_key
    }

    /// Starts nodes without a key, all of which follow one coordinator's every plan and keep the epoch before for
    /// `overlap` seconds.
    ///
    /// # Errors
    /// [`TestkitError`].
    pub async fn start(
        count: usize,
        verifiers: &[Verifier],
        overlap: u64,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TestkitError> {
        let directory = tempfile::tempdir().map_err(TestkitError::Files)?;
        let audience = verifiers.first().map(|verifier| verifier.audience.clone());
        let provider_clock = Arc::clone(&clock);
        let options = ProviderOptions::new(
            &audience.unwrap_or_default(),
            Arc::new(move || provider_clock.unix_time()),
        );
        let provider = OpenIdProvider::start(options, &mut os_rng()).await?;
        let permit_key = AuthPrivateKey::from_seed(NodeKey::random(&mut os_rng()).expose_seed());
        let settings =
            VerifierSettings::of(verifiers, provider.issuer())?.with_permits(permit_key.auth_key());
        let coordinator = AuthPrivateKey::from_seed(NodeKey::random(&mut os_rng()).expose_seed());
        let policy = CeremonyPolicy::coordinator(coordinator.auth_key(), Trust::Any);
        let mut nodes = Vec::new();
        for number in 0..count {
            let (listener, address) = bind()?;
            let mut node = NetworkNode {
                address,
                directory: directory.path().join(format!("node-{number}")),
                key: NodeKey::random(&mut os_rng()),
                policy: policy.clone(),
                overlap,
                settings: settings.clone(),
                clock: Arc::clone(&clock),
                running: None,
                node: None,
            };
            node.run(listener).await?;
            nodes.push(node);
        }
        Ok(Self {
            nodes,
            provider,
            coordinator,
            permit_key,
            _directory: directory,
        })
    }

    /// Nodes for the tenant `acme` with the verifier `google`, an hour of overlap, the system's clock.
    ///
    /// # Errors
    /// [`TestkitError`].
    pub async fn of(count: usize) -> Result<Self, TestkitError> {
        let verifiers = [Verifier::new("acme", "google")];
        Self::start(count, &verifiers, 3600, Arc::new(SystemClock)).await
    }

    /// The coordinator's key, which a thief of it has.
    #[must_use]
    pub const fn coordinator_key(&self) -> &AuthPrivateKey {
        &self.coordinator
    }

    /// The coordinator, over plain HTTP or whatever lies between.
    #[must_use]
    pub fn coordinator_over(&self, transport: impl Transport + 'static) -> Coordinator {
        Coordinator::new(
            Arc::new(transport),
            self.coordinator.clone(),
            Environment::system(),
        )
    }

    /// The coordinator.
    ///
    /// # Errors
    /// [`TestkitError::Node`] where TLS cannot be set up.
    pub fn coordinator(&self) -> Result<Coordinator, TestkitError> {
        Ok(self.coordinator_over(HttpTransport::new().map_err(node_error)?))
    }

    /// As a plan names these nodes.
    #[must_use]
    pub fn members(&self, places: impl IntoIterator<Item = usize>) -> Vec<Member> {
        let nodes = places.into_iter().filter_map(|place| self.nodes.get(place));
        nodes.map(NetworkNode::member).collect()
    }

    /// Makes the key of a network among the first `count` nodes.
    ///
    /// # Errors
    /// [`CeremonyError`], boxed with the testkit's own.
    pub async fn keygen(
        &self,
        count: usize,
        threshold: u16,
    ) -> Result<Outcome, Box<dyn core::error::Error + Send + Sync>> {
        let coordinator = self.coordinator()?;
        let members = self.members(0..count);
        let plan = coordinator.plan_key(&members, threshold).await?;
        Ok(coordinator.carry_out(&plan, None).await?)
    }

    /// The network's manifests as its nodes serve them.
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub async fn chain(
        &self,
        coordinator: &Coordinator,
        known: &VerifiedManifest,
    ) -> Result<Chain, CeremonyError> {
        let urls: Vec<String> = self.nodes.iter().map(NetworkNode::url).collect();
        coordinator.chain(&urls, &known.network()).await
    }
}

impl core::fmt::Debug for NodeNetwork {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("NodeNetwork")
            .field("nodes", &self.nodes)
            .finish_non_exhaustive()
    }
}

fn node_error(error: impl core::error::Error + Send + Sync + 'static) -> TestkitError {
    TestkitError::Node(Box::new(error))
}
