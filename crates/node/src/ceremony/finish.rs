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

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use trefoil_protocol::social::deal_network;

    use super::*;
    use crate::state::NodeState;

    #[test]
    fn an_epoch_ends_when_it_was_said_to_whatever_is_finished_later() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let urls: Vec<String> = (1..=3).map(|i| format!("https://n{i}.example")).collect();
        let dealt = deal_network(&urls, 2, &mut rng).unwrap();
        let manifest = dealt.manifest.trust_pinned().unwrap();
        let mut state = NodeState::dealt(&dealt.nodes[0], &manifest);
        let active: Vec<_> = dealt
            .nodes
            .iter()
            .map(|node| Active::sign(node.index().get(), manifest.hash(), &node.identity()))
            .collect();
        let request = FinishRequest { active };
        // Nothing earlier, nothing to erase.
        let said = finish(&mut state, &request, 100, 60).unwrap();
        assert_eq!((said.erase_at, state.erase.len()), (None, 0));

        let mut earlier = state.epochs[0].clone();
        earlier.epoch = 0;
        state.epochs.insert(0, earlier);
        for now in [100, 120, 10_000] {
            let said = finish(&mut state, &request, now, 60).unwrap();
            assert_eq!(said.erase_at, Some(160), "put off at {now}");
        }
        // As if two more epochs had come, finished within the first one's overlap.
        for epoch in [2, 3] {
            let mut later = state.epochs[1].clone();
            later.epoch = epoch;
            state.epochs.push(later);
        }
        state.erase.push(Erase { at: 200, below: 3 });
        let held = |state: &NodeState| -> Vec<u32> {
            state.epochs.iter().map(|share| share.epoch).collect()
        };
        for (now, erased, left) in [
            (159, false, vec![0, 1, 2, 3]),
            (160, true, vec![1, 2, 3]),
            (199, false, vec![1, 2, 3]),
            (200, true, vec![3]),
            (u64::MAX, false, vec![3]),
        ] {
            assert_eq!(state.erase_due(now), erased, "{now}");
            assert_eq!(held(&state), left, "{now}");
        }
        assert!(state.erase.is_empty());
        // One member's word twice is not every member's.
        let mut twice = request.clone();
        twice.active[2] = twice.active[0].clone();
        assert!(finish(&mut state, &twice, 0, 0).is_err());
    }
}
