//! Splitting a secret into shares.

use alloc::vec::Vec;

use rand_core::CryptoRng;
use vsss_rs::{IdentifierPrimeField, Share as _, WriteableShareSet, shamir};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::commitments::Commitments;
use crate::index::{ShareIndex, Threshold};
use crate::polynomial::{Coefficients, Polynomial, VsssShare};
use crate::secret::SharedSecret;
use crate::share::Share;

/// Why a secret was not split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// Fewer shares than the threshold: nobody could ever reconstruct.
    #[error("{count} shares can never reach the threshold of {threshold}; make at least that many")]
    TooFewShares {
        /// How many were asked for.
        count: usize,
        /// How many reconstruct.
        threshold: u32,
    },
    /// Two shares would sit at the same index and count as one.
    #[error("index {index} was given twice; every share needs an index of its own")]
    DuplicateIndex {
        /// The index.
        index: ShareIndex,
    },
}

/// The outcome of a split.
#[derive(Debug, Clone)]
pub struct Sharing {
    /// One share for each index asked for, in that order.
    pub shares: Vec<Share>,
    /// What anyone can check them against.
    pub commitments: Commitments,
}

/// Splits a secret into shares at the given indices, of which any `threshold` reconstruct it.
///
/// Use [`Polynomial::generate`] instead where further shares of the same epoch may be wanted later on.
///
/// # Errors
/// [`SplitError`] for fewer indices than the threshold and for a repeated index.
pub fn split<R: CryptoRng + ?Sized>(
    secret: &SharedSecret,
    threshold: Threshold,
    indices: &[ShareIndex],
    rng: &mut R,
) -> Result<Sharing, SplitError> {
    check(threshold, indices)?;
    let polynomial = Polynomial::generate(secret, threshold, rng);
    let shares = polynomial.shares_at(indices)?;
    Ok(Sharing {
        shares,
        commitments: polynomial.commitments().clone(),
    })
}

/// Splits a secret into shares at the indices `1 ..= count`.
///
/// # Errors
/// [`SplitError::TooFewShares`] where `count` is below the threshold.
pub fn split_count<R: CryptoRng + ?Sized>(
    secret: &SharedSecret,
    threshold: Threshold,
    count: u32,
    rng: &mut R,
) -> Result<Sharing, SplitError> {
    let indices: Vec<ShareIndex> = (1..=count)
        .filter_map(|index| ShareIndex::new(index).ok())
        .collect();
    split(secret, threshold, &indices, rng)
}

impl Polynomial {
    /// The shares at several indices, in their order.
    ///
    /// # Errors
    /// [`SplitError`] for fewer indices than the threshold and for a repeated index; for single shares there is
    /// [`Polynomial::share_at`].
    pub fn shares_at(&self, indices: &[ShareIndex]) -> Result<Vec<Share>, SplitError> {
        check(self.threshold(), indices)?;
        let identifiers = indices
            .iter()
            .map(|index| IdentifierPrimeField(index.to_scalar()));
        let made = shamir::create_shares_from_polynomial::<Coefficients, VsssShare, ShareSet>(
            self.as_vsss(),
            self.threshold().to_usize(),
            indices.len(),
            identifiers,
        );
        // It refuses only counts, and those were checked above.
        let made = made.map_err(|_| too_few(self.threshold(), indices))?;
        let pairs = indices.iter().zip(&made.0);
        Ok(pairs
            .map(|(index, share)| Share::from_scalar(*index, &share.value().0))
            .collect())
    }
}

fn check(threshold: Threshold, indices: &[ShareIndex]) -> Result<(), SplitError> {
    if indices.len() < threshold.to_usize() {
        return Err(too_few(threshold, indices));
    }
    match first_duplicate(indices.to_vec()) {
        Some(index) => Err(SplitError::DuplicateIndex { index }),
        None => Ok(()),
    }
}

fn too_few(threshold: Threshold, indices: &[ShareIndex]) -> SplitError {
    SplitError::TooFewShares {
        count: indices.len(),
        threshold: threshold.get(),
    }
}

/// The lowest index that occurs more than once.
pub(crate) fn first_duplicate(mut indices: Vec<ShareIndex>) -> Option<ShareIndex> {
    indices.sort_unstable();
    indices.windows(2).find_map(|pair| match pair {
        [a, b] if a == b => Some(*a),
        _ => None,
    })
}

/// Where `vsss-rs` writes shares, wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
struct ShareSet(Vec<VsssShare>);

impl AsRef<[VsssShare]> for ShareSet {
    fn as_ref(&self) -> &[VsssShare] {
        &self.0
    }
}

impl AsMut<[VsssShare]> for ShareSet {
    fn as_mut(&mut self) -> &mut [VsssShare] {
        &mut self.0
    }
}

impl WriteableShareSet<VsssShare> for ShareSet {
    fn create(size_hint: usize) -> Self {
        Self(alloc::vec![VsssShare::default(); size_hint])
    }
}
