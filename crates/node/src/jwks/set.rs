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
        let entries = set
            .as_object()
            .and_then(|set| set.get("keys"))
            .and_then(Value::as_array);
        let keys: Vec<PublicKey> = entries
            .ok_or(KeySetError::NotASet)?
            .iter()
            .filter_map(PublicKey::from_jwk)
            .take(MAX_KEYS)
            .collect();
        if keys.is_empty() {
            return Err(KeySetError::NoKeys);
        }
        Ok(Self(keys))
    }

    pub(crate) fn select(&self, kid: Option<&str>, algorithm: Algorithm) -> Selection<'_> {
        let of_algorithm = |key: &&PublicKey| key.algorithm() == algorithm;
        let Some(kid) = kid else {
            let keys: Vec<_> = self.0.iter().filter(of_algorithm).collect();
            return if keys.len() == 1 {
                Selection::Keys(keys)
            } else {
                Selection::Unknown
            };
        };
        let named: Vec<_> = self
            .0
            .iter()
            .filter(|key| key.kid.as_deref() == Some(kid))
            .collect();
        if named.is_empty() {
            return Selection::Unknown;
        }
        let keys: Vec<_> = named.into_iter().filter(of_algorithm).collect();
        if keys.is_empty() {
            Selection::OtherAlgorithm
        } else {
            Selection::Keys(keys)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(kid: Option<&str>) -> Value {
        let mut jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        jwk["kid"] = json!(kid);
        jwk
    }

    fn selected(
        keys: &[Value],
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<usize, &'static str> {
        match KeySet::from_value(&json!({ "keys": keys }))
            .unwrap()
            .select(kid, algorithm)
        {
            Selection::Keys(keys) => Ok(keys.len()),
            Selection::Unknown => Err("unknown"),
            Selection::OtherAlgorithm => Err("other algorithm"),
        }
    }

    #[test]
    fn by_key_id() {
        let keys = [
            key(Some("a")),
            key(Some("b")),
            key(Some("b")),
            json!({ "kty": "oct", "kid": "c", "k": "AA" }),
        ];
        assert_eq!(selected(&keys, Some("a"), Algorithm::EdDsa), Ok(1));
        assert_eq!(selected(&keys, Some("b"), Algorithm::EdDsa), Ok(2));
        assert_eq!(selected(&keys, Some("c"), Algorithm::EdDsa), Err("unknown"));
        assert_eq!(selected(&keys, Some(""), Algorithm::EdDsa), Err("unknown"));
        assert_eq!(
            selected(&keys, Some("a"), Algorithm::Es256),
            Err("other algorithm")
        );
    }

    #[test]
    fn without_a_key_id_only_where_one_key_can_be_meant() {
        assert_eq!(selected(&[key(None)], None, Algorithm::EdDsa), Ok(1));
        assert_eq!(selected(&[key(Some("a"))], None, Algorithm::EdDsa), Ok(1));
        assert_eq!(
            selected(&[key(Some("a")), key(Some("b"))], None, Algorithm::EdDsa),
            Err("unknown")
        );
        assert_eq!(
            selected(&[key(None)], None, Algorithm::Es256),
            Err("unknown")
        );
    }

    #[test]
    fn sets_without_a_use() {
        for bad in [
            json!([]),
            json!({}),
            json!({ "keys": {} }),
            json!("keys"),
            json!(null),
        ] {
            assert_eq!(
                KeySet::from_value(&bad).err(),
                Some(KeySetError::NotASet),
                "{bad}"
            );
        }
        for bad in [
            json!({ "keys": [] }),
            json!({ "keys": [5, null, {}, { "kty": "oct", "k": "AA" }] }),
        ] {
            assert_eq!(
                KeySet::from_value(&bad).err(),
                Some(KeySetError::NoKeys),
                "{bad}"
            );
        }
        // A provider's strange keys do not hide its good ones.
        let mixed = json!({ "keys": [5, { "kty": "EC" }, key(Some("a"))], "extra": true });
        assert!(KeySet::from_value(&mixed).is_ok());
    }
}
