//! Tokens that must be refused: each method makes one kind, otherwise as honest as can be.

use ring::hmac;
use serde_json::{Value, json};

use super::keys::base64url;
use super::{Algorithm, Claims, KeyRing, OidcError, ProviderKey};

/// Makes tokens from the provider's keys as an attacker, or a broken provider, would.
#[derive(Debug, Clone)]
pub struct Forger {
    keys: KeyRing,
    foreign: KeyRing,
}

impl Forger {
    pub(super) const fn new(keys: KeyRing, foreign: KeyRing) -> Self {
        Self { keys, foreign }
    }

    /// A token as the provider itself would have signed it when this forger was made: after a rotation, one by a retired
    /// or stolen key.
    ///
    /// # Errors
    /// As [`ProviderKey::sign`].
    pub fn signed(&self, claims: &Claims, algorithm: Algorithm) -> Result<String, OidcError> {
        sign(self.keys.key(algorithm), claims)
    }

    /// An honest token under a header of the caller's choice (RFC 7515 section 4).
    ///
    /// # Errors
    /// As [`ProviderKey::sign`].
    pub fn with_header(
        &self,
        header: &Value,
        claims: &Claims,
        algorithm: Algorithm,
    ) -> Result<String, OidcError> {
        compact(header, &claims.to_json(), |message| {
            self.keys.key(algorithm).sign(message)
        })
    }

    /// Any payload, honestly signed: not even an object, if need be.
    ///
    /// # Errors
    /// As [`ProviderKey::sign`].
    pub fn with_payload(&self, payload: &Value, algorithm: Algorithm) -> Result<String, OidcError> {
        let key = self.keys.key(algorithm);
        compact(&header_of(key), payload, |message| key.sign(message))
    }

    /// Exact payload bytes, honestly signed: repeated members, broken UTF-8, anything.
    ///
    /// # Errors
    /// As [`ProviderKey::sign`].
    pub fn with_payload_bytes(
        &self,
        payload: &[u8],
        algorithm: Algorithm,
    ) -> Result<String, OidcError> {
        let key = self.keys.key(algorithm);
        join(&header_of(key), payload, |message| key.sign(message))
    }

    /// `alg: none`, without a signature (RFC 7518 section 3.6).
    ///
    /// # Errors
    /// As [`ProviderKey::sign`].
    pub fn alg_none(&self, claims: &Claims) -> Result<String, OidcError> {
        let header = json!({ "alg": "none", "typ": "JWT" });
        compact(&header, &claims.to_json(), |_| Ok(Vec::new()))
    }

    /// HS256 keyed with bytes of the public key: what a verifier that lets the token choose the algorithm accepts.
    ///
    /// # Errors
    /// As [`ProviderKey::sign`].
    pub fn hs256_with_public_key(
        &self,
        claims: &Claims,
        algorithm: Algorithm,
    ) -> Result<String, OidcError> {
        let key = self.keys.key(algorithm);
        let header = json!({ "alg": "HS256", "typ": "JWT", "kid": key.kid() });
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &key.public_bytes());
        compact(&header, &claims.to_json(), |message| {
            Ok(hmac::sign(&secret, message).as_ref().to_vec())
        })
    }

    /// Signed with an honest key, but the header claims another algorithm.
    ///
    /// # Errors
    /// As [`ProviderKey::sign`].
    pub fn swapped_algorithm(
        &self,
        claims: &Claims,
        signed_with: Algorithm,
        claimed: Algorithm,
    ) -> Result<String, OidcError> {
        let key = self.keys.key(signed_with);
        let header = json!({ "alg": claimed.name(), "typ": "JWT", "kid": key.kid() });
        compact(&header, &claims.to_json(), |message| key.sign(message))
    }

    /// An honest signature under a key id that nobody serves.
    ///
    /// # Errors
    /// As [`ProviderKey::sign`].
    pub fn unknown_kid(&self, claims: &Claims, algorithm: Algorithm) -> Result<String, OidcError> {
        let header = json!({ "alg": algorithm.name(), "typ": "JWT", "kid": "nobody" });
        self.with_header(&header, claims, algorithm)
    }

    /// An honest signature, without a key id.
    ///
    /// # Errors
    /// As [`ProviderKey::sign`].
    pub fn without_kid(&self, claims: &Claims, algorithm: Algorithm) -> Result<String, OidcError> {
        self.with_header(&json!({ "alg": algorithm.name() }), claims, algorithm)
    }

    /// Signed with another key of the same kind under the honest key's id.
    ///
    /// # Errors
    /// As [`ProviderKey::sign`].
    pub fn foreign_key(&self, claims: &Claims, algorithm: Algorithm) -> Result<String, OidcError> {
        let header = header_of(self.keys.key(algorithm));
        compact(&header, &claims.to_json(), |message| {
            self.foreign.key(algorithm).sign(message)
        })
    }

    /// The header carries the attacker's own key as `jwk`, by which it is signed (RFC 7515 section 4.1.3).
    ///
    /// # Errors
    /// As [`ProviderKey::sign`].
    pub fn embedded_key(&self, claims: &Claims, algorithm: Algorithm) -> Result<String, OidcError> {
        let mut header = header_of(self.keys.key(algorithm));
        if let Some(fields) = header.as_object_mut() {
            fields.insert("jwk".to_owned(), self.foreign.key(algorithm).public_jwk());
        }
        compact(&header, &claims.to_json(), |message| {
            self.foreign.key(algorithm).sign(message)
        })
    }

    /// The signature of one set of claims put under another.
    ///
    /// # Errors
    /// As [`ProviderKey::sign`].
    pub fn changed_claims(
        &self,
        signed: &Claims,
        shown: &Claims,
        algorithm: Algorithm,
    ) -> Result<String, OidcError> {
        let key = self.keys.key(algorithm);
        let header = header_of(key);
        let honest = join_head(&header, signed.to_json().to_string().as_bytes());
        compact(&header, &shown.to_json(), |_| key.sign(honest.as_bytes()))
    }
}

pub(super) fn sign(key: &ProviderKey, claims: &Claims) -> Result<String, OidcError> {
    compact(&header_of(key), &claims.to_json(), |message| {
        key.sign(message)
    })
}

fn header_of(key: &ProviderKey) -> Value {
    json!({ "alg": key.algorithm().name(), "typ": "JWT", "kid": key.kid() })
}

fn compact(
    header: &Value,
    payload: &Value,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, OidcError>,
) -> Result<String, OidcError> {
    join(header, payload.to_string().as_bytes(), sign)
}

fn join(
    header: &Value,
    payload: &[u8],
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, OidcError>,
) -> Result<String, OidcError> {
    let head = join_head(header, payload);
    let signature = sign(head.as_bytes())?;
    Ok(format!("{head}.{}", base64url(&signature)))
}

fn join_head(header: &Value, payload: &[u8]) -> String {
    format!(
        "{}.{}",
        base64url(header.to_string().as_bytes()),
        base64url(payload)
    )
}
