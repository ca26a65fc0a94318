//! One node: its key share, the verifiers, and where time and randomness come from.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, SeedableRng};
use trefoil_protocol::social::{NodeSecrets, NodeSecretsError, SignedManifest, VerifiedManifest};
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::ready::Stored;
use crate::verifier::IdTokenVerifier;

/// A node that is ready to answer; [`Node::router`] puts it on HTTP.
pub struct Node {
    pub(crate) secrets: NodeSecrets,
    pub(crate) manifest: SignedManifest,
    pub(crate) verifier: IdTokenVerifier,
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) stored: Option<Stored>,
    random: Mutex<Box<dyn CryptoRng + Send>>,
}

impl Node {
    /// Puts a node together.
    ///
    /// # Errors
    /// [`NodeSecretsError`] where the manifest names other keys for this node.
    pub fn new(
        secrets: NodeSecrets,
        manifest: &VerifiedManifest,
        verifier: IdTokenVerifier,
        clock: Clock,
        random: impl CryptoRng + Send + 'static,
    ) -> Result<Self, NodeSecretsError> {
        secrets.check_against(manifest)?;
        let metrics = Metrics::new(verifier.key_fetches());
        metrics.set_epoch(secrets.epoch());
        Ok(Self {
            secrets,
            manifest: manifest.signed().clone(),
            verifier,
            clock,
            limits: Limits::none(),
            metrics,
            stored: None,
            random: Mutex::new(Box::new(random)),
        })
    }

    /// The manifests of later epochs than this, oldest first.
    pub(crate) fn manifests_after(&self, epoch: u32) -> impl Iterator<Item = SignedManifest> {
        (self.secrets.epoch() > epoch)
            .then(|| self.manifest.clone())
            .into_iter()
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
            .field("secrets", &self.secrets)
            .field("verifier", &self.verifier)
            .finish_non_exhaustive()
    }
}
