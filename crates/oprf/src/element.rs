//! Group elements and scalars as they come from outside: canonical, and never the neutral one.

use core::fmt;

use curve25519_dalek::Scalar;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::traits::IsIdentity;

/// A public group element with its one encoding: never the identity. Secret elements have types of their own.
#[derive(Clone, Copy)]
pub struct Element {
    point: RistrettoPoint,
    bytes: [u8; 32],
}

/// The bytes are not a group element that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ElementError {
    /// Not the canonical encoding of an element (RFC 9496 section 4.3.1).
    #[error("not the canonical encoding of a ristretto255 element")]
    NotCanonical,
    /// The neutral element, which would make every key and answer equal.
    #[error("the identity element is refused")]
    Identity,
}

/// The bytes are not a scalar that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScalarError {
    /// Not below the group order.
    #[error("not the canonical encoding of a ristretto255 scalar")]
    NotCanonical,
    /// Zero as a key.
    #[error("a key of zero is refused")]
    Zero,
}

impl Element {
    /// Decodes 32 bytes (RFC 9496 section 4.3.1).
    ///
    /// # Errors
    /// [`ElementError`] for the identity and for any encoding that is not canonical.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, ElementError> {
        decode(bytes).map(|point| Self {
            point,
            bytes: *bytes,
        })
    }

    /// The encoding (RFC 9496 section 4.3.2).
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// `None` for the identity.
    pub(crate) fn from_point(point: RistrettoPoint) -> Option<Self> {
        (!point.is_identity()).then(|| Self {
            point,
            bytes: point.compress().to_bytes(),
        })
    }

    pub(crate) const fn point(&self) -> &RistrettoPoint {
        &self.point
    }
}

impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Element {}

impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Element(")?;
        self.bytes
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// A canonical encoding of anything but the identity.
pub(crate) fn decode(bytes: &[u8; 32]) -> Result<RistrettoPoint, ElementError> {
    let point = CompressedRistretto(*bytes)
        .decompress()
        .ok_or(ElementError::NotCanonical)?;
    if point.is_identity() {
        return Err(ElementError::Identity);
    }
    Ok(point)
}

/// Any canonical scalar, zero included.
pub(crate) fn scalar_from_bytes(bytes: &[u8; 32]) -> Result<Scalar, ScalarError> {
    Option::from(Scalar::from_canonical_bytes(*bytes)).ok_or(ScalarError::NotCanonical)
}

/// A canonical scalar other than zero.
pub(crate) fn key_from_bytes(bytes: &[u8; 32]) -> Result<Scalar, ScalarError> {
    let scalar = scalar_from_bytes(bytes)?;
    if scalar == Scalar::ZERO {
        return Err(ScalarError::Zero);
    }
    Ok(scalar)
}
