//! Step 1: taking a plan.

use rand_core::CryptoRng;
use trefoil_protocol::ceremony::{Join, PlanRequest, PlanResponse, VerifiedPlan};
use trefoil_protocol::social::{ManifestChain, NodeKey, SignedManifest};

use super::activate::take;
use super::{CeremonyError, CeremonyPolicy, hpke_seed, keygen};
use crate::state::{Ceremony, NodeState, Secret, hpke_key};

pub(crate) fn plan(
    state: &mut NodeState,
    request: &PlanRequest,
    key: &NodeKey,
    policy: &CeremonyPolicy,
    rng: &mut impl CryptoRng,
) -> Result<PlanResponse, CeremonyError> {
    let plan = request.plan.verify()?;
    // Before anything is verified that takes long: anybody can sign plans.
    if !policy.knows(&plan) {
        return Err(CeremonyError::Refused);
    }
    if plan.is_key_generation() {
        // The ceremony may be repeated until its manifest is there.
        if !state.manifests.is_empty() {
            return Err(CeremonyError::NetworkExists);
        }
    } else {
        learn_manifests(state, &plan, &request.manifests)?;
    }
    let current = state.current()?;
    match &current {
        Some(current) => plan.check_follows(current)?,
        None if plan.is_key_generation() => {}
        None => return Err(CeremonyError::NotAMember),
    }
    // By its bytes and not by who signed them: signed again by somebody else, an approved plan does not begin anew.
    let under_way = state.ceremony.as_ref();
    let known = under_way
        .and_then(|under_way| under_way.plan.verify().ok())
        .is_some_and(|known| known.ceremony() == plan.ceremony());
    if !known {
        if !policy.allows(&plan, current.as_ref(), !state.epochs.is_empty()) {
            return Err(CeremonyError::Refused);
        }
        let place = plan.place_of(&key.identity_key());
        if let Some(own) = place.and_then(|index| plan.node(index.get()))
            && !policy.is_own(&own.url)
        {
            return Err(CeremonyError::OtherAddress(own.url.clone()));
        }
        if state.signed.is_some() {
            return Err(CeremonyError::Decided);
        }
        state.ceremony = Some(Ceremony {
            plan: request.plan.clone(),
            seed: Secret::random(rng),
            joins: None,
        });
    }
    join(state, &plan, key)
}

/// A node that is new to the network takes its manifests; one that missed some catches up.
fn learn_manifests(
    state: &mut NodeState,
    plan: &VerifiedPlan,
    manifests: &[SignedManifest],
) -> Result<(), CeremonyError> {
    let mut newest = match state.current()? {
        Some(current) => current,
        None => {
            let (first, network) = manifests
                .first()
                .zip(plan.network())
                .ok_or(CeremonyError::NotAMember)?;
            let verified = first.verify_first(&network)?;
            take(state, first);
            verified
        }
    };
    for manifest in manifests {
        let chain = ManifestChain::new([manifest.clone()]);
        if let Some(next) = newest.follow(&chain)? {
            take(state, manifest);
            newest = next;
        }
    }
    Ok(())
}

fn join(
    state: &NodeState,
    plan: &VerifiedPlan,
    key: &NodeKey,
) -> Result<PlanResponse, CeremonyError> {
    let ceremony = state
        .ceremony
        .as_ref()
        .ok_or(CeremonyError::OtherCeremony)?;
    let Some(index) = plan.place_of(&key.identity_key()) else {
        return Ok(PlanResponse { join: None });
    };
    let package = plan
        .is_key_generation()
        .then(|| keygen::first_round(plan, index, &ceremony.seed).map(|first| first.package))
        .transpose()?;
    let seed = hpke_seed(&ceremony.seed);
    let join = Join::sign(
        plan.ceremony(),
        index.get(),
        hpke_key(&seed),
        package,
        key.identity(),
    );
    Ok(PlanResponse { join: Some(join) })
}
