//! Moving a key from one committee to another without ever having it in one place (Desmedt and Jajodia 1997, with
//! Feldman's commitments). The committees may be the same: that is a refresh, after which old shares fit nothing.
//!
//! 1. At least `T` old nodes deal their share as if it were a key: [`KeyShare::deal`].
//! 2. Everybody takes the same `T` dealers: [`Resharing::new`] checks that each dealt the share that its old verifying
//!    share stands for.
//! 3. Each new node checks its sub-shares and adds them up with Lagrange's weights: [`Resharing::receive`]. Whose
//!    sub-share does not fit is named.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use curve25519_dalek::Scalar;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use rand_core::CryptoRng;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::committee::{Committee, CommitteeError};
use crate::element::{Element, ElementError, ScalarError, scalar_from_bytes};
use crate::index::NodeIndex;
use crate::keys::{GroupKey, KeyShare, VerifyingShare};
use crate::lagrange;
use crate::polynomial::Polynomial;

/// What one old node deals. Each sub-share goes to its node alone; the commitments are public.
#[derive(Debug)]
pub struct ShareDealing {
    /// To the dealer's polynomial.
    pub commitments: Commitments,
    /// In the order in which the new nodes were named.
    pub sub_shares: Vec<SubShare>,
}

/// The value of a dealer's polynomial at one new node. As secret as a share.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SubShare(Scalar);

/// Feldman commitments to a dealer's polynomial, constant coefficient first: none is the identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commitments(Vec<Element>);

/// The public side of one resharing: `T` old dealers, each known to have dealt its own old share.
#[derive(Debug, Clone)]
pub struct Resharing {
    group_key: GroupKey,
    /// With each dealer's weight.
    dealers: BTreeMap<NodeIndex, (Scalar, Commitments)>,
}

/// Why shares cannot be moved like this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReshareError {
    /// The threshold is 0 or above the number of new nodes.
    #[error("a threshold of {threshold} does not fit {nodes} nodes: choose one from 1 to {nodes}")]
    Threshold {
        /// Answers that were to be needed.
        threshold: u16,
        /// New nodes.
        nodes: usize,
    },
    /// Not exactly as many dealers as the old threshold.
    #[error("a key is moved by exactly {needed} old nodes, got {given}")]
    Dealers {
        /// The old threshold.
        needed: u16,
        /// Dealers that were given.
        given: usize,
    },
    /// One dealer twice.
    #[error("node {0} dealt twice")]
    DuplicateDealer(NodeIndex),
    /// The old committee has no such node.
    #[error("node {0} has no share to deal")]
    UnknownDealer(NodeIndex),
    /// These dealers did not deal the share that their old verifying share stands for, or with another threshold.
    #[error("nodes {0:?} did not deal their own share: go on without them")]
    ForeignShare(Vec<NodeIndex>),
    /// These dealers gave a sub-share that does not fit their commitments, or none.
    #[error(
        "nodes {0:?} dealt a sub-share that does not fit their commitments: go on without them"
    )]
    BadSubShare(Vec<NodeIndex>),
    /// A key came out as zero: a random source of nothing but zeros.
    #[error("the random source gives no random numbers: a key came out as zero")]
    BrokenRandomness,
}

impl KeyShare {
    /// Deals this share to new nodes, any `threshold` of which can then stand in for it.
    ///
    /// # Errors
    /// [`ReshareError::Threshold`] and [`ReshareError::BrokenRandomness`].
    pub fn deal(
        &self,
        threshold: u16,
        to: &[NodeIndex],
        rng: &mut impl CryptoRng,
    ) -> Result<ShareDealing, ReshareError> {
        if threshold == 0 || usize::from(threshold) > to.len() {
            return Err(ReshareError::Threshold {
                threshold,
                nodes: to.len(),
            });
        }
        let polynomial = Polynomial::random(self.scalar(), threshold, rng);
        Ok(ShareDealing {
            commitments: Commitments::of(&polynomial).ok_or(ReshareError::BrokenRandomness)?,
            sub_shares: to
                .iter()
                .map(|index| SubShare(*polynomial.at(*index)))
                .collect(),
        })
    }
}

impl SubShare {
    /// Decodes a 32-byte little-endian scalar. Zero may occur.
    ///
    /// # Errors
    /// [`ScalarError::NotCanonical`] for bytes that are not below the group order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, ScalarError> {
        scalar_from_bytes(bytes).map(Self)
    }

    /// The scalar's 32 bytes: keep them out of logs, errors and arguments.
    #[must_use]
    pub fn expose_secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }
}

