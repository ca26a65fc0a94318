//! Secret scalars modulo the group order `n` of secp256k1, one type per meaning.

use core::fmt;

use k256::elliptic_curve::ff::{Field, PrimeField};
use k256::elliptic_curve::ops::Reduce;
use k256::{FieldBytes, Scalar, WideBytes};
use rand_core::CryptoRng;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::point::PublicPoint;

/// Bytes that are not a secret scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScalarError {
    /// The scalar is zero.
    #[error("the secret scalar is zero; use another secret")]
    Zero,
    /// The number is not below the group order `n`.
    #[error(
        "these 32 bytes are not below the order of secp256k1; they are damaged or not a secp256k1 secret"
    )]
    OutOfRange,
}

/// A canonical scalar, zero allowed: 32 bytes big-endian, below `n`.
pub(crate) fn parse_scalar(bytes: &[u8; 32]) -> Result<Scalar, ScalarError> {
    let mut repr = FieldBytes::from(*bytes);
    let scalar = Option::<Scalar>::from(Scalar::from_repr(repr));
    repr.zeroize();
    scalar.ok_or(ScalarError::OutOfRange)
}

pub(crate) fn scalar_bytes(scalar: &Scalar) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(scalar.to_bytes().into())
}

macro_rules! secret_scalar {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Never zero. Wiped on drop; compares in constant time; `Debug` shows no secret.
        #[derive(Clone, Zeroize, ZeroizeOnDrop)]
        pub struct $name(Scalar);

        impl $name {
            /// A uniformly random one.
            pub fn random<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
                loop {
                    let scalar = Zeroizing::new(Scalar::random(rng));
                    if let Ok(secret) = Self::from_scalar(&scalar) {
                        return secret;
                    }
                }
            }

            /// From 32 bytes, big-endian.
            ///
            /// # Errors
            /// [`ScalarError`] for zero and for what is not below the group order.
            pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, ScalarError> {
                let scalar = Zeroizing::new(parse_scalar(bytes)?);
                Self::from_scalar(&scalar)
            }

            /// The secret itself: 32 bytes, big-endian, below the group order. The copy is wiped on drop.
            #[must_use]
            pub fn expose_secret(&self) -> Zeroizing<[u8; 32]> {
                scalar_bytes(&self.0)
            }

            /// This secret times the base point `G`: one fixed-base multiplication.
            #[must_use]
            pub fn public_point(&self) -> PublicPoint {
                PublicPoint::of_nonzero(&self.0)
            }

            pub(crate) fn from_scalar(scalar: &Scalar) -> Result<Self, ScalarError> {
                if bool::from(scalar.is_zero()) {
                    return Err(ScalarError::Zero);
                }
                Ok(Self(*scalar))
            }

            pub(crate) fn as_scalar(&self) -> &Scalar {
                &self.0
            }
        }

        impl ConstantTimeEq for $name {
            fn ct_eq(&self, other: &Self) -> Choice {
                self.0.ct_eq(&other.0)
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.ct_eq(other).into()
            }
        }

        impl Eq for $name {}

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "([redacted])"))
            }
        }
    };
}

secret_scalar! {
    /// What is shared: `f(0)`. In self custody the wallet key, otherwise the wallet key less the nonce.
    SharedSecret
}

secret_scalar! {
    /// The part of a wallet key that a server holds back: `key = shared secret + nonce`.
    Nonce
}

secret_scalar! {
    /// A secp256k1 wallet key as a scalar.
    KeyScalar
}

impl From<KeyScalar> for SharedSecret {
    /// Self custody: the key itself is what is shared.
    fn from(key: KeyScalar) -> Self {
        Self(key.0)
    }
}

impl From<SharedSecret> for KeyScalar {
    /// Self custody: what was shared is the key itself.
    fn from(secret: SharedSecret) -> Self {
        Self(secret.0)
    }
}

/// A scalar from uniform bytes: 48 bytes, read big-endian, modulo the group order `n`.
///
/// The bias from uniform is below `2^-128`, as in RFC 9380 section 5.2 (`hash_to_field` with `L = 48`).
///
/// # Errors
/// [`ScalarError::Zero`] where the result is zero.
pub fn scalar_from_wide(bytes: &[u8; 48]) -> Result<SharedSecret, ScalarError> {
    let mut wide = WideBytes::default();
    // A big-endian number keeps its value under leading zeros.
    for (to, from) in wide.iter_mut().skip(16).zip(bytes) {
        *to = *from;
    }
    let scalar = Zeroizing::new(<Scalar as Reduce<WideBytes>>::reduce(&wide));
    wide.zeroize();
    SharedSecret::from_scalar(&scalar)
}
