//! One node: its state, the verifiers, and where time and randomness come from.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, SeedableRng};
use trefoil_protocol::bytes::AuthKey;
use trefoil_protocol::ceremony::{
    ActivateRequest, CeremonyStatus, DealRequest, FinishRequest, FinishResponse, HoldRequest,
    HoldResponse, NodeMessage, PlanRequest, PlanResponse, SignRequest,
};
use trefoil_protocol::social::{
    ManifestSignature, NodeKey, NodeSecrets, NodeSecretsError, SignedManifest, VerifiedManifest,
};
use trefoil_server_kit::Recent;
use trefoil_store::{MemoryNodeStore, MemorySlotStore, NodeSlotStore, NodeStore};
use zeroize::Zeroizing;

use crate::ceremony::{self, CeremonyError, CeremonyPolicy};
use crate::clock::Clock;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::serving::Serving;
use crate::slots::{PermitConfig, Permits, SlotKeeper};
use crate::state::{Keeper, NodeState, StateError};
use crate::verifier::IdTokenVerifier;

/// Seconds for which the previous epoch is answered, unless set otherwise.
const DEFAULT_OVERLAP: u64 = 3600;

/// A node that is ready to answer; [`Node::router`] puts it on HTTP.
pub struct Node {
    pub(crate) keeper: Keeper,
    serving: RwLock<Arc<Serving>>,
    /// One change at a time within this process; the store tells processes apart.
    turn: tokio::sync::Mutex<()>,
    policy: CeremonyPolicy,
    overlap: u64,
    pub(crate) verifier: IdTokenVerifier,
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) readiness: Recent<bool>,
    random: Mutex<Box<dyn CryptoRng + Send>>,
    pub(crate) slots: SlotKeeper,
    pub(crate) permits: Permits,
}

impl Node {
    /// A node with whatever its store holds: nothing yet, where no ceremony has given it a share.
    ///
    /// # Errors
    /// [`StateError`] where the state cannot be read, or belongs to another key.
    pub async fn open(
        store: Arc<dyn NodeStore>,
        key: NodeKey,
        verifier: IdTokenVerifier,
        clock: Clock,
        random: impl CryptoRng + Send + 'static,
    ) -> Result<Self, StateError> {
        let keeper = Keeper::new(store, key);
        let (state, version) = keeper.load().await?;
        Self::with(keeper, (&state, version), verifier, clock, random)
    }

    /// A node of a dealt network, for development: it keeps what ceremonies give it in memory only.
    ///
    /// # Errors
    /// [`NodeSecretsError`] where the manifest names other keys for this node.
    pub fn new(
        secrets: NodeSecrets,
        manifest: &VerifiedManifest,
        verifier: IdTokenVerifier,
        clock: Clock,
        mut random: impl CryptoRng + Send + 'static,
    ) -> Result<Self, NodeSecretsError> {
        secrets.check_against(manifest)?;
        let state = NodeState::dealt(&secrets, manifest);
        let store = MemoryNodeStore::holding(secrets.key().seal(&state.expose_json(), &mut random));
        let keeper = Keeper::new(Arc::new(store), secrets.key());
        // Made just now of what was checked.
        Self::with(keeper, (&state, Some(1)), verifier, clock, random)
            .map_err(|_| NodeSecretsError::WrongKeys(secrets.index()))
    }

    fn with(
        keeper: Keeper,
        (state, version): (&NodeState, Option<u64>),
        verifier: IdTokenVerifier,
        clock: Clock,
        random: impl CryptoRng + Send + 'static,
    ) -> Result<Self, StateError> {
        let metrics = Metrics::new(verifier.key_fetches());
        let serving = Serving::of(state, version, keeper.key())?;
        metrics.set_epoch(serving.newest(clock.now()).unwrap_or(0));
        Ok(Self {
            serving: RwLock::new(Arc::new(serving)),
            slots: SlotKeeper::new(Arc::new(MemorySlotStore::default()), keeper.key().clone()),
            permits: Permits::default(),
            keeper,
            turn: tokio::sync::Mutex::default(),
            policy: CeremonyPolicy::default(),
            overlap: DEFAULT_OVERLAP,
            verifier,
            clock,
            limits: Limits::none(),
            metrics,
            readiness: Recent::default(),
            random: Mutex::new(Box::new(random)),
        })
    }

