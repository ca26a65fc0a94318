//! The bodies of `POST {node}/v1/ceremony/<step>` and `GET {node}/v1/ceremony`.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{NodeMessage, Order, SignedPlan};
use crate::bytes::{AuthKey, Blob, CeremonyId, ManifestHash, NetworkKey};
use crate::social::{ManifestSignature, SignedManifest};

/// Bytes of a request or an answer at most.
pub const MAX_CEREMONY_BODY: usize = 8 * 1024 * 1024;

/// Step 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// What is to be done.
    pub plan: SignedPlan,
    /// Every manifest since the first, for nodes that are new to the network. Empty where a key is made.
    pub manifests: Vec<SignedManifest>,
}

/// Answer to step 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanResponse {
    /// A [`super::Join`]; none from a node that is no member to come.
    pub join: Option<NodeMessage>,
}

/// Step 2; answered by a [`super::Dealing`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DealRequest {
    /// That the coordinator asks.
    pub(super) order: Order,
    /// Which ceremony.
    pub ceremony: CeremonyId,
    /// Of every member.
    pub joins: Vec<NodeMessage>,
}

/// Step 3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldRequest {
    /// That the coordinator asks.
    pub(super) order: Order,
    /// Which ceremony.
    pub ceremony: CeremonyId,
    /// Of every member.
    pub joins: Vec<NodeMessage>,
    /// Of exactly `T` nodes of the committee before; where a key is made, of every member.
    pub dealings: Vec<NodeMessage>,
}

/// Answer to step 3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldResponse {
    /// The manifest that follows; every member works out the same bytes.
    pub manifest: Blob,
    /// A [`super::Held`].
    pub held: NodeMessage,
}

/// Step 4; answered by a [`ManifestSignature`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignRequest {
    /// That the coordinator asks.
    pub(super) order: Order,
    /// Which ceremony.
    pub ceremony: CeremonyId,
    /// The manifest that follows.
    pub manifest: Blob,
    /// Of every member.
    pub held: Vec<NodeMessage>,
}

/// Step 5; answered by a [`super::Active`], or `null` by a node that is no member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivateRequest {
    /// Signed by a quorum.
    pub manifest: SignedManifest,
}

/// Step 6.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinishRequest {
    /// Of every member.
    pub active: Vec<NodeMessage>,
}

/// Answer to step 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinishResponse {
    /// Unix second at which the shares of earlier epochs are erased; none where there are none.
    pub erase_at: Option<u64>,
}

/// Where a node stands. Says nothing secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CeremonyStatus {
    /// By which the node is known.
    pub identity_key: AuthKey,
    /// Its network, once there is one.
    pub network: Option<NetworkKey>,
    /// The newest manifest that it serves.
    pub manifest: Option<ManifestHash>,
    /// The epochs of which it holds shares.
    pub epochs: Vec<u32>,
    /// The plan that it follows, until the next epoch is active.
    pub plan: Option<SignedPlan>,
    /// The manifest that it signed for the next epoch: no other will be.
    pub signed: Option<SignedNext>,
    /// "I serve": its [`super::Active`] for the newest manifest.
    pub active: Option<NodeMessage>,
}

/// A manifest that a node of the committee before has signed, with what it takes for others to do so too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedNext {
    /// The manifest.
    pub manifest: Blob,
    /// That every member holds its share.
    pub held: Vec<NodeMessage>,
    /// This node's own.
    pub signature: ManifestSignature,
}
