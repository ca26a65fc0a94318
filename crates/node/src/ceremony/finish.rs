//! Step 6: with every member serving the new epoch, the shares of earlier ones get an end.

use trefoil_protocol::ceremony::{Active, FinishRequest, FinishResponse};

use super::CeremonyError;
use crate::state::{Erase, NodeState};

/// `overlap`: seconds for which clients with the manifest before are still answered.
pub(crate) fn finish(
    state: &mut NodeState,
    request: &FinishRequest,
    now: u64,
    overlap: u64,
) -> Result<FinishResponse, CeremonyError> {
    let current = state.current()?.ok_or(CeremonyError::NotAMember)?;
    Active::verify_all(&current, &request.active)?;
    let below = current.epoch();
    if !state.epochs.iter().any(|share| share.epoch < below) {
        return Ok(FinishResponse { erase_at: None });
    }
    // Said again, it changes nothing. Nor does a later epoch put off the end of an earlier one: whoever refreshes often
    // enough could keep old shares for ever.
    let at = match state.erase.iter().find(|erase| erase.below == below) {
        Some(erase) => erase.at,
        None => {
            let at = now.saturating_add(overlap);
            state.erase.push(Erase { at, below });
            at
        }
    };
    Ok(FinishResponse { erase_at: Some(at) })
}
