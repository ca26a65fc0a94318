//! The manifest that a ceremony leads to: every member works out the same bytes.

use trefoil_oprf::VerifyingShare;

use super::{Joins, VerifiedPlan};
use crate::bytes::{Blob, NetworkKey, NodeShareKey};
use crate::social::{Manifest, ManifestError, ManifestNode, SignedManifest, VerifiedManifest};

/// Why a manifest is not the one that a plan leads to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SuccessorError {
    /// It is no manifest of a network.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Other members, threshold, epoch or network than planned.
    #[error("the manifest is not the one that the plan leads to")]
    NotAsPlanned,
}

/// Lays down the manifest: members as planned, with the keys that they joined with and their new verifying shares, in
/// the order of the places.
#[must_use]
pub fn successor(
    plan: &VerifiedPlan,
    joins: &Joins,
    network: NetworkKey,
    shares: &[VerifyingShare],
) -> Blob {
    let members = plan.nodes().iter().zip(joins.iter()).zip(shares);
    Manifest {
        version: 1,
        group_key: network,
        epoch: plan.epoch(),
        previous: plan.previous(),
        ceremony: Some(plan.ceremony()),
        threshold: plan.threshold(),
        nodes: members
            .map(|((node, join), share)| ManifestNode {
                index: node.index,
                url: node.url.clone(),
                verifying_share: NodeShareKey::from_bytes(*share.as_bytes()),
                hpke_key: join.hpke_key,
                identity_key: node.identity_key,
            })
            .collect(),
    }
    .to_blob()
}

/// Checks that a manifest is one that this very plan leads to. Whether it is signed is another question.
///
/// # Errors
/// [`SuccessorError`].
pub fn check_successor(
    plan: &VerifiedPlan,
    manifest: &Blob,
) -> Result<VerifiedManifest, SuccessorError> {
    let unsigned = SignedManifest {
        manifest: manifest.clone(),
        signatures: alloc::vec::Vec::new(),
    };
    let verified = unsigned.trust_pinned()?;
    let planned = verified.ceremony() == Some(plan.ceremony())
        && verified.epoch() == plan.epoch()
        && verified.previous() == plan.previous()
        && verified.threshold() == plan.threshold()
        && plan
            .network()
            .is_none_or(|network| network == verified.network())
        && verified.nodes().len() == plan.nodes().len()
        && verified
            .nodes()
            .iter()
            .zip(plan.nodes())
            .all(|(node, planned)| {
                node.index.get() == planned.index
                    && node.url == planned.url
                    && node.identity_key == planned.identity_key
            });
    if planned {
        Ok(verified)
    } else {
        Err(SuccessorError::NotAsPlanned)
    }
}
