//! What a node must not lose: the network's manifests, its shares, and how far a ceremony is.

mod keeper;
mod secret;

use serde::{Deserialize, Serialize};
use trefoil_protocol::bytes::{Blob, EnvelopeKey, ManifestHash, TranscriptHash};
use trefoil_protocol::ceremony::{SignedNext, SignedPlan};
use trefoil_protocol::social::{
    KeyShare, ManifestError, NodeIndex, NodeKey, NodeSecrets, SignedManifest, VerifiedManifest,
};

pub(crate) use keeper::Keeper;
pub use keeper::StateError;
pub(crate) use secret::Secret;

const VERSION: u32 = 1;

/// Everything, as it is sealed into the store.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeState {
    version: u32,
    /// Every manifest since the first, oldest first: each was verified when it came.
    pub(crate) manifests: Vec<SignedManifest>,
    /// The shares of the epochs in which this node answers, oldest first.
    pub(crate) epochs: Vec<EpochShare>,
    /// When earlier epochs end: one entry for each epoch that was finished and whose time is to come.
    pub(crate) erase: Vec<Erase>,
    /// Shares of the epoch to come, one for each manifest of which this node said that it holds its share.
    pub(crate) held: Vec<HeldShare>,
    /// The ceremony that is under way.
    pub(crate) ceremony: Option<Ceremony>,
    /// The one manifest that this node signed for the epoch to come.
    pub(crate) signed: Option<SignedNext>,
}

/// A share with the seed of the key that it was sealed to.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EpochShare {
    pub(crate) epoch: u32,
    pub(crate) index: u16,
    pub(crate) share: Secret,
    pub(crate) hpke_seed: Secret,
}

/// A share that is not in use yet.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeldShare {
    pub(crate) manifest: ManifestHash,
    pub(crate) share: EpochShare,
}

/// The shares of epochs below `below` go at unix second `at`.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Erase {
    pub(crate) at: u64,
    pub(crate) below: u32,
}

/// A ceremony under way. All that this node says in it follows from the seed and from what others said, so that it says
/// the same after a restart.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ceremony {
    pub(crate) plan: SignedPlan,
    pub(crate) seed: Secret,
    /// The joins that this node has seen; it will take no others.
    pub(crate) joins: Option<TranscriptHash>,
}

impl NodeState {
    /// Of a node that no network knows yet.
    pub(crate) const fn new() -> Self {
        Self {
            version: VERSION,
            manifests: Vec::new(),
            epochs: Vec::new(),
            erase: Vec::new(),
            held: Vec::new(),
            ceremony: None,
            signed: None,
        }
    }

    /// Of a node whose share a dealer made.
    pub(crate) fn dealt(secrets: &NodeSecrets, manifest: &VerifiedManifest) -> Self {
        Self {
            manifests: vec![manifest.signed().clone()],
            epochs: vec![EpochShare::of(secrets)],
            ..Self::new()
        }
    }

    /// The newest manifest.
    pub(crate) fn current(&self) -> Result<Option<VerifiedManifest>, ManifestError> {
        self.manifests
            .last()
            .map(SignedManifest::trust_pinned)
            .transpose()
    }

    /// This node's share of an epoch.
    pub(crate) fn share_of(&self, epoch: u32) -> Option<&EpochShare> {
        self.epochs.iter().find(|share| share.epoch == epoch)
    }

    /// The share that goes with a manifest to come.
    pub(crate) fn held_for(&self, manifest: ManifestHash) -> Option<&HeldShare> {
        self.held.iter().find(|held| held.manifest == manifest)
    }

    /// Takes in the next manifest; what was for the epoch to come is over.
    pub(crate) fn append(&mut self, manifest: SignedManifest) {
        self.manifests.push(manifest);
        self.held.clear();
        self.ceremony = None;
        self.signed = None;
    }

    /// Erases what is due. Whether anything was.
    pub(crate) fn erase_due(&mut self, now: u64) -> bool {
        let below = ended(&self.erase, now);
        if below == 0 {
            return false;
        }
        self.epochs.retain(|share| share.epoch >= below);
        self.erase.retain(|erase| erase.below > below);
        true
    }

    pub(crate) const fn is_known_version(&self) -> bool {
        self.version == VERSION
    }
}

/// The epochs below this one are over; 0 where none is.
pub(crate) fn ended(erase: &[Erase], now: u64) -> u32 {
    let due = erase.iter().filter(|erase| erase.at <= now);
    due.map(|erase| erase.below).max().unwrap_or(0)
}

impl EpochShare {
    pub(crate) fn of(secrets: &NodeSecrets) -> Self {
        Self {
            epoch: secrets.epoch(),
            index: secrets.index().get(),
            share: Secret::new(&secrets.share().expose_secret()),
            hpke_seed: Secret::new(secrets.expose_hpke_seed()),
        }
    }

    /// `None` where what was stored is no share: it was one when it was stored.
    pub(crate) fn key_share(&self) -> Option<KeyShare> {
        let index = NodeIndex::new(self.index).ok()?;
        KeyShare::from_bytes(index, self.share.expose_secret()).ok()
    }

    /// With all that a node answers with.
    pub(crate) fn secrets(
        &self,
        manifest: &VerifiedManifest,
        key: &NodeKey,
    ) -> Option<NodeSecrets> {
        Some(NodeSecrets::from_parts(
            manifest.network(),
            self.epoch,
            self.key_share()?,
            self.hpke_seed.expose_secret(),
            key,
        ))
    }
}

/// SHA-256 of exact manifest bytes.
pub(crate) fn hash_of(manifest: &Blob) -> ManifestHash {
    let unsigned = SignedManifest {
        manifest: manifest.clone(),
        signatures: Vec::new(),
    };
    unsigned.hash()
}

/// The public half of a seed to which a share is sealed.
pub(crate) fn hpke_key(seed: &Secret) -> EnvelopeKey {
    trefoil_protocol::seal::hpke::EnvelopePrivateKey::derive(seed.expose_secret()).public()
}
