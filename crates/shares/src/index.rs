//! The public numbers of a sharing: which point of the polynomial, and how many are needed.

use core::fmt;
use core::num::NonZeroU32;

use k256::Scalar;

/// The index 0 was given for a share. `f(0)` is the secret itself, so no share may sit there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("share index 0 is reserved for the secret; share indices start at 1")]
pub struct ZeroIndex;

/// Where a share sits on the polynomial: `1 ..= 2^32 - 1`. Public.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShareIndex(NonZeroU32);

impl ShareIndex {
    /// The first index, 1.
    pub const FIRST: ShareIndex = ShareIndex(NonZeroU32::MIN);

    /// An index from its number.
    ///
    /// # Errors
    /// [`ZeroIndex`] for 0.
    pub fn new(index: u32) -> Result<Self, ZeroIndex> {
        NonZeroU32::new(index).map(Self).ok_or(ZeroIndex)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// The index after this one, or `None` after `2^32 - 1`.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }

    pub(crate) fn to_scalar(self) -> Scalar {
        Scalar::from(self.get())
    }
}

impl TryFrom<u32> for ShareIndex {
    type Error = ZeroIndex;

    fn try_from(index: u32) -> Result<Self, ZeroIndex> {
        Self::new(index)
    }
}

impl From<NonZeroU32> for ShareIndex {
    fn from(index: NonZeroU32) -> Self {
        Self(index)
    }
}

impl From<ShareIndex> for u32 {
    fn from(index: ShareIndex) -> u32 {
        index.get()
    }
}

impl fmt::Display for ShareIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A threshold below 2 was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sharing needs a threshold of at least 2, not {0}: with 1 every share is the secret")]
pub struct ThresholdError(pub u32);

/// How many shares reconstruct: `2 ..= 2^32 - 1`. Public.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Threshold(u32);

impl Threshold {
    /// The smallest threshold, 2.
    pub const MIN: Threshold = Threshold(2);

    /// A threshold from its number.
    ///
    /// # Errors
    /// [`ThresholdError`] below 2.
    pub fn new(threshold: u32) -> Result<Self, ThresholdError> {
        if threshold < 2 {
            return Err(ThresholdError(threshold));
        }
        Ok(Self(threshold))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }

    /// The number as a length. Saturates where `usize` is narrower than 32 bits: no slice is that long there.
    pub(crate) fn to_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl TryFrom<u32> for Threshold {
    type Error = ThresholdError;

    fn try_from(threshold: u32) -> Result<Self, ThresholdError> {
        Self::new(threshold)
    }
}

impl From<Threshold> for u32 {
    fn from(threshold: Threshold) -> u32 {
        threshold.get()
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
