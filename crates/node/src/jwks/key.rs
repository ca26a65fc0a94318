//! One public key of a provider (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2).

use base64ct::{Base64UrlUnpadded, Encoding};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;

use crate::token::Algorithm;

/// A key for exactly one algorithm, which the key decides and not the token.
pub(crate) struct PublicKey {
    pub(crate) kid: Option<String>,
    material: Material,
}

enum Material {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// SEC1, uncompressed.
    P256([u8; 65]),
    Ed25519([u8; 32]),
}

/// A JWK as far as it matters. Private members are read so that a key which gives itself away is not trusted.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<serde::de::IgnoredAny>,
}

const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

impl PublicKey {
    /// `None` for a key that no ID token is verified with: other types and curves, keys for encryption, RSA outside
    /// 2048 to 8192 bits, and whatever is malformed.
    pub(crate) fn from_jwk(value: &serde_json::Value) -> Option<Self> {
        if !value.is_object() {
            return None;
        }
        let jwk = Jwk::deserialize(value).ok()?;
        let for_signing = jwk
            .purpose
            .as_deref()
            .is_none_or(|purpose| purpose == "sig");
        let for_verifying = jwk
            .key_ops
            .as_ref()
            .is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !for_signing || !for_verifying || jwk.d.is_some() {
            return None;
        }
        let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", None) => {
                let modulus = unsigned(&jwk.n?)?;
                let exponent = unsigned(&jwk.e?)?;
                if !RSA_BYTES.contains(&modulus.len()) || exponent.is_empty() {
                    return None;
                }
                Material::Rsa { modulus, exponent }
            }
            ("EC", Some("P-256")) => {
                let mut point = [4; 65];
                let (x, y) = point
                    .split_first_chunk_mut::<1>()?
                    .1
                    .split_at_mut_checked(32)?;
                x.copy_from_slice(&array(&jwk.x?)?);
                y.copy_from_slice(&array(&jwk.y?)?);
                Material::P256(point)
            }
            ("OKP", Some("Ed25519")) => Material::Ed25519(array(&jwk.x?)?),
            _ => return None,
        };
        let key = Self {
            kid: jwk.kid,
            material,
        };
        let said = jwk.alg.as_deref().map(Algorithm::from_name);
        (said.is_none() || said == Some(Some(key.algorithm()))).then_some(key)
    }

    /// The one algorithm this key is for.
    pub(crate) const fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Rsa { .. } => Algorithm::Rs256,
            Material::P256(_) => Algorithm::Es256,
            Material::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    /// Whether the signature over `message` holds.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let verdict = match &self.material {
            Material::Rsa { modulus, exponent } => RsaPublicKeyComponents {
                n: modulus,
                e: exponent,
            }
            .verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, signature),
            Material::P256(point) => {
                UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
                    .verify(message, signature)
            }
            Material::Ed25519(point) => {
                UnparsedPublicKey::new(&signature::ED25519, point).verify(message, signature)
            }
        };
        verdict.is_ok()
    }
}

fn array(text: &str) -> Option<[u8; 32]> {
    Base64UrlUnpadded::decode_vec(text).ok()?.try_into().ok()
}

/// Base64urlUInt (RFC 7518 section 2). Some providers put zero bytes in front, which ring refuses.
fn unsigned(text: &str) -> Option<Vec<u8>> {
    let bytes = Base64UrlUnpadded::decode_vec(text).ok()?;
    let leading = bytes.iter().take_while(|byte| **byte == 0).count();
    Some(bytes.into_iter().skip(leading).collect())
}

#[cfg(test)]
mod tests;
