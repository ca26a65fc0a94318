//! Where this node stands, for whoever carries a ceremony on.

use trefoil_protocol::ceremony::CeremonyStatus;
use trefoil_protocol::social::{NodeKey, VerifiedManifest};

use super::CeremonyError;
use super::activate::receipt;
use crate::state::NodeState;

pub(crate) fn status(state: &NodeState, key: &NodeKey) -> Result<CeremonyStatus, CeremonyError> {
    let current = state.current()?;
    Ok(CeremonyStatus {
        identity_key: key.identity_key(),
        network: current.as_ref().map(VerifiedManifest::network),
        manifest: current.as_ref().map(VerifiedManifest::hash),
        epochs: state.epochs.iter().map(|share| share.epoch).collect(),
        plan: state
            .ceremony
            .as_ref()
            .map(|under_way| under_way.plan.clone()),
        signed: state.signed.clone(),
        active: receipt(state, key)?,
    })
}
