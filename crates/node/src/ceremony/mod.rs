//! A node's part in making and moving the network's key: one file per step, each a function of the stored state, the
//! request, time and randomness. See [`trefoil_protocol::ceremony`].

mod activate;
mod deal;
mod error;
mod finish;
mod hold;
mod keygen;
mod plan;
mod policy;
mod routes;
mod sign;
mod status;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sha2::{Digest, Sha256};
use trefoil_protocol::bytes::{AuthKey, CeremonyId};
use trefoil_protocol::ceremony::{Joins, NodeMessage, VerifiedPlan};
use trefoil_protocol::sign::BadSignature;
use zeroize::Zeroizing;

use crate::state::{Ceremony, NodeState, Secret};

pub(crate) use activate::activate;
pub(crate) use deal::deal;
pub use error::CeremonyError;
pub(crate) use finish::finish;
pub(crate) use hold::hold;
pub(crate) use plan::plan;
pub use policy::{CeremonyPolicy, Trust};
pub(crate) use routes::routes;
pub(crate) use sign::sign;
pub(crate) use status::status;

/// The ceremony under way, if it is the one that is meant.
fn under_way(
    state: &NodeState,
    ceremony: CeremonyId,
) -> Result<(VerifiedPlan, Ceremony), CeremonyError> {
    let under_way = state.ceremony.clone().ok_or(CeremonyError::OtherCeremony)?;
    let plan = under_way.plan.verify()?;
    if plan.ceremony() != ceremony {
        return Err(CeremonyError::OtherCeremony);
    }
    Ok((plan, under_way))
}

/// The same, where a coordinator asks who may.
fn ordered(
    state: &NodeState,
    ceremony: CeremonyId,
    policy: &CeremonyPolicy,
    asked_by: Result<AuthKey, BadSignature>,
) -> Result<(VerifiedPlan, Ceremony), CeremonyError> {
    let (plan, under_way) = under_way(state, ceremony)?;
    match asked_by {
        Ok(key) if policy.may_lead(&plan, &key) => Ok((plan, under_way)),
        _ => Err(CeremonyError::NotTheCoordinator),
    }
}

/// Verifies the joins of all members. The first that are seen are the only ones: who is shown other joins than the rest
/// deals and holds nothing.
fn fix_joins(
    state: &mut NodeState,
    plan: &VerifiedPlan,
    messages: &[NodeMessage],
) -> Result<Joins, CeremonyError> {
    let joins = Joins::verify(plan, messages)?;
    let ceremony = state
        .ceremony
        .as_mut()
        .ok_or(CeremonyError::OtherCeremony)?;
    match ceremony.joins {
        Some(seen) if seen != joins.hash() => Err(CeremonyError::OtherJoins),
        _ => {
            ceremony.joins = Some(joins.hash());
            Ok(joins)
        }
    }
}

/// A random stream for one purpose of one ceremony: the same again after a restart.
fn stream(seed: &Secret, purpose: &str, context: &[u8]) -> ChaCha20Rng {
    let mut hash = Sha256::new();
    hash.update(b"trefoil/v1/ceremony/stream\0");
    hash.update(purpose.as_bytes());
    hash.update(b"\0");
    hash.update(seed.expose_secret());
    hash.update(context);
    let seed: Zeroizing<[u8; 32]> = Zeroizing::new(hash.finalize().into());
    ChaCha20Rng::from_seed(*seed)
}

/// The seed of the key to which this node's new share is sealed.
fn hpke_seed(seed: &Secret) -> Secret {
    Secret::random(&mut stream(seed, "hpke", b""))
}
