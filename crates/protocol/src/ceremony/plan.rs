//! Who is to hold the network's key next.

use alloc::string::String;
use alloc::vec::Vec;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use trefoil_oprf::NodeIndex;

use super::message::VERSION;
use crate::bytes::{AuthKey, Blob, CeremonyId, ManifestHash, NetworkKey, Signature};
use crate::kdf::sha256;
use crate::sign::AuthPrivateKey;
use crate::social::{MAX_NODES, VerifiedManifest, is_base_url};
use crate::versioned;

const LABEL: &str = "ceremony/plan";
const MAX_PLAN: usize = 64 * 1024;

/// The next committee, as written; nothing about it is checked yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// 1.
    pub version: u32,
    /// Random, so that no two plans are the same.
    pub id: CeremonyId,
    /// The network whose key moves; none where a key is to be made.
    pub network: Option<NetworkKey>,
    /// Hash of the manifest that the next one follows; none where a key is to be made.
    pub previous: Option<ManifestHash>,
    /// The epoch to come: 1 where a key is to be made.
    pub epoch: u32,
    /// Answers that will be needed, at least 2.
    pub threshold: u16,
    /// The members to come, with the indices 1, 2, … in order.
    pub nodes: Vec<PlanNode>,
}

/// One member to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanNode {
    /// Its place in the new committee.
    pub index: u16,
    /// Base URL without a trailing slash: HTTPS, or HTTP to this machine.
    pub url: String,
    /// By which it is known.
    pub identity_key: AuthKey,
}

/// A plan's exact bytes, signed by a coordinator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedPlan {
    /// JSON of a [`Plan`], byte for byte as signed.
    pub plan: Blob,
    /// The coordinator, whom nodes are told to take plans from.
    pub coordinator: AuthKey,
    /// By the coordinator.
    pub signature: Signature,
}

/// A plan that can be carried out, if the nodes agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedPlan {
    plan: Plan,
    ceremony: CeremonyId,
    coordinator: AuthKey,
}

/// Why a plan cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Over-long, or not JSON of the expected form; an unknown field is refused too.
    #[error("the plan is not of the expected form")]
    Malformed,
    /// A version this software does not know.
    #[error("the plan has version {0}, which this software does not know: update it")]
    UnknownVersion(u32),
    /// The coordinator's signature does not hold.
    #[error("the plan was not signed by the coordinator that it names")]
    BadSignature,
    /// Fewer than 2 answers, or more than there are nodes.
    #[error("a threshold of {threshold} does not fit {nodes} nodes: choose one from 2 to {nodes}")]
    Threshold {
        /// Answers that were to be needed.
        threshold: u16,
        /// Nodes that are named.
        nodes: usize,
    },
    /// More than [`MAX_NODES`].
    #[error("a network has at most {MAX_NODES} nodes")]
    TooManyNodes,
    /// The indices are not 1, 2, … in order.
    #[error("the plan's nodes must have the indices 1, 2, ... in order")]
    Indices,
    /// Not a base URL that may be called.
    #[error(
        "the address of node {0} is not https (or http on this machine) without a slash at the end"
    )]
    Url(u16),
    /// A URL or an identity key twice.
    #[error("node {0} has the URL or the identity key of another: each node stands in one place")]
    DuplicateNode(u16),
    /// The epoch, the network and the manifest before do not go together.
    #[error("the plan's epoch, network and previous manifest do not go together")]
    History,
    /// Follows another manifest than the one at hand.
    #[error("the plan follows another manifest than the current one, of epoch {current}")]
    Stale {
        /// The epoch of the manifest at hand.
        current: u32,
    },
}

impl Plan {
    /// A plan for a new network's key, or for the key of the network of `previous`.
    #[must_use]
    pub fn new(
        previous: Option<&VerifiedManifest>,
        threshold: u16,
        nodes: impl IntoIterator<Item = (String, AuthKey)>,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let mut id = [0; 32];
        rng.fill_bytes(&mut id);
        let nodes = (1..).zip(nodes);
        Self {
            version: VERSION,
            id: CeremonyId::from_bytes(id),
            network: previous.map(VerifiedManifest::network),
            previous: previous.map(VerifiedManifest::hash),
            epoch: previous
                .map_or(0, VerifiedManifest::epoch)
                .saturating_add(1),
            threshold,
            nodes: nodes
                .map(|(index, (url, identity_key))| PlanNode {
                    index,
                    url,
                    identity_key,
                })
                .collect(),
        }
    }

    /// Serialises and signs.
    #[must_use]
    pub fn sign(&self, coordinator: &AuthPrivateKey) -> SignedPlan {
        // Strings, numbers and lists only: serialising them cannot fail.
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        SignedPlan {
            coordinator: coordinator.auth_key(),
            signature: coordinator.sign(LABEL, &bytes),
            plan: Blob::new(bytes),
        }
    }

