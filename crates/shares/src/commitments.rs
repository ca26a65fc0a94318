//! Feldman commitments (Feldman 1987): `C_j = a_j * G` for each coefficient `a_j` of the polynomial.

use alloc::vec::Vec;

use k256::elliptic_curve::BatchNormalize;
use k256::{AffinePoint, ProjectivePoint, Scalar};

use crate::index::{ShareIndex, Threshold};
use crate::point::{PointError, PublicPoint};
use crate::reconstruct::ReconstructError;
use crate::share::{Share, VerifiedShare};

/// Points that are not the commitments of a sharing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitmentsError {
    /// Fewer than two points, or more than `2^32 - 1`.
    #[error("{count} commitments: a sharing has one for each share of its threshold, at least 2")]
    Count {
        /// How many were given.
        count: usize,
    },
    /// One is not a point.
    #[error("commitment {position}: {source}")]
    Point {
        /// Which one, from 0.
        position: usize,
        /// What is wrong with it.
        source: PointError,
    },
}

/// The public commitments of one sharing (one epoch). There are as many as the threshold; the first is the shared
/// secret times `G`.
///
/// Parsing checks that each is a point. Only the caller can know whether they belong to the right wallet: compare
/// [`Commitments::secret_point`] with the public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commitments {
    /// At least two, none the identity.
    points: Vec<PublicPoint>,
    threshold: Threshold,
}

impl Commitments {
    /// From compressed SEC1 points, lowest coefficient first.
    ///
    /// # Errors
    /// [`CommitmentsError`] for fewer than two, and for an identity or a non-canonical point.
    pub fn from_bytes(points: &[[u8; 33]]) -> Result<Self, CommitmentsError> {
        let points = points.iter().enumerate().map(|(position, bytes)| {
            PublicPoint::from_bytes(bytes)
                .map_err(|source| CommitmentsError::Point { position, source })
        });
        Self::from_points(points.collect::<Result<_, _>>()?)
    }

    /// From points, lowest coefficient first.
    ///
    /// # Errors
    /// [`CommitmentsError::Count`] for fewer than two.
    pub fn from_points(points: Vec<PublicPoint>) -> Result<Self, CommitmentsError> {
        let count = points.len();
        let threshold = u32::try_from(count)
            .ok()
            .and_then(|count| Threshold::new(count).ok());
        let threshold = threshold.ok_or(CommitmentsError::Count { count })?;
        Ok(Self { points, threshold })
    }

    /// Compressed SEC1 points, lowest coefficient first: as many as the threshold.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<[u8; 33]> {
        self.points.iter().map(PublicPoint::to_bytes).collect()
    }

    /// The points, lowest coefficient first.
    #[must_use]
    pub fn points(&self) -> &[PublicPoint] {
        &self.points
    }

    /// How many shares reconstruct.
    #[must_use]
    pub fn threshold(&self) -> Threshold {
        self.threshold
    }

    /// `C_0`: the shared secret times `G`.
    #[must_use]
    #[expect(
        clippy::indexing_slicing,
        reason = "every constructor leaves at least two points"
    )]
    pub fn secret_point(&self) -> PublicPoint {
        self.points[0]
    }

    /// Checks one share: `f(i) * G = sum of i^j * C_j`.
    ///
    /// # Errors
    /// [`ReconstructError::BadShares`] naming it where it does not belong to this sharing.
    pub fn verify(&self, share: Share) -> Result<VerifiedShare, ReconstructError> {
        if self.matches(&share) {
            return Ok(VerifiedShare::vouched(share));
        }
        Err(ReconstructError::BadShares {
            bad: alloc::vec![share.index()],
            good: 0,
            threshold: self.threshold.get(),
        })
    }

    pub(crate) fn matches(&self, share: &Share) -> bool {
        share.times_generator() == self.evaluate(share.index())
    }

    /// `f(index) * G`. Variable time: all of it is public.
    pub(crate) fn evaluate(&self, index: ShareIndex) -> ProjectivePoint {
        // Horner's rule: the multiplier stays the small public index.
        self.points
            .iter()
            .rev()
            .fold(ProjectivePoint::IDENTITY, |sum, point| {
                times_small(&sum, index.get()) + point.as_affine()
            })
    }

    /// `a_j * G` for each scalar, which are secret. An error where one is zero.
    pub(crate) fn commit<'a>(
        coefficients: impl Iterator<Item = &'a Scalar>,
    ) -> Result<Vec<PublicPoint>, PointError> {
        let points: Vec<ProjectivePoint> = coefficients
            .map(ProjectivePoint::mul_by_generator)
            .collect();
        normalize(&points)
    }
}

/// Affine forms of all points with one inversion. An error where one is the identity.
pub(crate) fn normalize(points: &[ProjectivePoint]) -> Result<Vec<PublicPoint>, PointError> {
    let affine: Vec<AffinePoint> = ProjectivePoint::batch_normalize(points);
    affine.into_iter().map(PublicPoint::from_affine).collect()
}

/// `factor * point` by double and add. Variable time: both are public.
fn times_small(point: &ProjectivePoint, factor: u32) -> ProjectivePoint {
    let mut product = ProjectivePoint::IDENTITY;
    for bit in (0..u32::BITS - factor.leading_zeros()).rev() {
        product = product.double();
        if factor >> bit & 1 == 1 {
            product += point;
        }
    }
    product
}
