//! Hashing to the group (RFC 9380 appendix B, RFC 9497 section 4.1) and to scalars.

use core::fmt;
use core::num::NonZeroU16;

use curve25519_dalek::Scalar;
use curve25519_dalek::ristretto::RistrettoPoint;
use hash2curve::{ExpandMsg, ExpandMsgXmd, Expander};
use sha2::Sha512;
use sha2::digest::consts::U16;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::element::Element;

/// Domain separation tag and proof label of the social PRF.
pub(crate) const SOCIAL: &[u8] = b"trefoil/v1/social";

/// What the network evaluates: the hash of a message to the group, for one purpose. It tells a guesser who the user
/// is, so `Debug` is redacted.
#[derive(Clone)]
pub struct Input {
    point: RistrettoPoint,
    bytes: [u8; 32],
    label: &'static [u8],
}

impl Input {
    /// The input of the social PRF: the parts of the message one after the other, hashed under the tag
    /// `trefoil/v1/social`. Parts are joined as they are, so the caller makes them unambiguous.
    #[must_use]
    pub fn social(message: &[&[u8]]) -> Self {
        // A message that hashes to the identity will never be found; its evaluation would be refused everywhere.
        let point = hash_to_group(message, SOCIAL);
        Self {
            point,
            bytes: point.compress().to_bytes(),
            label: SOCIAL,
        }
    }

    pub(crate) const fn of_element(element: &Element, label: &'static [u8]) -> Self {
        Self {
            point: *element.point(),
            bytes: *element.as_bytes(),
            label,
        }
    }

    pub(crate) const fn point(&self) -> &RistrettoPoint {
        &self.point
    }

    pub(crate) const fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// Keeps proofs of different purposes apart.
    pub(crate) const fn label(&self) -> &'static [u8] {
        self.label
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Input(redacted)")
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.point.zeroize();
        self.bytes.zeroize();
    }
}

impl ZeroizeOnDrop for Input {}

/// `hash_to_ristretto255` with `expand_message_xmd` over SHA-512 (RFC 9380 appendix B). `dst` is not empty.
pub(crate) fn hash_to_group(message: &[&[u8]], dst: &[u8]) -> RistrettoPoint {
    RistrettoPoint::from_uniform_bytes(&expand(message, dst))
}

/// `HashToScalar` of the suite ristretto255-SHA512 (RFC 9497 section 4.1). `dst` is not empty.
pub(crate) fn hash_to_scalar(message: &[&[u8]], dst: &[u8]) -> Scalar {
    Scalar::from_bytes_mod_order_wide(&expand(message, dst))
}

const UNIFORM: NonZeroU16 = NonZeroU16::MIN.saturating_add(63);

#[expect(
    clippy::expect_used,
    reason = "expand_message_xmd refuses only an empty tag and more than 255 hash outputs; 64 bytes are one"
)]
fn expand(message: &[&[u8]], dst: &[u8]) -> Zeroizing<[u8; 64]> {
    let mut uniform = Zeroizing::new([0; 64]);
    <ExpandMsgXmd<Sha512> as ExpandMsg<U16>>::expand_message(message, &[dst], UNIFORM)
        .expect("64 bytes under a non-empty tag")
        .fill_bytes(uniform.as_mut())
        .expect("as many bytes as were asked for");
    uniform
}
