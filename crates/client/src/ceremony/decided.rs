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

/// Nodes are believed what they can show: a plan, the word of every member in it, and their own signature. Where they have
/// signed different manifests, the one that most have signed is nearest to its quorum.
pub(super) fn decided(
    plan: &VerifiedPlan,
    chain: Option<&Chain>,
    statuses: &[(Party, CeremonyStatus)],
) -> Decided {
    let all: Vec<_> = statuses
        .iter()
        .filter_map(|(party, status)| shown(party, chain, status))
        .collect();
    let votes = |next: &Next| {
        all.iter()
            .filter(|(_, _, other)| other.manifest == next.manifest)
            .count()
    };
    let this = all
        .iter()
        .filter(|(_, shown, _)| shown.ceremony() == plan.ceremony())
        .max_by_key(|(_, _, next)| votes(next));
    let other = all
        .iter()
        .filter(|(_, shown, _)| {
            shown.ceremony() != plan.ceremony()
                && shown.epoch() == plan.epoch()
                && shown.previous() == plan.previous()
        })
        .max_by_key(|(_, _, next)| votes(next));
    match (this, other) {
        (Some((_, _, this)), None) => Decided::This(this.clone()),
        (Some((_, _, this)), Some((_, _, other))) if votes(this) >= votes(other) => {
            Decided::This(this.clone())
        }
        (_, Some((signed_plan, ..))) => Decided::Other(Box::new(signed_plan.clone())),
        (None, None) => Decided::Nothing,
    }
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
