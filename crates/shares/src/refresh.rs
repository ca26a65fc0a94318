//! Proactive refresh: new shares of the same secret without bringing the secret together.

use alloc::vec::Vec;
use core::fmt;

use k256::{ProjectivePoint, Scalar};
use rand_core::CryptoRng;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::commitments::{Commitments, normalize};
use crate::index::Threshold;
use crate::point::PublicPoint;
use crate::polynomial::Coefficients;
use crate::share::Share;

/// Why commitments were not refreshed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// The refresh was made for another threshold.
    #[error(
        "this refresh is for a threshold of {refresh}, the sharing has {sharing}; changing it needs a new split"
    )]
    Threshold {
        /// Of the refresh.
        refresh: u32,
        /// Of the sharing.
        sharing: u32,
    },
    /// A refreshed commitment is the identity: the refresh undoes the polynomial it is added to.
    #[error("the refresh cancels the sharing's own polynomial; make a new refresh")]
    Cancels,
}

/// A random polynomial `d` with `d(0) = 0`, to be added to a sharing: `f + d` has the same secret, and its shares do
/// not combine with those of `f` (Herzberg, Jarecki, Krawczyk and Yung 1995).
///
/// Whoever holds it and a share knows the refreshed share. Wiped on drop; `Debug` shows the threshold only.
#[derive(Clone, ZeroizeOnDrop)]
pub struct Refresh {
    coefficients: Coefficients,
    /// `d_j * G` for `j` from 1; `d_0 * G` is the identity.
    #[zeroize(skip)]
    points: Vec<PublicPoint>,
    #[zeroize(skip)]
    threshold: Threshold,
}

impl Refresh {
    /// A new random one for sharings with this threshold.
    pub fn generate<R: CryptoRng + ?Sized>(threshold: Threshold, rng: &mut R) -> Self {
        loop {
            let coefficients = Coefficients::random(&Scalar::ZERO, threshold, rng);
            if let Ok(points) = Commitments::commit(coefficients.random_part()) {
                return Self {
                    coefficients,
                    points,
                    threshold,
                };
            }
        }
    }

    /// The share of the next epoch for the holder of `share`.
    #[must_use]
    pub fn share(&self, share: &Share) -> Share {
        let change = self.coefficients.share_at(share.index());
        let value = Zeroizing::new(Scalar::add(share.value(), change.value()));
        Share::from_scalar(share.index(), &value)
    }

    /// The commitments of the next epoch.
    ///
    /// # Errors
    /// [`RefreshError`] for another threshold.
    pub fn commitments(&self, commitments: &Commitments) -> Result<Commitments, RefreshError> {
        if commitments.threshold() != self.threshold {
            return Err(RefreshError::Threshold {
                refresh: self.threshold.get(),
                sharing: commitments.threshold().get(),
            });
        }
        let others = commitments.points().iter().skip(1).zip(&self.points);
        let sums = others
            .map(|(old, change)| ProjectivePoint::from(*old.as_affine()) + change.as_affine());
        let mut points = alloc::vec![commitments.secret_point()];
        points.extend(normalize(&sums.collect::<Vec<_>>()).map_err(|_| RefreshError::Cancels)?);
        Commitments::from_points(points).map_err(|_| RefreshError::Cancels)
    }
}

impl fmt::Debug for Refresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Refresh {{ threshold: {}, coefficients: [redacted] }}",
            self.threshold
        )
    }
}
