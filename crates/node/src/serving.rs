//! What a node answers from: the stored state, taken apart once and not at every login.

use trefoil_protocol::social::{NodeKey, NodeSecrets, SignedManifest};

use crate::state::{Erase, NodeState, StateError, ended};

/// Replaced as a whole whenever the state changes.
pub(crate) struct Serving {
    /// Of the stored state; none where nothing was ever stored.
    version: Option<u64>,
    manifests: Vec<SignedManifest>,
    /// The epochs of the manifests, at the same places.
    epochs: Vec<u32>,
    shares: Vec<NodeSecrets>,
    /// Nodes of the newest manifest.
    members: usize,
    erase: Vec<Erase>,
    peers: Vec<String>,
}

impl Serving {
    pub(crate) fn of(
        state: &NodeState,
        version: Option<u64>,
        key: &NodeKey,
    ) -> Result<Self, StateError> {
        let verified = state
            .manifests
            .iter()
            .map(SignedManifest::trust_pinned)
            .collect::<Result<Vec<_>, _>>()?;
        let shares = verified.last().map(|current| {
            let shares = state.epochs.iter();
            shares
                .map(|share| share.secrets(current, key).ok_or(StateError::Form))
                .collect::<Result<Vec<_>, _>>()
        });
        let planned = state
            .ceremony
            .as_ref()
            .and_then(|under_way| under_way.plan.verify().ok());
        let mut peers: Vec<String> = verified
            .last()
            .iter()
            .flat_map(|current| current.nodes())
            .map(|node| node.url.clone())
            .chain(
                planned
                    .iter()
                    .flat_map(|plan| plan.nodes())
                    .map(|node| node.url.clone()),
            )
            .collect();
        peers.sort_unstable();
        peers.dedup();
        Ok(Self {
            version,
            manifests: state.manifests.clone(),
            epochs: verified.iter().map(|manifest| manifest.epoch()).collect(),
            members: verified.last().map_or(0, |current| current.nodes().len()),
            shares: shares.transpose()?.unwrap_or_default(),
            erase: state.erase.clone(),
            peers,
        })
    }

    /// Whether it was made of this version of the stored state.
    pub(crate) fn is_of(&self, version: Option<u64>) -> bool {
        self.version == version
    }

    /// Every manifest since the first, oldest first.
    pub(crate) fn manifests(&self) -> &[SignedManifest] {
        &self.manifests
    }

    /// The manifests of later epochs than this, oldest first.
    pub(crate) fn manifests_after(&self, epoch: u32) -> impl Iterator<Item = SignedManifest> {
        let all = self.manifests.iter().zip(&self.epochs);
        all.filter(move |(_, of)| **of > epoch)
            .map(|(manifest, _)| manifest.clone())
    }

    pub(crate) fn newest_manifest_epoch(&self) -> u32 {
        self.epochs.last().copied().unwrap_or(0)
    }

    /// This node's place in the newest manifest, among how many.
    pub(crate) fn place(&self, now: u64) -> Option<(u16, usize)> {
        let share = self.share(self.newest_manifest_epoch(), now)?;
        Some((share.index().get(), self.members))
    }

    /// The share of an epoch, as long as that epoch lasts.
    pub(crate) fn share(&self, epoch: u32, now: u64) -> Option<&NodeSecrets> {
        let mut shares = self.lasting(now);
        shares.find(|share| share.epoch() == epoch)
    }

    /// The newest epoch in which this node answers.
    pub(crate) fn newest(&self, now: u64) -> Option<u32> {
        self.lasting(now).map(NodeSecrets::epoch).max()
    }

    pub(crate) fn has_unfinished_epoch(&self) -> bool {
        let newest = self.newest_manifest_epoch();
        let earlier = self.shares.iter().any(|share| share.epoch() < newest);
        earlier && !self.erase.iter().any(|erase| erase.below == newest)
    }

    pub(crate) fn peers(&self) -> &[String] {
        &self.peers
    }

    /// A share whose time is over is not used even before it is erased.
    pub(crate) fn lasting(&self, now: u64) -> impl Iterator<Item = &NodeSecrets> {
        let below = ended(&self.erase, now);
        self.shares
            .iter()
            .filter(move |share| share.epoch() >= below)
    }
}
