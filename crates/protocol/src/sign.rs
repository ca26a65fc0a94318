//! Ed25519 (RFC 8032) over `label \0 bytes`, verified strictly.

use alloc::vec::Vec;
use core::fmt;

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use zeroize::ZeroizeOnDrop;

use crate::bytes::{AuthKey, Signature};
use crate::kdf::label;

/// An Ed25519 private key: a factor's, an account's, a node's.
#[derive(Clone)]
pub struct AuthPrivateKey(SigningKey);

/// The signature does not hold for these bytes, this label and this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not hold")]
pub struct BadSignature;

impl AuthPrivateKey {
    /// From the 32-byte seed of RFC 8032.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public half.
    #[must_use]
    pub fn auth_key(&self) -> AuthKey {
        AuthKey::from_bytes(self.0.verifying_key().to_bytes())
    }

    /// Signs `trefoil/v1/<name> \0 bytes`.
    #[must_use]
    pub fn sign(&self, name: &str, bytes: &[u8]) -> Signature {
        Signature::from_bytes(self.0.sign(&message(name, bytes)).to_bytes())
    }
}

// The signing key wipes itself.
impl ZeroizeOnDrop for AuthPrivateKey {}

impl fmt::Debug for AuthPrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthPrivateKey(redacted, public {})", self.auth_key())
    }
}

impl AuthKey {
    /// Verifies a signature over `trefoil/v1/<name> \0 bytes`: canonical encodings only, no key of small order.
    ///
    /// # Errors
    /// [`BadSignature`] where it does not hold.
    pub fn verify(
        &self,
        name: &str,
        bytes: &[u8],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        let key = self.decode().ok_or(BadSignature)?;
        let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
        key.verify_strict(&message(name, bytes), &signature)
            .map_err(|_| BadSignature)
    }

    /// Whether these bytes are a key at all: no signature holds for others.
    #[must_use]
    pub fn is_key(&self) -> bool {
        self.decode().is_some_and(|key| !key.is_weak())
    }

    fn decode(&self) -> Option<VerifyingKey> {
        let key = VerifyingKey::from_bytes(self.as_bytes()).ok()?;
        // from_bytes takes non-canonical encodings of a point; one key must have one text.
        (key.to_bytes() == *self.as_bytes() && is_canonical(self.as_bytes())).then_some(key)
    }
}

/// RFC 8032 section 5.1.3: the y coordinate is below 2^255 - 19.
fn is_canonical(key: &[u8; 32]) -> bool {
    let [first, middle @ .., last] = key;
    let all_ones = (last & 0x7f) == 0x7f && middle.iter().all(|byte| *byte == 0xff);
    !(all_ones && *first >= 0xed)
}

fn message(name: &str, bytes: &[u8]) -> Vec<u8> {
    label(name, &[b"\0", bytes])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_signatures_apart() {
        let key = AuthPrivateKey::from_seed(&[7; 32]);
        let signature = key.sign("record", b"x");
        assert_eq!(key.auth_key().verify("record", b"x", &signature), Ok(()));
        assert!(key.auth_key().is_key());
        assert_eq!(
            key.auth_key().verify("statement", b"x", &signature),
            Err(BadSignature)
        );
        assert_eq!(
            key.auth_key().verify("record", b"y", &signature),
            Err(BadSignature)
        );
    }

    #[test]
    fn weak_and_non_canonical_keys_verify_nothing() {
        // The identity, a point of order 8, and y = p + 1 (the identity written twice).
        for hexed in [
            "0100000000000000000000000000000000000000000000000000000000000000",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ] {
            let key = AuthKey::try_from(hex::decode(hexed).unwrap().as_slice()).unwrap();
            assert!(!key.is_key());
            // R = identity, s = 0 satisfies the cofactored equation for a key of small order.
            let mut forged = [0; 64];
            forged[0] = 1;
            assert_eq!(
                key.verify("record", b"x", &Signature::from_bytes(forged)),
                Err(BadSignature)
            );
        }
    }

    #[test]
    fn debug_shows_only_the_public_half() {
        let key = AuthPrivateKey::from_seed(&[7; 32]);
        assert_eq!(
            format!("{key:?}"),
            format!("AuthPrivateKey(redacted, public {})", key.auth_key())
        );
    }
}
