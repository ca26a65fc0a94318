//! Distributed key generation, bought: FROST's (Komlo and Goldberg 2020, figure 1; Pedersen's with proofs of knowledge)
//! from `frost-ristretto255`. Only bytes cross over, since that crate is of another generation.

use std::collections::BTreeMap;

use frost_ristretto255::keys::dkg::{self, round1, round2};
use frost_ristretto255::{Error, Identifier};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;
use trefoil_protocol::ceremony::{Dealing, Joins, VerifiedPlan};
use trefoil_protocol::seal::hpke::EnvelopePrivateKey;
use trefoil_protocol::social::{GroupKey, KeyShare, NodeIndex, VerifyingShare};
use zeroize::Zeroizing;

use super::{CeremonyError, stream};
use crate::state::Secret;

/// The first round of this member.
pub(super) struct FirstRound {
    secret: round1::SecretPackage,
    /// For all to see, in the join.
    pub(super) package: Vec<u8>,
}

/// What the members end up with.
pub(super) struct Generated {
    pub(super) share: KeyShare,
    pub(super) group_key: GroupKey,
    /// In the order of the places.
    pub(super) verifying_shares: Vec<VerifyingShare>,
}

/// Part 1: the same again for the same seed.
pub(super) fn first_round(
    plan: &VerifiedPlan,
    index: NodeIndex,
    seed: &Secret,
) -> Result<FirstRound, CeremonyError> {
    let members = u16::try_from(plan.nodes().len()).map_err(|_| CeremonyError::KeyGeneration)?;
    let rng = OldRng(stream(seed, "keygen", b""));
    let (secret, package) =
        dkg::part1(identifier(index.get())?, members, plan.threshold(), rng).map_err(blame)?;
    Ok(FirstRound {
        secret,
        package: package.serialize().map_err(blame)?,
    })
}

/// Part 2: what goes to each member, in the order of the places; nothing to itself.
pub(super) fn second_round(
    plan: &VerifiedPlan,
    index: NodeIndex,
    seed: &Secret,
    joins: &Joins,
) -> Result<Vec<Zeroizing<Vec<u8>>>, CeremonyError> {
    let (_, packages) = after_first(plan, index, seed, joins)?;
    plan.nodes()
        .iter()
        .map(|node| match packages.get(&identifier(node.index)?) {
            Some(package) => package.serialize().map(Zeroizing::new).map_err(blame),
            None => Ok(Zeroizing::default()),
        })
        .collect()
}

/// Part 3: this member's share, and everybody's public half.
pub(super) fn third_round(
    plan: &VerifiedPlan,
    index: NodeIndex,
    seed: &Secret,
    joins: &Joins,
    dealings: &[Dealing],
    hpke: &EnvelopePrivateKey,
) -> Result<Generated, CeremonyError> {
    let (secret, _) = after_first(plan, index, seed, joins)?;
    let mut received = BTreeMap::new();
    let mut bad = Vec::new();
    for dealing in dealings
        .iter()
        .filter(|dealing| dealing.dealer() != index.get())
    {
        let opened = dealing.open(index.get(), hpke).ok();
        match opened.and_then(|bytes| round2::Package::deserialize(&bytes).ok()) {
            Some(package) => drop(received.insert(identifier(dealing.dealer())?, package)),
            None => bad.push(dealing.dealer()),
        }
    }
    if !bad.is_empty() {
        return Err(CeremonyError::BadDealing(bad));
    }
    let others = first_packages(joins, index)?;
    let (key, public) = dkg::part3(&secret, &others, &received).map_err(blame)?;
    let array = |bytes: Vec<u8>| {
        let bytes = Zeroizing::new(bytes);
        <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| CeremonyError::KeyGeneration)
    };
    let scalar = Zeroizing::new(array(key.signing_share().serialize())?);
    let group = array(public.verifying_key().serialize().map_err(blame)?)?;
    let verifying_shares = plan
        .nodes()
        .iter()
        .map(|node| {
            let share = public
                .verifying_shares()
                .get(&identifier(node.index)?)
                .ok_or(CeremonyError::KeyGeneration)?;
            let bytes = array(share.serialize().map_err(blame)?)?;
            let place = NodeIndex::new(node.index).map_err(|_| CeremonyError::KeyGeneration)?;
            VerifyingShare::from_bytes(place, &bytes).map_err(|_| CeremonyError::KeyGeneration)
        })
        .collect::<Result<_, _>>()?;
    Ok(Generated {
        share: KeyShare::from_bytes(index, &scalar).map_err(|_| CeremonyError::KeyGeneration)?,
        group_key: GroupKey::from_bytes(&group).map_err(|_| CeremonyError::KeyGeneration)?,
        verifying_shares,
    })
}

type Packages = BTreeMap<Identifier, round2::Package>;

fn after_first(
    plan: &VerifiedPlan,
    index: NodeIndex,
    seed: &Secret,
    joins: &Joins,
) -> Result<(round2::SecretPackage, Packages), CeremonyError> {
    let first = first_round(plan, index, seed)?;
    dkg::part2(first.secret, &first_packages(joins, index)?).map_err(blame)
}

/// Of all members but this one.
fn first_packages(
    joins: &Joins,
    index: NodeIndex,
) -> Result<BTreeMap<Identifier, round1::Package>, CeremonyError> {
    let others = joins.iter().filter(|join| join.index() != index.get());
    others
        .map(|join| {
            let bad = || CeremonyError::BadDealing(vec![join.index()]);
            let bytes = join.package.as_ref().ok_or_else(bad)?;
            let package = round1::Package::deserialize(bytes.as_bytes()).map_err(|_| bad())?;
            Ok((identifier(join.index())?, package))
        })
        .collect()
}

fn identifier(index: u16) -> Result<Identifier, CeremonyError> {
    Identifier::try_from(index).map_err(blame)
}

/// Names whom the library names.
fn blame(error: Error) -> CeremonyError {
    let culprits: Vec<u16> = error.culprits().iter().filter_map(place).collect();
    if culprits.is_empty() {
        CeremonyError::KeyGeneration
    } else {
        CeremonyError::BadDealing(culprits)
    }
}

/// Identifiers are the places as little-endian scalars.
fn place(identifier: &Identifier) -> Option<u16> {
    let bytes = identifier.serialize();
    let (low, high) = bytes.split_first_chunk::<2>()?;
    high.iter()
        .all(|byte| *byte == 0)
        .then(|| u16::from_le_bytes(*low))
}

/// One random source of the current generation, as the one before wants it.
struct OldRng(ChaCha20Rng);

impl rand_core_06::RngCore for OldRng {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, destination: &mut [u8]) {
        self.0.fill_bytes(destination);
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), rand_core_06::Error> {
        self.0.fill_bytes(destination);
        Ok(())
    }
}

impl rand_core_06::CryptoRng for OldRng {}