impl Commitments {
    /// Decodes 32 bytes each, constant coefficient first.
    ///
    /// # Errors
    /// [`ElementError`] for the identity and non-canonical bytes.
    pub fn from_bytes<'a>(
        commitments: impl IntoIterator<Item = &'a [u8; 32]>,
    ) -> Result<Self, ElementError> {
        let decoded = commitments.into_iter().map(Element::from_bytes);
        decoded.collect::<Result<_, _>>().map(Self)
    }

    /// The encodings, constant coefficient first.
    pub fn to_bytes(&self) -> impl ExactSizeIterator<Item = &[u8; 32]> {
        self.0.iter().map(Element::as_bytes)
    }

    /// `None` where a coefficient is zero.
    pub(crate) fn of(polynomial: &Polynomial) -> Option<Self> {
        let elements: Option<Vec<_>> = polynomial.commitments().map(Element::from_point).collect();
        elements.map(Self)
    }

    /// How many there are: the threshold.
    #[must_use]
    pub fn threshold(&self) -> usize {
        self.0.len()
    }

    /// The committee of the nodes at `indices` whose key these commit to.
    ///
    /// # Errors
    /// [`CommitteeError::Threshold`] for fewer nodes than commitments, for none of either, and where a share would be zero;
    /// [`CommitteeError::DuplicateIndex`].
    pub fn committee(
        &self,
        epoch: u32,
        indices: impl IntoIterator<Item = NodeIndex>,
    ) -> Result<Committee, CommitteeError> {
        let share =
            |index| Element::from_point(self.at(index)).map(|e| VerifyingShare::new(index, e));
        let shares: Vec<Option<VerifyingShare>> = indices.into_iter().map(share).collect();
        let nodes = shares.len();
        let threshold = u16::try_from(self.0.len()).unwrap_or(u16::MAX);
        let refused = CommitteeError::Threshold { threshold, nodes };
        let group_key = self.0.first().ok_or(refused.clone())?;
        let shares: Option<Vec<VerifyingShare>> = shares.into_iter().collect();
        Committee::on_one_polynomial(
            GroupKey::new(*group_key),
            threshold,
            epoch,
            &shares.ok_or(refused)?,
        )
    }

    /// The public half of what this dealer gives the node at `index`.
    fn at(&self, index: NodeIndex) -> RistrettoPoint {
        let x = index.scalar();
        let powers = core::iter::successors(Some(Scalar::ONE), |power| Some(power * x));
        let powers: Vec<Scalar> = powers.take(self.0.len()).collect();
        RistrettoPoint::vartime_multiscalar_mul(&powers, self.0.iter().map(Element::point))
    }
}

impl Resharing {
    /// Checks what exactly `T` nodes of the old committee published for a new one that needs `threshold` answers.
    ///
    /// # Errors
    /// [`ReshareError::Dealers`], [`ReshareError::DuplicateDealer`], [`ReshareError::UnknownDealer`], and
    /// [`ReshareError::ForeignShare`] naming all who are to blame.
    pub fn new(
        old: &Committee,
        threshold: u16,
        dealings: impl IntoIterator<Item = (NodeIndex, Commitments)>,
    ) -> Result<Self, ReshareError> {
        let mut dealt = BTreeMap::new();
        for (dealer, commitments) in dealings {
            if dealt.insert(dealer, commitments).is_some() {
                return Err(ReshareError::DuplicateDealer(dealer));
            }
        }
        let (needed, given) = (old.threshold(), dealt.len());
        if given != usize::from(needed) {
            return Err(ReshareError::Dealers { needed, given });
        }
        let mut foreign = Vec::new();
        for (dealer, Commitments(points)) in &dealt {
            let share = old
                .verifying_share(*dealer)
                .ok_or(ReshareError::UnknownDealer(*dealer))?;
            let own = points.first() == Some(share.element());
            if !own || points.len() != usize::from(threshold) {
                foreign.push(*dealer);
            }
        }
        if !foreign.is_empty() {
            return Err(ReshareError::ForeignShare(foreign));
        }
        let places: Vec<Scalar> = dealt.keys().map(|index| index.scalar()).collect();
        let weights = lagrange::coefficients(&places, &Scalar::ZERO);
        Ok(Self {
            group_key: *old.group_key(),
            dealers: dealt
                .into_iter()
                .zip(weights)
                .map(|((dealer, commitments), weight)| (dealer, (weight, commitments)))
                .collect(),
        })
    }

    /// The network's public key: that of the old committee.
    #[must_use]
    pub const fn group_key(&self) -> &GroupKey {
        &self.group_key
    }

    /// The dealers, in the order of their indices.
    pub fn dealers(&self) -> impl Iterator<Item = NodeIndex> {
        self.dealers.keys().copied()
    }

    /// The public half of the new share of the node at `index`.
    ///
    /// # Errors
    /// [`ReshareError::BrokenRandomness`] for the identity.
    pub fn verifying_share(&self, index: NodeIndex) -> Result<VerifyingShare, ReshareError> {
        let weights = self.dealers.values().map(|(weight, _)| weight);
        let points = self
            .dealers
            .values()
            .map(|(_, commitments)| commitments.at(index));
        let sum = RistrettoPoint::vartime_multiscalar_mul(weights, points);
        Element::from_point(sum)
            .map(|element| VerifyingShare::new(index, element))
            .ok_or(ReshareError::BrokenRandomness)
    }

    /// The new share of the node at `index`, from one sub-share of each dealer.
    ///
    /// # Errors
    /// [`ReshareError::BadSubShare`] naming every dealer whose sub-share is missing or does not fit, and
    /// [`ReshareError::UnknownDealer`] for one too many.
    pub fn receive(
        &self,
        index: NodeIndex,
        sub_shares: &BTreeMap<NodeIndex, SubShare>,
    ) -> Result<KeyShare, ReshareError> {
        if let Some(stray) = sub_shares
            .keys()
            .find(|key| !self.dealers.contains_key(key))
        {
            return Err(ReshareError::UnknownDealer(*stray));
        }
        let mut bad = Vec::new();
        let mut sum = Zeroizing::new(Scalar::ZERO);
        for (dealer, (weight, commitments)) in &self.dealers {
            let fits = |SubShare(value): &&SubShare| {
                RistrettoPoint::mul_base(value) == commitments.at(index)
            };
            match sub_shares.get(dealer).filter(fits) {
                Some(SubShare(value)) => *sum += weight * value,
                None => bad.push(*dealer),
            }
        }
        if !bad.is_empty() {
            return Err(ReshareError::BadSubShare(bad));
        }
        KeyShare::new(index, &sum).ok_or(ReshareError::BrokenRandomness)
    }
}

impl fmt::Debug for SubShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubShare(redacted)")
    }
}

impl ConstantTimeEq for SubShare {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl PartialEq for SubShare {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for SubShare {}
