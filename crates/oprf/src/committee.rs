//! The public side of a network: who its nodes are, checked to share one key.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use curve25519_dalek::Scalar;
use curve25519_dalek::ristretto::RistrettoPoint;

use crate::index::NodeIndex;
use crate::keys::{GroupKey, VerifyingShare};
use crate::lagrange;

/// Committees above this size are refused without a search for the nodes to blame: the search is cubic.
const MAX_BLAME: usize = 32;

/// The nodes of one epoch: verifying shares known to lie on one polynomial through the group key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committee {
    group_key: GroupKey,
    threshold: u16,
    epoch: u32,
    shares: BTreeMap<NodeIndex, VerifyingShare>,
}

/// These public keys are not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitteeError {
    /// The threshold is 0 or above the number of nodes.
    #[error("a threshold of {threshold} does not fit {nodes} nodes")]
    Threshold {
        /// Answers that are needed.
        threshold: u16,
        /// Nodes that are named.
        nodes: usize,
    },
    /// One index twice.
    #[error("node {0} is named twice")]
    DuplicateIndex(NodeIndex),
    /// The shares do not lie on one polynomial of degree `T - 1` through the group key.
    #[error(
        "the nodes' verifying shares do not belong to one key (to blame, where that can be told: {liars:?})"
    )]
    Inconsistent {
        /// The nodes whose shares do not fit; empty where too many are wrong to tell.
        liars: Vec<NodeIndex>,
    },
}

impl Committee {
    /// Checks a network's public keys.
    ///
    /// # Errors
    /// As [`check_verifying_shares`].
    pub fn new(
        group_key: GroupKey,
        threshold: u16,
        epoch: u32,
        shares: &[VerifyingShare],
    ) -> Result<Self, CommitteeError> {
        check_verifying_shares(&group_key, threshold, shares)?;
        let shares = shares.iter().map(|share| (share.index(), *share)).collect();
        Ok(Self {
            group_key,
            threshold,
            epoch,
            shares,
        })
    }

    /// Of shares that were computed from one polynomial: nothing is left to check about where they lie.
    pub(crate) fn on_one_polynomial(
        group_key: GroupKey,
        threshold: u16,
        epoch: u32,
        shares: &[VerifyingShare],
    ) -> Result<Self, CommitteeError> {
        let nodes = shares.len();
        if threshold == 0 || usize::from(threshold) > nodes {
            return Err(CommitteeError::Threshold { threshold, nodes });
        }
        let mut by_index = BTreeMap::new();
        for share in shares {
            if by_index.insert(share.index(), *share).is_some() {
                return Err(CommitteeError::DuplicateIndex(share.index()));
            }
        }
        Ok(Self {
            group_key,
            threshold,
            epoch,
            shares: by_index,
        })
    }

    /// The network's public key.
    #[must_use]
    pub const fn group_key(&self) -> &GroupKey {
        &self.group_key
    }

    /// Answers that are needed.
    #[must_use]
    pub const fn threshold(&self) -> u16 {
        self.threshold
    }

    /// The epoch of the shares.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The public half of the share of the node at `index`, if there is one.
    #[must_use]
    pub fn verifying_share(&self, index: NodeIndex) -> Option<&VerifyingShare> {
        self.shares.get(&index)
    }

    /// The nodes, in the order of their indices.
    pub fn indices(&self) -> impl Iterator<Item = NodeIndex> {
        self.shares.keys().copied()
    }
}

/// Checks that all shares lie on one polynomial of degree `threshold - 1` whose value at zero is the group key.
///
/// # Errors
/// [`CommitteeError`] for a threshold that does not fit, an index twice, or shares off the polynomial; those are
/// named where at most `(N - T + 1) / 2` of them make the answer unique and `N` is at most 32.
pub fn check_verifying_shares(
    group_key: &GroupKey,
    threshold: u16,
    shares: &[VerifyingShare],
) -> Result<(), CommitteeError> {
    let nodes = shares.len();
    if threshold == 0 || usize::from(threshold) > nodes {
        return Err(CommitteeError::Threshold { threshold, nodes });
    }
    let mut points = BTreeMap::new();
    for share in shares {
        if points
            .insert(share.index(), *share.element().point())
            .is_some()
        {
            return Err(CommitteeError::DuplicateIndex(share.index()));
        }
    }
    let points: Vec<_> = points.into_iter().collect();
    let reference = usize::from(threshold) - 1;
    let off = |start: usize| {
        let mut window = points.iter().cycle().skip(start).take(nodes);
        let through: Vec<_> = core::iter::once((Scalar::ZERO, *group_key.element().point()))
            .chain(
                window
                    .by_ref()
                    .take(reference)
                    .map(|(index, point)| (index.scalar(), *point)),
            )
            .collect();
        window
            .filter(|(index, point)| !lies_on(&through, *index, point))
            .map(|(index, _)| *index)
            .collect::<Vec<_>>()
    };
    if off(0).is_empty() {
        return Ok(());
    }
    // Two polynomials through the group key share at most T - 2 further points, so at most one of them misses this
    // few: whoever is off it is to blame. Runs of T - 1 neighbours are tried as the honest ones.
    let unique = (nodes - reference) / 2;
    let starts = if nodes <= MAX_BLAME { 0..nodes } else { 0..0 };
    let mut liars = starts
        .map(off)
        .find(|off| off.len() <= unique)
        .unwrap_or_default();
    liars.sort_unstable();
    Err(CommitteeError::Inconsistent { liars })
}

fn lies_on(through: &[(Scalar, RistrettoPoint)], index: NodeIndex, point: &RistrettoPoint) -> bool {
    lagrange::interpolate(through, &index.scalar()) == *point
}
