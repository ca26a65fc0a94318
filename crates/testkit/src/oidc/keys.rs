//! Signing keys of the provider: RS256, ES256 and EdDSA (RFC 7518 section 3, RFC 8037), and their public JWKs.

use std::fmt;
use std::sync::Arc;

use base64ct::{Base64UrlUnpadded, Encoding};
use ed25519_dalek::Signer as _;
use p256::elliptic_curve::Generate as _;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use rand_core::CryptoRng;
use ring::rsa;
use serde_json::{Value, json};

use super::OidcError;

/// RSA keys take seconds to make, so two are committed; rotation alternates. They protect nothing.
const TEST_ONLY_RSA_KEYS: [&[u8]; 2] = [
    include_bytes!("test-only-rsa-2048-a.pk8.der"),
    include_bytes!("test-only-rsa-2048-b.pk8.der"),
];

/// A signature algorithm that the provider offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256 and a 2048-bit key.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// The name of the JWS header (`alg`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

#[derive(Clone)]
enum Private {
    Rsa(Arc<rsa::KeyPair>),
    P256(p256::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
}

/// One signing key with its key id.
#[derive(Clone)]
pub struct ProviderKey {
    kid: String,
    private: Private,
}

impl ProviderKey {
    /// A fresh key; for RS256 one of the two committed ones, by turns of `generation`.
    ///
    /// # Errors
    /// [`OidcError::Key`] if a committed key cannot be read.
    pub fn generate(
        algorithm: Algorithm,
        generation: usize,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, OidcError> {
        let mut kid = [0; 8];
        rng.fill_bytes(&mut kid);
        let private = match algorithm {
            Algorithm::Rs256 => {
                let [a, b] = TEST_ONLY_RSA_KEYS;
                let der = if generation.is_multiple_of(2) { a } else { b };
                Private::Rsa(Arc::new(
                    rsa::KeyPair::from_pkcs8(der).map_err(|_| OidcError::Key)?,
                ))
            }
            Algorithm::Es256 => Private::P256(p256::ecdsa::SigningKey::generate_from_rng(rng)),
            Algorithm::EdDsa => {
                let mut seed = [0; 32];
                rng.fill_bytes(&mut seed);
                Private::Ed25519(ed25519_dalek::SigningKey::from_bytes(&seed))
            }
        };
        Ok(Self {
            kid: base64url(&kid),
            private,
        })
    }

    /// What it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self.private {
            Private::Rsa(_) => Algorithm::Rs256,
            Private::P256(_) => Algorithm::Es256,
            Private::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    /// The key id that tokens name.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half as a JWK (RFC 7517).
    #[must_use]
    pub fn public_jwk(&self) -> Value {
        let mut jwk = match &self.private {
            Private::Rsa(key) => {
                let public = rsa::PublicKeyComponents::<Vec<u8>>::from(key.public());
                json!({ "kty": "RSA", "n": base64url(&public.n), "e": base64url(&public.e) })
            }
            Private::P256(key) => {
                let point = key.verifying_key().as_affine().to_sec1_point(false);
                let coordinate = |bytes: Option<&[u8]>| base64url(bytes.unwrap_or_default());
                json!({
                    "kty": "EC", "crv": "P-256",
                    "x": coordinate(point.x().map(|x| x.as_slice())), "y": coordinate(point.y().map(|y| y.as_slice())),
                })
            }
            Private::Ed25519(key) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": base64url(key.verifying_key().as_bytes()) })
            }
        };
        if let Some(fields) = jwk.as_object_mut() {
            fields.insert("kid".to_owned(), json!(self.kid));
            fields.insert("use".to_owned(), json!("sig"));
            fields.insert("alg".to_owned(), json!(self.algorithm().name()));
        }
        jwk
    }