    /// Whose plans it follows; nobody's unless set.
    #[must_use]
    pub fn with_policy(mut self, policy: CeremonyPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Where its slots are kept, in memory unless set, and whose permits it takes them on, nobody's unless set.
    #[must_use]
    pub fn with_slots(mut self, store: Arc<dyn NodeSlotStore>, permits: Vec<PermitConfig>) -> Self {
        self.slots = SlotKeeper::new(store, self.slots.key().clone());
        self.permits = Permits::new(permits);
        self
    }

    /// Seconds for which clients with the manifest before are still answered, 3600 unless set.
    #[must_use]
    pub const fn with_overlap(mut self, seconds: u64) -> Self {
        self.overlap = seconds;
        self
    }

    /// Takes the share of a dealt network into the store of a node that has none yet.
    ///
    /// # Errors
    /// [`CeremonyError::NetworkExists`] where the store holds a network's manifest already,
    /// [`CeremonyError::OtherKey`] where the share was dealt to another node, and [`CeremonyError::State`].
    pub async fn adopt_dealt(
        &self,
        secrets: &NodeSecrets,
        manifest: &VerifiedManifest,
    ) -> Result<(), CeremonyError> {
        if secrets.key().identity_key() != self.identity_key() {
            return Err(CeremonyError::OtherKey);
        }
        self.change(|state| {
            if !state.manifests.is_empty() {
                return Err(CeremonyError::NetworkExists);
            }
            *state = NodeState::dealt(secrets, manifest);
            Ok(())
        })
        .await
    }

    /// What is answered from now.
    pub(crate) fn serving(&self) -> Arc<Serving> {
        Arc::clone(&self.serving.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The newest epoch in which it answers.
    #[must_use]
    pub fn epoch(&self) -> Option<u32> {
        self.serving().newest(self.clock.now())
    }

    /// By which others know it.
    #[must_use]
    pub fn identity_key(&self) -> AuthKey {
        self.keeper.key().identity_key()
    }

    /// Its place in the newest manifest, and how many nodes there are; none where it has no share of that epoch.
    #[must_use]
    pub fn place(&self) -> Option<(u16, usize)> {
        self.serving().place(self.clock.now())
    }

    /// The epoch of the newest manifest that it serves; 0 for none.
    #[must_use]
    pub fn newest_manifest_epoch(&self) -> u32 {
        self.serving().newest_manifest_epoch()
    }

    /// The newest manifest that it serves.
    #[must_use]
    pub fn manifest(&self) -> Option<SignedManifest> {
        self.serving().manifests().last().cloned()
    }

    /// To be called every few seconds: erases shares whose time is over, and takes in what another process of this node
    /// has stored.
    ///
    /// # Errors
    /// [`StateError`] where the store fails; the next call tries again.
    pub async fn tick(&self) -> Result<(), StateError> {
        let now = self.clock.now();
        self.change(|state| {
            state.erase_due(now);
            Ok(())
        })
        .await
    }

    /// Whether it holds shares of earlier epochs that have no end yet: step 6 of a ceremony did not reach it.
    #[must_use]
    pub fn has_unfinished_epoch(&self) -> bool {
        self.serving().has_unfinished_epoch()
    }

    /// Addresses of the nodes that may know of newer manifests than this one.
    #[must_use]
    pub fn peers(&self) -> Vec<String> {
        self.serving().peers().to_vec()
    }

    /// Step 1 of a ceremony.
    ///
    /// # Errors
    /// [`CeremonyError`], as of all steps.
    pub async fn plan(&self, request: &PlanRequest) -> Result<PlanResponse, CeremonyError> {
        let mut rng = self.rng();
        self.change(|state| {
            ceremony::plan(state, request, self.keeper.key(), &self.policy, &mut rng)
        })
        .await
    }

    /// Step 2.
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub async fn deal(&self, request: &DealRequest) -> Result<NodeMessage, CeremonyError> {
        self.change(|state| ceremony::deal(state, request, self.keeper.key(), &self.policy))
            .await
    }

    /// Step 3.
    ///
    /// # Errors
    /// [`CeremonyError`], naming nodes whose dealings do not fit.
    pub async fn hold(&self, request: &HoldRequest) -> Result<HoldResponse, CeremonyError> {
        self.change(|state| ceremony::hold(state, request, self.keeper.key(), &self.policy))
            .await
    }

    /// Step 4.
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub async fn sign(&self, request: &SignRequest) -> Result<ManifestSignature, CeremonyError> {
        self.change(|state| ceremony::sign(state, request, self.keeper.key(), &self.policy))
            .await
    }

    /// Step 5.
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub async fn activate(
        &self,
        request: &ActivateRequest,
    ) -> Result<Option<NodeMessage>, CeremonyError> {
        let before = self.newest_manifest_epoch();
        let activated = self
            .change(|state| ceremony::activate(state, &request.manifest, self.keeper.key()))
            .await?;
        let now = self.newest_manifest_epoch();
        if now != before {
            tracing::info!(epoch = now, "took a network's next manifest");
        }
        Ok(activated)
    }

    /// Step 6.
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub async fn finish(&self, request: &FinishRequest) -> Result<FinishResponse, CeremonyError> {
        let now = self.clock.now();
        self.change(|state| ceremony::finish(state, request, now, self.overlap))
            .await
    }

    /// Where it stands.
    ///
    /// # Errors
    /// [`CeremonyError::State`].
    pub async fn status(&self) -> Result<CeremonyStatus, CeremonyError> {
        let (state, _) = self.keeper.load().await?;
        ceremony::status(&state, self.keeper.key())
    }

    /// Changes the state, durably, and serves what came of it.
    async fn change<T, E: From<StateError>>(
        &self,
        change: impl FnMut(&mut NodeState) -> Result<T, E>,
    ) -> Result<T, E> {
        let _turn = self.turn.lock().await;
        let mut rng = self.rng();
        let (answer, state, version) = self.keeper.change(&mut rng, change).await?;
        // Verifying the network's whole history again is for changes only.
        if self.serving().is_of(version) {
            return Ok(answer);
        }
        let serving = Arc::new(Serving::of(&state, version, self.keeper.key())?);
        self.metrics
            .set_epoch(serving.newest(self.clock.now()).unwrap_or(0));
        *self.serving.write().unwrap_or_else(PoisonError::into_inner) = serving;
        Ok(answer)
    }

    /// A generator of its own for each answer, so that answers do not wait for each other.
    pub(crate) fn rng(&self) -> ChaCha20Rng {
        let mut seed = Zeroizing::new([0; 32]);
        // Poisoned only where the source panicked; then it panics here too, and nothing is answered.
        self.random
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fill_bytes(seed.as_mut());
        ChaCha20Rng::from_seed(*seed)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("key", self.keeper.key())
            .field("epoch", &self.epoch())
            .field("verifier", &self.verifier)
            .finish_non_exhaustive()
    }
}