    fn check(&self) -> Result<(), PlanError> {
        let nodes = self.nodes.len();
        if nodes > MAX_NODES {
            return Err(PlanError::TooManyNodes);
        }
        if self.threshold < 2 || usize::from(self.threshold) > nodes {
            let threshold = self.threshold;
            return Err(PlanError::Threshold { threshold, nodes });
        }
        if !(1..)
            .zip(&self.nodes)
            .all(|(index, node)| node.index == index)
        {
            return Err(PlanError::Indices);
        }
        for (i, node) in self.nodes.iter().enumerate() {
            if !is_base_url(&node.url) {
                return Err(PlanError::Url(node.index));
            }
            let same =
                |other: &PlanNode| other.url == node.url || other.identity_key == node.identity_key;
            if self.nodes.iter().take(i).any(same) {
                return Err(PlanError::DuplicateNode(node.index));
            }
        }
        let first = self.epoch == 1;
        if self.epoch == 0 || first != self.previous.is_none() || first != self.network.is_none() {
            return Err(PlanError::History);
        }
        Ok(())
    }
}

impl SignedPlan {
    /// Checks form, signature, and that there can be such a committee. Whether the coordinator may be followed is up to
    /// each node.
    ///
    /// # Errors
    /// [`PlanError`], one per kind of fault.
    pub fn verify(&self) -> Result<VerifiedPlan, PlanError> {
        let bytes = self.plan.as_bytes();
        if bytes.len() > MAX_PLAN {
            return Err(PlanError::Malformed);
        }
        self.coordinator
            .verify(LABEL, bytes, &self.signature)
            .map_err(|_| PlanError::BadSignature)?;
        let plan: Plan = versioned::read(bytes, VERSION)
            .map_err(|unread| unread.into_error(PlanError::Malformed, PlanError::UnknownVersion))?;
        plan.check()?;
        Ok(VerifiedPlan {
            plan,
            ceremony: CeremonyId::from_bytes(sha256(&[bytes])),
            coordinator: self.coordinator,
        })
    }
}

impl VerifiedPlan {
    /// Names the ceremony: SHA-256 of the exact plan bytes.
    #[must_use]
    pub const fn ceremony(&self) -> CeremonyId {
        self.ceremony
    }

    /// Who signed it.
    #[must_use]
    pub const fn coordinator(&self) -> AuthKey {
        self.coordinator
    }

    /// The epoch to come.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.plan.epoch
    }

    /// Answers that will be needed.
    #[must_use]
    pub const fn threshold(&self) -> u16 {
        self.plan.threshold
    }

    /// The members to come, in the order of their indices.
    #[must_use]
    pub fn nodes(&self) -> &[PlanNode] {
        &self.plan.nodes
    }

    /// The network whose key moves; none where a key is to be made.
    #[must_use]
    pub const fn network(&self) -> Option<NetworkKey> {
        self.plan.network
    }

    /// Whether a key is to be made.
    #[must_use]
    pub const fn is_key_generation(&self) -> bool {
        self.plan.network.is_none()
    }

    /// Hash of the manifest that the next one follows.
    #[must_use]
    pub const fn previous(&self) -> Option<ManifestHash> {
        self.plan.previous
    }

    /// The places of the members to come.
    pub fn indices(&self) -> impl Iterator<Item = NodeIndex> {
        let places = self.plan.nodes.iter();
        places.filter_map(|node| NodeIndex::new(node.index).ok())
    }

    /// The member at a place.
    #[must_use]
    pub fn node(&self, index: u16) -> Option<&PlanNode> {
        self.plan.nodes.iter().find(|node| node.index == index)
    }

    /// The place of whoever has this identity key.
    #[must_use]
    pub fn place_of(&self, identity: &AuthKey) -> Option<NodeIndex> {
        let node = self
            .plan
            .nodes
            .iter()
            .find(|node| node.identity_key == *identity)?;
        NodeIndex::new(node.index).ok()
    }

    pub(super) fn key_of(&self, index: u16) -> Option<AuthKey> {
        self.node(index).map(|node| node.identity_key)
    }

    /// Whether the plan follows this manifest.
    ///
    /// # Errors
    /// [`PlanError::Stale`].
    pub fn check_follows(&self, current: &VerifiedManifest) -> Result<(), PlanError> {
        let follows = self.plan.previous == Some(current.hash())
            && self.plan.network == Some(current.network())
            && current.epoch().checked_add(1) == Some(self.plan.epoch);
        if follows {
            Ok(())
        } else {
            Err(PlanError::Stale {
                current: current.epoch(),
            })
        }
    }

    /// Whether the nodes and the threshold stay as they are in this manifest: nobody new gets a share.
    #[must_use]
    pub fn is_refresh_of(&self, current: &VerifiedManifest) -> bool {
        let known = |node: &PlanNode| {
            current.nodes().iter().any(|old| {
                old.identity_key == node.identity_key
                    && old.index.get() == node.index
                    && old.url == node.url
            })
        };
        self.plan.threshold == current.threshold()
            && self.plan.nodes.len() == current.nodes().len()
            && self.plan.nodes.iter().all(known)
    }
}
