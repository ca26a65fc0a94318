//! Step 3: checking what was dealt, and keeping the new share.

use std::collections::BTreeMap;

use trefoil_protocol::bytes::NetworkKey;
use trefoil_protocol::ceremony::{
    Dealing, Held, HoldRequest, HoldResponse, Joins, MessageError, VerifiedPlan, check_successor,
    successor,
};
use trefoil_protocol::seal::hpke::EnvelopePrivateKey;
use trefoil_protocol::social::{
    Commitments, GroupKey, KeyShare, NodeIndex, NodeKey, Resharing, SubShare, VerifiedManifest,
    VerifyingShare,
};

use super::{CeremonyError, CeremonyPolicy, fix_joins, hpke_seed, keygen, ordered};
use crate::state::{EpochShare, HeldShare, NodeState, Secret, hash_of};

/// Manifests to come for which a node holds a share, at most. None may be dropped before one of them is signed: others
/// count on it. So there is room for as many ceremonies as may fail in years.
const MAX_HELD: usize = 1024;

pub(crate) fn hold(
    state: &mut NodeState,
    request: &HoldRequest,
    key: &NodeKey,
    policy: &CeremonyPolicy,
) -> Result<HoldResponse, CeremonyError> {
    let (plan, ceremony) = ordered(state, request.ceremony, policy, request.asked_by())?;
    let index = plan
        .place_of(&key.identity_key())
        .ok_or(CeremonyError::NotAMember)?;
    let joins = fix_joins(state, &plan, &request.joins)?;
    let current = state.current()?;
    let dealer_key = |dealer: u16| match &current {
        Some(current) => current.node(dealer).map(|node| node.identity_key),
        None => plan.node(dealer).map(|node| node.identity_key),
    };
    let mut dealings: Vec<Dealing> = Vec::with_capacity(request.dealings.len());
    for message in &request.dealings {
        let dealing = Dealing::verify(message, &plan, &joins, dealer_key)?;
        if dealings
            .iter()
            .any(|known| known.dealer() == dealing.dealer())
        {
            return Err(MessageError::Twice(dealing.dealer()).into());
        }
        dealings.push(dealing);
    }
    let hpke_seed = hpke_seed(&ceremony.seed);
    let hpke = EnvelopePrivateKey::derive(hpke_seed.expose_secret());
    let Received {
        share,
        group_key,
        verifying_shares,
    } = match &current {
        Some(current) => receive(&plan, index, current, &dealings, &hpke)?,
        None => generate(&plan, index, &ceremony.seed, &joins, &dealings, &hpke)?,
    };
    let network = NetworkKey::from_bytes(*group_key.as_bytes());
    let manifest = successor(&plan, &joins, network, &verifying_shares);
    // What is signed in the end must verify: better that it fails here.
    check_successor(&plan, &manifest)?;
    let hash = hash_of(&manifest);
    if state.held_for(hash).is_none() {
        if state.held.len() >= MAX_HELD {
            return Err(CeremonyError::TooManyHeld);
        }
        state.held.push(HeldShare {
            manifest: hash,
            share: EpochShare {
                epoch: plan.epoch(),
                index: index.get(),
                share: Secret::new(&share.expose_secret()),
                hpke_seed,
            },
        });
    }
    Ok(HoldResponse {
        manifest,
        held: Held::sign(index.get(), hash, key.identity()),
    })
}

struct Received {
    share: KeyShare,
    group_key: GroupKey,
    /// In the order of the places.
    verifying_shares: Vec<VerifyingShare>,
}

fn generate(
    plan: &VerifiedPlan,
    index: NodeIndex,
    seed: &Secret,
    joins: &Joins,
    dealings: &[Dealing],
    hpke: &EnvelopePrivateKey,
) -> Result<Received, CeremonyError> {
    let missing = plan.nodes().iter().find(|node| {
        !dealings
            .iter()
            .any(|dealing| dealing.dealer() == node.index)
    });
    if let Some(node) = missing {
        return Err(MessageError::Missing(node.index).into());
    }
    let generated = keygen::third_round(plan, index, seed, joins, dealings, hpke)?;
    Ok(Received {
        share: generated.share,
        group_key: generated.group_key,
        verifying_shares: generated.verifying_shares,
    })
}

fn receive(
    plan: &VerifiedPlan,
    index: NodeIndex,
    current: &VerifiedManifest,
    dealings: &[Dealing],
    hpke: &EnvelopePrivateKey,
) -> Result<Received, CeremonyError> {
    let mut commitments = Vec::new();
    let mut sub_shares = BTreeMap::new();
    let mut bad = Vec::new();
    for dealing in dealings {
        let dealer = NodeIndex::new(dealing.dealer())
            .map_err(|_| MessageError::UnknownNode(dealing.dealer()))?;
        let published = dealing.commitments.iter().map(|bytes| bytes.as_bytes());
        match Commitments::from_bytes(published) {
            Ok(published) => commitments.push((dealer, published)),
            Err(_) => bad.push(dealing.dealer()),
        }
        // What does not open is found missing below.
        let opened = dealing.open(index.get(), hpke).ok();
        let scalar = opened.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
        if let Some(sub_share) = scalar.and_then(|bytes| SubShare::from_bytes(&bytes).ok()) {
            sub_shares.insert(dealer, sub_share);
        }
    }
    if !bad.is_empty() {
        return Err(CeremonyError::BadDealing(bad));
    }
    let resharing = Resharing::new(current.committee(), plan.threshold(), commitments)?;
    let share = resharing.receive(index, &sub_shares)?;
    let verifying_shares = plan
        .indices()
        .map(|place| resharing.verifying_share(place))
        .collect::<Result<_, _>>()?;
    Ok(Received {
        share,
        group_key: *resharing.group_key(),
        verifying_shares,
    })
}
