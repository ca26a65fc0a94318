//! HPKE base mode (RFC 9180), DHKEM(X25519, HKDF-SHA256) / HKDF-SHA256 / ChaCha20Poly1305, one message a key encapsulation.

use alloc::vec::Vec;
use core::fmt;

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand_core::CryptoRng;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::OpenError;
use crate::bytes::EnvelopeKey;

type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type Encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey;

const ENCAPSULATED: usize = 32;

/// Bytes by which sealing lengthens a plaintext: the encapsulated key and the tag.
pub const OVERHEAD: usize = ENCAPSULATED + 16;

/// An X25519 private key to whose public half others seal.
#[derive(Clone)]
pub struct EnvelopePrivateKey(PrivateKey, EnvelopeKey);

impl EnvelopePrivateKey {
    /// RFC 9180 `DeriveKeyPair`.
    #[must_use]
    pub fn derive(ikm: &[u8; 32]) -> Self {
        let (private, public) = X25519HkdfSha256::derive_keypair(ikm);
        Self(private, EnvelopeKey::from_bytes(public.to_bytes().into()))
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> EnvelopeKey {
        self.1
    }

    /// Opens what was sealed to the public half under the same `info`.
    ///
    /// # Errors
    /// [`OpenError`] for another key, another `info` or changed bytes.
    pub fn open(&self, info: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (encapsulated, ciphertext) = sealed
            .split_first_chunk::<ENCAPSULATED>()
            .ok_or(OpenError)?;
        let encapsulated = Encapsulated::from_bytes(encapsulated).map_err(|_| OpenError)?;
        hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.0,
            &encapsulated,
            info,
            ciphertext,
            b"",
        )
        .map(Zeroizing::new)
        .map_err(|_| OpenError)
    }
}

// The X25519 static secret inside wipes itself.
impl ZeroizeOnDrop for EnvelopePrivateKey {}

impl fmt::Debug for EnvelopePrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnvelopePrivateKey(redacted, public {})", self.1)
    }
}

/// The public key is not one to seal to (a point of small order).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nothing can be sealed to this public key")]
pub struct SealError;

impl EnvelopeKey {
    /// Seals to this key; `info` names the place, see [`OVERHEAD`] for the length.
    ///
    /// # Errors
    /// [`SealError`] for a public key of small order.
    pub fn seal(
        &self,
        info: &[u8],
        plaintext: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, SealError> {
        let public = PublicKey::from_bytes(self.as_bytes()).map_err(|_| SealError)?;
        let (encapsulated, ciphertext) = hpke::single_shot_seal_with_rng::<
            ChaCha20Poly1305,
            HkdfSha256,
            X25519HkdfSha256,
        >(
            &OpModeS::Base, &public, info, plaintext, b"", rng
        )
        .map_err(|_| SealError)?;
        Ok([encapsulated.to_bytes().as_slice(), &ciphertext].concat())
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn opens_only_for_its_key_and_place() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let key = EnvelopePrivateKey::derive(&[1; 32]);
        let sealed = key.public().seal(b"here", b"secret", &mut rng).unwrap();
        assert_eq!(sealed.len(), OVERHEAD + 6);
        assert_eq!(key.open(b"here", &sealed).unwrap().as_slice(), b"secret");
        assert_eq!(key.open(b"there", &sealed), Err(OpenError));
        assert_eq!(
            EnvelopePrivateKey::derive(&[2; 32]).open(b"here", &sealed),
            Err(OpenError)
        );
    }

    #[test]
    fn keys_of_small_order_are_refused() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        assert_eq!(
            EnvelopeKey::from_bytes([0; 32]).seal(b"", b"x", &mut rng),
            Err(SealError)
        );
        let mut one = [0; 32];
        one[0] = 1;
        assert_eq!(
            EnvelopeKey::from_bytes(one).seal(b"", b"x", &mut rng),
            Err(SealError)
        );
    }
}
