//! Verified reconstruction: never a wrong secret, and blame where a share is wrong.

use alloc::vec::Vec;

use k256::ProjectivePoint;

use crate::commitments::Commitments;
use crate::index::ShareIndex;
use crate::lagrange::interpolate;
use crate::secret::SharedSecret;
use crate::share::{Share, VerifiedShare};
use crate::split::first_duplicate;

/// Why shares gave no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReconstructError {
    /// Fewer shares than the threshold.
    #[error("{have} of {threshold} shares: {} more needed", .threshold.saturating_sub(*.have))]
    TooFew {
        /// How many distinct shares were given.
        have: u32,
        /// How many are needed.
        threshold: u32,
    },
    /// Two shares have the same index.
    #[error("share {index} was given more than once; give each share once")]
    DuplicateIndex {
        /// The index.
        index: ShareIndex,
    },
    /// Some shares are not of this sharing: damaged, from another epoch, or from another account.
    #[error(
        "shares {} do not belong to this sharing: damaged, of an older epoch, or of another account; \
         {good} of {threshold} needed shares are good",
        List(.bad)
    )]
    BadShares {
        /// The indices of the wrong ones, in the order given.
        bad: Vec<ShareIndex>,
        /// How many of the given shares are good. From `threshold` on, trying again without the bad ones succeeds.
        good: u32,
        /// How many are needed.
        threshold: u32,
    },
    /// The shares agree with each other but not with the commitments: these are of another epoch or account.
    #[error(
        "the shares agree with each other but not with the commitments; \
         fetch the commitments of the shares' own epoch and account"
    )]
    InconsistentCommitments,
}

impl ReconstructError {
    /// The indices of the shares known to be wrong; empty for other errors.
    #[must_use]
    pub fn bad_indices(&self) -> &[ShareIndex] {
        match self {
            Self::BadShares { bad, .. } => bad,
            _ => &[],
        }
    }

    /// How many more good shares are needed.
    #[must_use]
    pub fn missing(&self) -> u32 {
        match self {
            Self::TooFew {
                have: good,
                threshold,
            }
            | Self::BadShares {
                good, threshold, ..
            } => threshold.saturating_sub(*good),
            _ => 0,
        }
    }

    /// Whether trying again without the bad shares succeeds.
    #[must_use]
    pub fn enough_without_bad(&self) -> bool {
        matches!(self, Self::BadShares { good, threshold, .. } if good >= threshold)
    }
}

/// Reconstructs the shared secret from any `t` shares and proves it: the result times `G` is `C_0`.
///
/// Takes the first `t` of the given shares and does one fixed-base multiplication. Only where the proof fails, every
/// given share is checked on its own and the wrong ones are named. Shares beyond the first `t` are not looked at
/// otherwise; the result is proven in any case.
///
/// The proof is of the secret, not of the epoch: `t` shares that all come from one older epoch of the same secret and
/// threshold give that same secret. Mixed with shares of this epoch they are named. [`Commitments::verify`] tells for
/// a single share whether it is of this epoch.
///
/// # Errors
/// [`ReconstructError`]; never a secret other than the committed one.
pub fn reconstruct(
    commitments: &Commitments,
    shares: &[Share],
) -> Result<SharedSecret, ReconstructError> {
    let used = distinct(commitments, shares)?;
    let secret = interpolate(used, 0);
    if ProjectivePoint::mul_by_generator(&secret) != *commitments.secret_point().as_affine() {
        return Err(blame(commitments, shares));
    }
    // C_0 is not the identity, so what matched it is not zero.
    SharedSecret::from_scalar(&secret).map_err(|_| ReconstructError::InconsistentCommitments)
}

/// The share at another index, from any `t` shares, proven against the commitments: gives a new factor its share in
/// the same epoch.
///
/// # Errors
/// As [`reconstruct`].
pub fn interpolate_at(
    commitments: &Commitments,
    shares: &[Share],
    index: ShareIndex,
) -> Result<VerifiedShare, ReconstructError> {
    let used = distinct(commitments, shares)?;
    let share = match used.iter().find(|share| share.index() == index) {
        Some(share) => share.clone(),
        None => Share::from_scalar(index, &interpolate(used, index.get())),
    };
    if !commitments.matches(&share) {
        return Err(blame(commitments, shares));
    }
    Ok(VerifiedShare::vouched(share))
}

/// The first `t` shares, once it is clear that all have different indices and that there are enough.
fn distinct<'a>(
    commitments: &Commitments,
    shares: &'a [Share],
) -> Result<&'a [Share], ReconstructError> {
    if let Some(index) = first_duplicate(shares.iter().map(Share::index).collect()) {
        return Err(ReconstructError::DuplicateIndex { index });
    }
    let threshold = commitments.threshold();
    shares
        .get(..threshold.to_usize())
        .ok_or_else(|| ReconstructError::TooFew {
            have: count(shares.len()),
            threshold: threshold.get(),
        })
}

/// What is wrong, after the proof has failed for shares with distinct indices, at least `t` of them.
fn blame(commitments: &Commitments, shares: &[Share]) -> ReconstructError {
    let wrong = shares.iter().filter(|share| !commitments.matches(share));
    let bad: Vec<ShareIndex> = wrong.map(Share::index).collect();
    let good = shares.len() - bad.len();
    // Were all shares good, the proof could not have failed.
    if bad.is_empty() || (good == 0 && agree(commitments, shares)) {
        return ReconstructError::InconsistentCommitments;
    }
    ReconstructError::BadShares {
        bad,
        good: count(good),
        threshold: commitments.threshold().get(),
    }
}

/// Whether more than `t` shares lie on one polynomial of degree `t - 1`. Any `t` do, so those prove nothing.
fn agree(commitments: &Commitments, shares: &[Share]) -> bool {
    let Some((first, rest)) = shares.split_at_checked(commitments.threshold().to_usize()) else {
        return false;
    };
    !rest.is_empty()
        && rest.iter().all(|share| {
            let expected =
                Share::from_scalar(share.index(), &interpolate(first, share.index().get()));
            expected == *share
        })
}

/// A count of shares with distinct `u32` indices.
fn count(shares: usize) -> u32 {
    u32::try_from(shares).unwrap_or(u32::MAX)
}

/// Indices as `1, 2 and 5`.
struct List<'a>(&'a [ShareIndex]);

impl core::fmt::Display for List<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (position, index) in self.0.iter().enumerate() {
            match position {
                0 => write!(f, "{index}")?,
                last if last + 1 == self.0.len() => write!(f, " and {index}")?,
                _ => write!(f, ", {index}")?,
            }
        }
        Ok(())
    }
}
