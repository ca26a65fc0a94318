//! The network's keys: a node's share, its public half, and the group's public key.

use core::fmt;

use curve25519_dalek::Scalar;
use curve25519_dalek::ristretto::RistrettoPoint;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

use crate::element::{Element, ElementError, ScalarError, key_from_bytes};
use crate::index::NodeIndex;

/// The public key of the whole network. Its 32 bytes name the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupKey(Element);

/// The public half of one node's share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyingShare {
    index: NodeIndex,
    element: Element,
}

/// A node's share of the master key: never zero.
#[derive(Clone)]
pub struct KeyShare {
    scalar: Scalar,
    public: VerifyingShare,
}

impl GroupKey {
    /// Decodes 32 bytes.
    ///
    /// # Errors
    /// [`ElementError`] for the identity and non-canonical bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, ElementError> {
        Element::from_bytes(bytes).map(Self)
    }

    /// The encoding.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    pub(crate) const fn new(element: Element) -> Self {
        Self(element)
    }

    pub(crate) const fn element(&self) -> &Element {
        &self.0
    }
}

impl VerifyingShare {
    /// Decodes the 32 bytes of the node at `index`.
    ///
    /// # Errors
    /// [`ElementError`] for the identity and non-canonical bytes.
    pub fn from_bytes(index: NodeIndex, bytes: &[u8; 32]) -> Result<Self, ElementError> {
        Element::from_bytes(bytes).map(|element| Self { index, element })
    }

    pub(crate) const fn new(index: NodeIndex, element: Element) -> Self {
        Self { index, element }
    }

    /// Whose it is.
    #[must_use]
    pub const fn index(&self) -> NodeIndex {
        self.index
    }

    /// The encoding.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.element.as_bytes()
    }

    pub(crate) const fn element(&self) -> &Element {
        &self.element
    }
}

impl KeyShare {
    /// Decodes the 32-byte little-endian scalar (RFC 9496 section 4.4) of the node at `index`.
    ///
    /// # Errors
    /// [`ScalarError`] for zero and for bytes that are not below the group order.
    pub fn from_bytes(index: NodeIndex, bytes: &[u8; 32]) -> Result<Self, ScalarError> {
        let mut scalar = key_from_bytes(bytes)?;
        let share = Self::new(index, &scalar).ok_or(ScalarError::Zero);
        scalar.zeroize();
        share
    }

    /// `None` for zero.
    pub(crate) fn new(index: NodeIndex, scalar: &Scalar) -> Option<Self> {
        let element = Element::from_point(RistrettoPoint::mul_base(scalar))?;
        Some(Self {
            scalar: *scalar,
            public: VerifyingShare { index, element },
        })
    }

    /// Whose it is.
    #[must_use]
    pub const fn index(&self) -> NodeIndex {
        self.public.index
    }

    /// The public half.
    #[must_use]
    pub const fn verifying_share(&self) -> &VerifyingShare {
        &self.public
    }

    /// The scalar's 32 bytes: keep them out of logs, errors and arguments.
    #[must_use]
    pub fn expose_secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.scalar.to_bytes())
    }

    pub(crate) const fn scalar(&self) -> &Scalar {
        &self.scalar
    }
}

impl fmt::Debug for KeyShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyShare(redacted, index {})", self.index())
    }
}

impl ConstantTimeEq for KeyShare {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.scalar.ct_eq(&other.scalar) & self.index().get().ct_eq(&other.index().get())
    }
}

impl PartialEq for KeyShare {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for KeyShare {}

impl Zeroize for KeyShare {
    fn zeroize(&mut self) {
        self.scalar.zeroize();
    }
}

impl Drop for KeyShare {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl zeroize::ZeroizeOnDrop for KeyShare {}
