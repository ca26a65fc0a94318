//! A JWK Set (RFC 7517 section 5).

use serde_json::Value;

use super::key::PublicKey;
use crate::token::Algorithm;

/// Keys of a set that are read at most; so many signatures no honest provider rotates through.
const MAX_KEYS: usize = 64;

/// The usable keys of a provider.
pub(crate) struct KeySet(Vec<PublicKey>);

/// Why a JWK Set cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// Not a JSON object with a list `keys`.
    #[error("it is not a JWK Set: a JSON object with a list `keys`")]
    NotASet,
    /// Nothing in it verifies an ID token.
    #[error("none of its keys is an RSA (2048 bit and more), P-256 or Ed25519 key for signatures")]
    NoKeys,
}

/// The keys that a token could mean.
pub(crate) enum Selection<'a> {
    /// To be tried; several only where a provider gives one key id twice.
    Keys(Vec<&'a PublicKey>),
    /// No key of this id, or no key id and not exactly one key of the algorithm (OpenID Connect Core section 10.1).
    Unknown,
    /// A key of this id, but for another algorithm.
    OtherAlgorithm,
}

impl KeySet {
    /// Reads a set. Keys of other kinds are passed over, as RFC 7517 section 5 asks.
    pub(crate) fn from_value(set: &Value) -> Result<Self, KeySetError> {
        let entries = set.as_object().and_then(|set| set.get("keys")).and_then(Value::as_array);
        let keys: Vec<PublicKey> =
            entries.ok_or(KeySetError::NotASet)?.iter().filter_map(PublicKey::from_jwk).take(MAX_KEYS).collect();
        if keys.is_empty() {
            return Err(KeySetError::NoKeys);
        }
        Ok(Self(keys))
    }

    pub(crate) fn select(&self, kid: Option<&str>, algorithm: Algorithm) -> Selection<'_> {
        let of_algorithm = |key: &&PublicKey| key.algorithm() == algorithm;
        let Some(kid) = kid else {
            let keys: Vec<_> = self.0.iter().filter(of_algorithm).collect();
            return if keys.len() == 1 { Selection::Keys(keys) } else { Selection::Unknown };
        };
        let named: Vec<_> = self.0.iter().filter(|key| key.kid.as_deref() == Some(kid)).collect();
        if named.is_empty() {
            return Selection::Unknown;
        }
        let keys: Vec<_> = named.into_iter().filter(of_algorithm).collect();
        if keys.is_empty() { Selection::OtherAlgorithm } else { Selection::Keys(keys) }
    }
}
