//! One share: a point `(i, f(i))` of the polynomial.

use core::fmt;
use core::ops::Deref;

use k256::{ProjectivePoint, Scalar};
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::index::{ShareIndex, ZeroIndex};
use crate::secret::{parse_scalar, scalar_bytes};

/// Parts that are not a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShareError {
    /// The index is zero.
    #[error(transparent)]
    ZeroIndex(#[from] ZeroIndex),
    /// The value is not below the group order.
    #[error("the value of share {index} is not below the order of secp256k1; the share is damaged")]
    ValueOutOfRange {
        /// Whose value.
        index: ShareIndex,
    },
}

/// A share as someone handed it over: its index, and a value that nothing has been checked about except that it is
/// a canonical scalar. The value may be zero: a polynomial can pass through zero at any index but 0.
///
/// Wiped on drop; compares in constant time; `Debug` shows the index only.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Share {
    #[zeroize(skip)]
    index: ShareIndex,
    value: Scalar,
}

impl Share {
    /// A share from its index and its value, 32 bytes big-endian.
    ///
    /// # Errors
    /// [`ShareError::ValueOutOfRange`] where the value is not below the group order.
    pub fn new(index: ShareIndex, value: &[u8; 32]) -> Result<Self, ShareError> {
        let value = parse_scalar(value).map_err(|_| ShareError::ValueOutOfRange { index })?;
        Ok(Self { index, value })
    }

    /// The same with a plain number as index.
    ///
    /// # Errors
    /// [`ShareError::ZeroIndex`] for index 0, otherwise as [`Share::new`].
    pub fn from_parts(index: u32, value: &[u8; 32]) -> Result<Self, ShareError> {
        Self::new(ShareIndex::new(index)?, value)
    }

    /// Where it sits on the polynomial. Public.
    #[must_use]
    pub fn index(&self) -> ShareIndex {
        self.index
    }

    /// The value `f(i)`: 32 bytes, big-endian. The copy is wiped on drop.
    #[must_use]
    pub fn expose_secret(&self) -> Zeroizing<[u8; 32]> {
        scalar_bytes(&self.value)
    }

    pub(crate) fn from_scalar(index: ShareIndex, value: &Scalar) -> Self {
        Self {
            index,
            value: *value,
        }
    }

    pub(crate) fn value(&self) -> &Scalar {
        &self.value
    }

    /// `f(i) * G`.
    pub(crate) fn times_generator(&self) -> ProjectivePoint {
        ProjectivePoint::mul_by_generator(&self.value)
    }
}

impl ConstantTimeEq for Share {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.index.get().ct_eq(&other.index.get()) & self.value.ct_eq(&other.value)
    }
}

impl PartialEq for Share {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for Share {}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share {{ index: {}, value: [redacted] }}", self.index)
    }
}

/// A share that was checked against the commitments of its sharing; see [`Commitments::verify`].
///
/// [`Commitments::verify`]: crate::Commitments::verify
#[derive(Clone, PartialEq, Eq, ZeroizeOnDrop)]
pub struct VerifiedShare(Share);

impl VerifiedShare {
    /// Only for what a check or the dealer's own polynomial vouches for.
    pub(crate) fn vouched(share: Share) -> Self {
        Self(share)
    }

    /// The share, no longer marked as checked.
    #[must_use]
    pub fn into_share(self) -> Share {
        self.0.clone()
    }
}

impl Deref for VerifiedShare {
    type Target = Share;

    fn deref(&self) -> &Share {
        &self.0
    }
}

impl fmt::Debug for VerifiedShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verified{:?}", self.0)
    }
}
