//! A trusted dealer (Shamir 1979): for development and tests. In production nodes generate the key among themselves
//! and no one ever holds it.

use alloc::vec::Vec;
use core::fmt;

use curve25519_dalek::Scalar;
use curve25519_dalek::ristretto::RistrettoPoint;
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::element::{Element, ScalarError, key_from_bytes};
use crate::index::NodeIndex;
use crate::keys::{GroupKey, KeyShare, VerifyingShare};
use crate::polynomial::Polynomial;
use crate::reshare::Commitments;

/// The whole key of a network. Only a dealer holds one.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey(Scalar);

/// What a dealer hands out. The shares go to their nodes, one each; the rest is public.
#[derive(Debug, Clone)]
pub struct Dealing {
    /// The network's public key.
    pub group_key: GroupKey,
    /// One for each node, in the order of the indices 1 to `count`.
    pub verifying_shares: Vec<VerifyingShare>,
    /// One for each node, in the same order.
    pub shares: Vec<KeyShare>,
}

/// A network cannot be dealt like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DealError {
    /// The threshold is 0 or above the number of nodes.
    #[error("a threshold of {threshold} does not fit {count} nodes: choose one from 1 to {count}")]
    Threshold {
        /// Answers that were to be needed.
        threshold: u16,
        /// Nodes that were to be dealt to.
        count: u16,
    },
    /// A share or the key came out as zero.
    #[error("the random source gives no random numbers: a key came out as zero")]
    BrokenRandomness,
}

/// Makes a fresh master key, splits it and forgets it. `1 <= threshold <= count`.
///
/// # Errors
/// [`DealError`] for a threshold that does not fit and for a random source that returns nothing but zeros.
pub fn deal(threshold: u16, count: u16, rng: &mut impl CryptoRng) -> Result<Dealing, DealError> {
    MasterKey::random(rng).split(threshold, count, rng)
}

impl MasterKey {
    /// A uniform key.
    #[must_use]
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        Self(Scalar::random(rng))
    }

    /// Decodes a 32-byte little-endian scalar.
    ///
    /// # Errors
    /// [`ScalarError`] for zero and for bytes that are not below the group order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, ScalarError> {
        key_from_bytes(bytes).map(Self)
    }

    /// Splits the key as [`Self::split`] does and gives the polynomial's commitments in place of the verifying shares, which
    /// [`Commitments::committee`] computes from them.
    ///
    /// # Errors
    /// As [`deal`].
    pub fn split_committed(
        &self,
        threshold: u16,
        count: u16,
        rng: &mut impl CryptoRng,
    ) -> Result<(Commitments, Vec<KeyShare>), DealError> {
        let (polynomial, shares) = self.polynomial_and_shares(threshold, count, rng)?;
        let commitments = Commitments::of(&polynomial).ok_or(DealError::BrokenRandomness)?;
        Ok((commitments, shares))
    }

    /// Splits the key with a uniform polynomial of degree `threshold - 1`; node `i` of 1 to `count` gets `f(i)`.
    ///
    /// # Errors
    /// As [`deal`].
    pub fn split(
        &self,
        threshold: u16,
        count: u16,
        rng: &mut impl CryptoRng,
    ) -> Result<Dealing, DealError> {
        let (_, shares) = self.polynomial_and_shares(threshold, count, rng)?;
        let group = Element::from_point(RistrettoPoint::mul_base(&self.0))
            .ok_or(DealError::BrokenRandomness)?;
        Ok(Dealing {
            group_key: GroupKey::new(group),
            verifying_shares: shares
                .iter()
                .map(|share| *share.verifying_share())
                .collect(),
            shares,
        })
    }

    fn polynomial_and_shares(
        &self,
        threshold: u16,
        count: u16,
        rng: &mut impl CryptoRng,
    ) -> Result<(Polynomial, Vec<KeyShare>), DealError> {
        if threshold == 0 || threshold > count {
            return Err(DealError::Threshold { threshold, count });
        }
        let polynomial = Polynomial::random(&self.0, threshold, rng);
        let shares = (1..=count).map(|index| {
            let index = NodeIndex::new(index).map_err(|_| DealError::BrokenRandomness)?;
            let value = polynomial.at(index);
            KeyShare::new(index, &value).ok_or(DealError::BrokenRandomness)
        });
        let shares = shares.collect::<Result<Vec<_>, _>>()?;
        Ok((polynomial, shares))
    }

    pub(crate) const fn scalar(&self) -> &Scalar {
        &self.0
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(redacted)")
    }
}
