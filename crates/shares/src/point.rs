//! Public points: 33 bytes, compressed SEC1, never the identity.

use core::fmt;

use k256::elliptic_curve::CurveAffine;
use k256::elliptic_curve::group::GroupEncoding;
use k256::elliptic_curve::sec1::ToSec1Point;
use k256::{AffinePoint, CompressedPoint, ProjectivePoint, Scalar};

/// Bytes, or a sum, that are not a usable point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PointError {
    /// Not the canonical compressed SEC1 encoding of a point on secp256k1.
    #[error(
        "these 33 bytes are not a compressed secp256k1 point; they are damaged or of another kind"
    )]
    Malformed,
    /// The identity element (the point at infinity).
    #[error("the point is the identity element, which no key has; refuse it")]
    Identity,
}

/// A point on secp256k1 other than the identity: `secret * G`. Public.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicPoint(AffinePoint);

impl PublicPoint {
    /// From the compressed SEC1 encoding (SEC 1 section 2.3.4): `02` or `03`, then `x` big-endian.
    ///
    /// # Errors
    /// [`PointError::Malformed`] for any other tag, `x` not below the field's prime or not on the curve;
    /// [`PointError::Identity`] for 33 zero bytes.
    pub fn from_bytes(bytes: &[u8; 33]) -> Result<Self, PointError> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Err(PointError::Identity);
        }
        if !matches!(bytes.first(), Some(2 | 3)) {
            return Err(PointError::Malformed);
        }
        let point = Option::from(AffinePoint::from_bytes(&CompressedPoint::from(*bytes)));
        point
            .ok_or(PointError::Malformed)
            .and_then(Self::from_affine)
    }

    /// The compressed SEC1 encoding.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 33] {
        GroupEncoding::to_bytes(&self.0).into()
    }

    /// The uncompressed SEC1 encoding: `04`, then `x` and `y`, big-endian. Ethereum addresses hash its last 64 bytes.
    #[must_use]
    pub fn to_uncompressed_bytes(&self) -> [u8; 65] {
        let mut bytes = [0; 65];
        let encoded = self.0.to_sec1_point(false);
        for (to, from) in bytes.iter_mut().zip(encoded.as_bytes()) {
            *to = *from;
        }
        bytes
    }

    /// The sum of two points: `C_0 + N` is the public key of a guarded wallet.
    ///
    /// # Errors
    /// [`PointError::Identity`] where they cancel.
    pub fn add(&self, other: &Self) -> Result<Self, PointError> {
        Self::from_affine((ProjectivePoint::from(self.0) + other.0).to_affine())
    }

    pub(crate) fn from_affine(point: AffinePoint) -> Result<Self, PointError> {
        if bool::from(point.is_identity()) {
            return Err(PointError::Identity);
        }
        Ok(Self(point))
    }

    /// `scalar * G`; the scalar must not be zero.
    pub(crate) fn of_nonzero(scalar: &Scalar) -> Self {
        Self(ProjectivePoint::mul_by_generator(scalar).to_affine())
    }

    pub(crate) fn as_affine(&self) -> &AffinePoint {
        &self.0
    }
}

impl TryFrom<&[u8]> for PublicPoint {
    type Error = PointError;

    fn try_from(bytes: &[u8]) -> Result<Self, PointError> {
        let bytes = bytes.try_into().map_err(|_| PointError::Malformed)?;
        Self::from_bytes(bytes)
    }
}

impl fmt::Display for PublicPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_bytes()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PublicPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicPoint({self})")
    }
}
