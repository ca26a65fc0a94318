//! Step 4: signing the manifest to come, once for an epoch, and only when every member holds its share.

use trefoil_protocol::ceremony::{Held, SignRequest, SignedNext, check_successor};
use trefoil_protocol::social::{ManifestSignature, NodeKey};

use super::{CeremonyError, CeremonyPolicy, ordered};
use crate::state::NodeState;

pub(crate) fn sign(
    state: &mut NodeState,
    request: &SignRequest,
    key: &NodeKey,
    policy: &CeremonyPolicy,
) -> Result<ManifestSignature, CeremonyError> {
    let (plan, _) = ordered(state, request.ceremony, policy, request.asked_by())?;
    // The nodes of the manifest before sign; a first one is signed by its own.
    let place = match state.current()? {
        Some(current) => current.place_of(&key.identity_key()),
        None => plan.place_of(&key.identity_key()),
    };
    let index = place.ok_or(CeremonyError::NotAMember)?.get();
    if let Some(signed) = &state.signed {
        return if signed.manifest == request.manifest {
            Ok(signed.signature.clone())
        } else {
            Err(CeremonyError::Decided)
        };
    }
    let manifest = check_successor(&plan, &request.manifest)?;
    Held::verify_all(&plan, manifest.hash(), &request.held)?;
    let signature = ManifestSignature::sign(index, &request.manifest, key.identity());
    state.signed = Some(SignedNext {
        manifest: request.manifest.clone(),
        held: request.held.clone(),
        signature: signature.clone(),
    });
    Ok(signature)
}
