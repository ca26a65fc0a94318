//! The key to which nodes seal their answers. The login provider binds the ID token to it, so that a captured token
//! serves nobody else.

use alloc::string::String;
use core::fmt::{self, Write as _};

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::bytes::{EnvelopeKey, encode};
use crate::kdf::{label, sha256};
use crate::seal::OpenError;
use crate::seal::hpke::EnvelopePrivateKey;

/// An X25519 key pair for one login.
#[derive(Clone)]
pub struct EphemeralKey(EnvelopePrivateKey);

/// How a provider puts the nonce into the ID token: as it is, or hashed (some want the app to send it hashed).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NonceForm {
    /// As it is.
    #[default]
    Plain,
    /// SHA-256, lower-case hex.
    HexSha256,
    /// SHA-256, base64url without padding.
    Base64UrlSha256,
}

impl EphemeralKey {
    /// A fresh key.
    #[must_use]
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut());
        Self(EnvelopePrivateKey::derive(&seed))
    }

    /// The public half, sent to the nodes.
    #[must_use]
    pub const fn public(&self) -> EnvelopeKey {
        self.0.public()
    }

    /// What goes to the provider as the `nonce` parameter (OpenID Connect Core 1.0 section 3.1.2.1), where its form is
    /// [`NonceForm::Plain`].
    #[must_use]
    pub fn oidc_nonce(&self) -> String {
        oidc_nonce(&self.public())
    }

    pub(super) fn open(
        &self,
        info: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<alloc::vec::Vec<u8>>, OpenError> {
        self.0.open(info, sealed)
    }
}

/// `base64url(SHA-256("trefoil/v1/id-token-nonce" || public key))`: 43 characters.
#[must_use]
pub fn oidc_nonce(ephemeral_key: &EnvelopeKey) -> String {
    encode(&sha256(&[
        &label("id-token-nonce", &[]),
        ephemeral_key.as_bytes(),
    ]))
}

impl NonceForm {
    /// The `nonce` claim that an ID token of this form must carry.
    #[must_use]
    pub fn claim(self, oidc_nonce: &str) -> String {
        let hash = || sha256(&[oidc_nonce.as_bytes()]);
        match self {
            Self::Plain => oidc_nonce.into(),
            Self::HexSha256 => hash()
                .iter()
                .fold(String::with_capacity(64), |mut text, byte| {
                    // Writing to a string cannot fail.
                    let _ = write!(text, "{byte:02x}");
                    text
                }),
            Self::Base64UrlSha256 => encode(&hash()),
        }
    }
}

impl fmt::Debug for EphemeralKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EphemeralKey(redacted, public {})", self.public())
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn nonce_is_the_hash_of_the_public_half() {
        let key = EphemeralKey::random(&mut ChaCha20Rng::seed_from_u64(1));
        let nonce = key.oidc_nonce();
        let mut message = b"trefoil/v1/id-token-nonce".to_vec();
        message.extend_from_slice(key.public().as_bytes());
        assert_eq!(nonce, encode(&sha256(&[&message])));
        assert_eq!(nonce.len(), 43);
        assert_ne!(
            nonce,
            EphemeralKey::random(&mut ChaCha20Rng::seed_from_u64(2)).oidc_nonce()
        );
        assert_eq!(
            std::format!("{key:?}"),
            std::format!("EphemeralKey(redacted, public {})", key.public())
        );
    }

    #[test]
    fn forms_of_the_claim() {
        // SHA-256("abc"), FIPS 180-2 appendix B.1.
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(NonceForm::Plain.claim("abc"), "abc");
        assert_eq!(NonceForm::HexSha256.claim("abc"), hex);
        assert_eq!(
            NonceForm::Base64UrlSha256.claim("abc"),
            encode(&hex::decode(hex).unwrap())
        );
    }
}
