//! Step 5: serving the epoch of a manifest that a quorum signed, beside the one before.

use trefoil_protocol::ceremony::{Active, NodeMessage};
use trefoil_protocol::social::{ManifestError, NodeKey, SignedManifest, VerifiedManifest};

use super::CeremonyError;
use crate::state::NodeState;

/// `None` from a node that is no member of the new committee, or has lost what it held for it.
pub(crate) fn activate(
    state: &mut NodeState,
    manifest: &SignedManifest,
    key: &NodeKey,
) -> Result<Option<NodeMessage>, CeremonyError> {
    if let Some(current) = state.current()? {
        if current.signed().manifest != manifest.manifest {
            // Whether the shares lie on one polynomial takes long to see: not for what no node signed.
            let mut signatures = manifest.signatures.iter().take(current.nodes().len());
            if !signatures.any(|signature| current.signed_by(&manifest.manifest, signature)) {
                let needed = current.quorum();
                return Err(ManifestError::TooFewSignatures { needed, given: 0 }.into());
            }
            current.verify_next(manifest)?;
            take(state, manifest);
        }
    } else {
        // A first manifest is taken by those who made its key, and by nobody else.
        if state.held_for(manifest.hash()).is_none() {
            return Err(CeremonyError::NotAMember);
        }
        let network = manifest.trust_pinned()?.network();
        manifest.verify_first(&network)?;
        take(state, manifest);
    }
    receipt(state, key)
}

/// Takes in a manifest that was verified, with the share that was held for it.
pub(super) fn take(state: &mut NodeState, manifest: &SignedManifest) {
    let held = state
        .held_for(manifest.hash())
        .map(|held| held.share.clone());
    state.append(manifest.clone());
    state.epochs.extend(held);
}

/// This node's word that it serves the newest manifest.
pub(super) fn receipt(
    state: &NodeState,
    key: &NodeKey,
) -> Result<Option<NodeMessage>, CeremonyError> {
    let Some(current) = state.current()? else {
        return Ok(None);
    };
    Ok(serving(state, &current).map(|index| Active::sign(index, current.hash(), key.identity())))
}

/// This node's place in the manifest, if it holds the share that the manifest names.
fn serving(state: &NodeState, current: &VerifiedManifest) -> Option<u16> {
    let share = state.share_of(current.epoch())?;
    let public = current
        .committee()
        .verifying_share(share.key_share()?.index())?;
    (share.key_share()?.verifying_share() == public).then_some(share.index)
}
