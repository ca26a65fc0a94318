//! Step 2: dealing the old share, or the second round of a key generation.

use trefoil_protocol::bytes::NodeShareKey;
use trefoil_protocol::ceremony::{DealRequest, Dealing, DealtShares, NodeMessage, VerifiedPlan};
use trefoil_protocol::social::{NodeIndex, NodeKey};
use zeroize::Zeroizing;

use super::{CeremonyError, CeremonyPolicy, fix_joins, keygen, ordered, stream};
use crate::state::{NodeState, Secret};

pub(crate) fn deal(
    state: &mut NodeState,
    request: &DealRequest,
    key: &NodeKey,
    policy: &CeremonyPolicy,
) -> Result<NodeMessage, CeremonyError> {
    let (plan, ceremony) = ordered(state, request.ceremony, policy, request.asked_by())?;
    let joins = fix_joins(state, &plan, &request.joins)?;
    let seed = &ceremony.seed;
    let (dealer, commitments, sub_shares) = if plan.is_key_generation() {
        let index = plan
            .place_of(&key.identity_key())
            .ok_or(CeremonyError::NotAMember)?;
        let packages = keygen::second_round(&plan, index, seed, &joins)?;
        (index, Vec::new(), packages)
    } else {
        deal_share(state, &plan, key, seed)?
    };
    let dealt = DealtShares {
        dealer: dealer.get(),
        commitments,
        sub_shares: &sub_shares,
    };
    // Other joins get another stream: one key must not seal two messages.
    let mut rng = stream(seed, "seal", joins.hash().as_bytes());
    Ok(Dealing::seal(
        &plan,
        &joins,
        dealt,
        key.identity(),
        &mut rng,
    )?)
}

type Dealt = (NodeIndex, Vec<NodeShareKey>, Vec<Zeroizing<Vec<u8>>>);

fn deal_share(
    state: &NodeState,
    plan: &VerifiedPlan,
    key: &NodeKey,
    seed: &Secret,
) -> Result<Dealt, CeremonyError> {
    let current = state.current()?.ok_or(CeremonyError::NotAMember)?;
    let share = current
        .place_of(&key.identity_key())
        .and(state.share_of(current.epoch()))
        .and_then(|share| share.key_share())
        .ok_or(CeremonyError::NotAMember)?;
    let places: Vec<NodeIndex> = plan.indices().collect();
    let mut rng = stream(seed, "deal", b"");
    let dealing = share.deal(plan.threshold(), &places, &mut rng)?;
    let commitments = dealing.commitments.to_bytes();
    let commitments = commitments
        .map(|bytes| NodeShareKey::from_bytes(*bytes))
        .collect();
    let sub_shares = dealing.sub_shares.iter();
    let sub_shares = sub_shares
        .map(|sub_share| Zeroizing::new(sub_share.expose_secret().to_vec()))
        .collect();
    Ok((share.index(), commitments, sub_shares))
}