    /// The bytes of the public half that somebody confusing it with a secret would take for the HMAC key: the DER of
    /// an RSA key, the SEC1 point, the 32 bytes of Ed25519.
    #[must_use]
    pub fn public_bytes(&self) -> Vec<u8> {
        match &self.private {
            Private::Rsa(key) => key.public().as_ref().to_vec(),
            Private::P256(key) => key
                .verifying_key()
                .as_affine()
                .to_sec1_point(false)
                .as_bytes()
                .to_vec(),
            Private::Ed25519(key) => key.verifying_key().to_bytes().to_vec(),
        }
    }

    /// The JWS signature over `message`.
    ///
    /// # Errors
    /// [`OidcError::Sign`] if the RSA operation fails.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, OidcError> {
        match &self.private {
            Private::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                let rng = ring::rand::SystemRandom::new();
                key.sign(
                    &ring::signature::RSA_PKCS1_SHA256,
                    &rng,
                    message,
                    &mut signature,
                )
                .map_err(|_| OidcError::Sign)?;
                Ok(signature)
            }
            Private::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                Ok(signature.to_bytes().to_vec())
            }
            Private::Ed25519(key) => Ok(key.sign(message).to_bytes().to_vec()),
        }
    }
}

impl fmt::Debug for ProviderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ProviderKey(redacted, {} {})",
            self.algorithm().name(),
            self.kid
        )
    }
}

/// The keys in use at one time: one of each algorithm.
#[derive(Debug, Clone)]
pub struct KeyRing {
    keys: [ProviderKey; 3],
    generation: usize,
}

impl KeyRing {
    /// The first keys.
    ///
    /// # Errors
    /// As [`ProviderKey::generate`].
    pub fn generate(rng: &mut impl CryptoRng) -> Result<Self, OidcError> {
        Self::of_generation(0, rng)
    }

    /// New keys of all three algorithms; the old ones are not kept.
    ///
    /// # Errors
    /// As [`ProviderKey::generate`].
    pub fn next(&self, rng: &mut impl CryptoRng) -> Result<Self, OidcError> {
        Self::of_generation(self.generation.wrapping_add(1), rng)
    }

    fn of_generation(generation: usize, rng: &mut impl CryptoRng) -> Result<Self, OidcError> {
        let keys = [
            ProviderKey::generate(Algorithm::Rs256, generation, rng)?,
            ProviderKey::generate(Algorithm::Es256, generation, rng)?,
            ProviderKey::generate(Algorithm::EdDsa, generation, rng)?,
        ];
        Ok(Self { keys, generation })
    }

    /// The key of an algorithm.
    #[must_use]
    pub const fn key(&self, algorithm: Algorithm) -> &ProviderKey {
        let [rsa, p256, ed25519] = &self.keys;
        match algorithm {
            Algorithm::Rs256 => rsa,
            Algorithm::Es256 => p256,
            Algorithm::EdDsa => ed25519,
        }
    }

    /// The JWK Set that the provider serves (RFC 7517 section 5).
    #[must_use]
    pub fn jwks(&self) -> Value {
        json!({ "keys": self.keys.each_ref().map(ProviderKey::public_jwk) })
    }
}

pub(super) fn base64url(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn debug_shows_no_private_key() {
        for algorithm in Algorithm::ALL {
            let key =
                ProviderKey::generate(algorithm, 0, &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
            let shown = format!("ProviderKey(redacted, {} {})", algorithm.name(), key.kid());
            assert_eq!(format!("{key:?}"), shown);
        }
    }

    #[test]
    fn rotation_changes_every_key_and_the_public_half_has_no_private_member() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let first = KeyRing::generate(&mut rng).unwrap();
        let second = first.next(&mut rng).unwrap();
        for algorithm in Algorithm::ALL {
            let (old, new) = (first.key(algorithm), second.key(algorithm));
            assert_ne!(old.public_bytes(), new.public_bytes());
            assert_ne!(old.kid(), new.kid());
            for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                assert!(new.public_jwk().get(private).is_none());
            }
        }
    }
}
