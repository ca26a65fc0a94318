//! Whether a node has signed for the epoch to come: then that ceremony is finished before anything else is begun.

use trefoil_protocol::ceremony::{CeremonyStatus, Held, SignedPlan, VerifiedPlan, check_successor};

use super::hold::Next;
use super::{Chain, Party};

/// What nodes have signed.
pub(super) enum Decided {
    Nothing,
    /// The manifest of this plan.
    This(Next),
    /// The manifest of another plan that follows the same one.
    Other(Box<SignedPlan>),
}

/// Nodes are believed what they can show: a plan, the word of every member in it, and their own signature.
pub(super) fn decided(
    plan: &VerifiedPlan,
    chain: Option<&Chain>,
    statuses: &[(Party, CeremonyStatus)],
) -> Decided {
    let mut other = Decided::Nothing;
    for (party, status) in statuses {
        let Some((signed_plan, decided_plan, next)) = shown(party, chain, status) else {
            continue;
        };
        if decided_plan.ceremony() == plan.ceremony() {
            return Decided::This(next);
        }
        if decided_plan.epoch() == plan.epoch() && decided_plan.previous() == plan.previous() {
            other = Decided::Other(Box::new(signed_plan));
        }
    }
    other
}

fn shown(
    party: &Party,
    chain: Option<&Chain>,
    status: &CeremonyStatus,
) -> Option<(SignedPlan, VerifiedPlan, Next)> {
    let (signed, signed_plan) = status.signed.as_ref().zip(status.plan.as_ref())?;
    let plan = signed_plan.verify().ok()?;
    let manifest = check_successor(&plan, &signed.manifest).ok()?;
    Held::verify_all(&plan, manifest.hash(), &signed.held).ok()?;
    let before = chain.map_or(&manifest, Chain::newest);
    let own = before.place_of(&party.identity_key)?.get() == signed.signature.index;
    let next = Next {
        manifest: signed.manifest.clone(),
        held: signed.held.clone(),
    };
    (own && before.signed_by(&signed.manifest, &signed.signature))
        .then(|| (signed_plan.clone(), plan, next))
}
