//! The place of a node in its committee.

use core::fmt;
use core::num::NonZeroU16;

use curve25519_dalek::Scalar;

/// The place of a node in its committee, from 1 upward: the point at which its share lies on the polynomial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIndex(NonZeroU16);

/// Index 0 is where the master key lies; no node stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("node index 0 is reserved for the master key; indices start at 1")]
pub struct IndexError;

impl NodeIndex {
    /// Takes an index of 1 or more.
    ///
    /// # Errors
    /// [`IndexError`] for 0.
    pub fn new(index: u16) -> Result<Self, IndexError> {
        NonZeroU16::new(index).map(Self).ok_or(IndexError)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    pub(crate) fn scalar(self) -> Scalar {
        Scalar::from(self.get())
    }
}

impl TryFrom<u16> for NodeIndex {
    type Error = IndexError;

    fn try_from(index: u16) -> Result<Self, IndexError> {
        Self::new(index)
    }
}

impl From<NodeIndex> for u16 {
    fn from(index: NodeIndex) -> Self {
        index.get()
    }
}

impl fmt::Display for NodeIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_refused() {
        assert_eq!(NodeIndex::new(0), Err(IndexError));
        assert_eq!(NodeIndex::new(65_535).map(NodeIndex::get), Ok(65_535));
    }
}
