//! 32 secret bytes inside the state.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A share or a seed. On paper base64url; redacted, wiped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Secret([u8; 32]);

impl Secret {
    pub(crate) const fn new(bytes: &[u8; 32]) -> Self {
        Self(*bytes)
    }

    pub(crate) fn random(rng: &mut impl rand_core::CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(bytes.as_mut());
        Self::new(&bytes)
    }

    /// The bytes: keep them out of logs, errors and arguments.
    pub(crate) const fn expose_secret(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Zeroizing::new(Base64UrlUnpadded::encode_string(&self.0));
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By reference: no copy of the text is left behind.
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("32 bytes as base64url")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
                let mut bytes = Zeroizing::new([0; 32]);
                let decoded = Base64UrlUnpadded::decode(text, bytes.as_mut());
                match decoded {
                    Ok(decoded) if decoded.len() == 32 => Ok(Secret::new(&bytes)),
                    _ => Err(E::custom("not 32 bytes as base64url")),
                }
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_redacted_and_strict() {
        let secret = Secret::new(&[7; 32]);
        let text = serde_json::to_string(&secret).unwrap();
        let read: Secret = serde_json::from_str(&text).unwrap();
        assert_eq!(read.expose_secret(), &[7; 32]);
        assert_eq!(format!("{secret:?}"), "Secret(redacted)");
        for bad in ["\"\"", "\"AA\"", "5", "\"====\""] {
            let error = serde_json::from_str::<Secret>(bad).unwrap_err();
            assert!(!error.to_string().contains("AA"), "{error}");
        }
        let longer = format!("\"{}\"", Base64UrlUnpadded::encode_string(&[7; 33]));
        assert!(serde_json::from_str::<Secret>(&longer).is_err());
    }
}
