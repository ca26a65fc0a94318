//! Public byte strings of fixed length, each with a type of its own, and [`Blob`] for the others.
//! On the wire they are base64url without padding (RFC 4648 section 5). Where a [`Blob`] may hold a secret, its field goes
//! through `constant_time`.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A byte string whose length or alphabet is not the one its type asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BytesError {
    /// The text is not base64url without padding.
    #[error("not base64url without padding")]
    Alphabet,
    /// The number of bytes differs from what the type holds.
    #[error("expected {expected} bytes, got {got}")]
    Length {
        /// Bytes the type holds.
        expected: usize,
        /// Bytes that were given.
        got: usize,
    },
}

/// In constant time, as secrets want it.
pub(crate) fn encode(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// In constant time, as secrets want it.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, BytesError> {
    Base64UrlUnpadded::decode_vec(text).map_err(|_| BytesError::Alphabet)
}

pub(crate) fn decode_array<const N: usize>(text: &str) -> Result<[u8; N], BytesError> {
    let bytes = zeroize::Zeroizing::new(decode(text)?);
    <[u8; N]>::try_from(bytes.as_slice()).map_err(|_| BytesError::Length {
        expected: N,
        got: bytes.len(),
    })
}

/// The longest of [`fixed_bytes`].
const LONGEST: usize = 64;

/// As [`decode`], for what is no secret: many times quicker, and it takes and refuses the same texts.
fn decode_public(text: &str) -> Result<Vec<u8>, BytesError> {
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| BytesError::Alphabet)
}

/// As [`decode_public`], without memory from the heap.
fn decode_public_array<const N: usize>(text: &str) -> Result<[u8; N], BytesError> {
    const { assert!(N <= LONGEST) }
    // The library wants room for whole groups of three.
    let mut buffer = [0; LONGEST + 2];
    if let Ok(length) = URL_SAFE_NO_PAD.decode_slice(text, &mut buffer)
        && let Some(bytes) = buffer.get(..length)
        && let Ok(bytes) = bytes.try_into()
    {
        return Ok(bytes);
    }
    Err(BytesError::Length {
        expected: N,
        got: decode_public(text)?.len(),
    })
}

/// Gives the text to `parse`.
struct Text<F>(F);

impl<T, F: FnOnce(&str) -> Result<T, BytesError>> Visitor<'_> for Text<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("base64url without padding")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(E::custom)
    }
}

macro_rules! fixed_bytes {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Number of bytes.
            pub const LEN: usize = $len;

            /// Takes the bytes as they are.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = BytesError;

            fn try_from(bytes: &[u8]) -> Result<Self, BytesError> {
                bytes.try_into().map(Self).map_err(|_| BytesError::Length {
                    expected: $len,
                    got: bytes.len(),
                })
            }
        }

        impl core::str::FromStr for $name {
            type Err = BytesError;

            fn from_str(text: &str) -> Result<Self, BytesError> {
                decode_public_array(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&URL_SAFE_NO_PAD.encode(self.0))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Text(|text: &str| text.parse()))
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                crate::openapi::fixed($len)
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {
            fn name() -> alloc::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }
    };
}

fixed_bytes!(
    /// Where a factor's account is found: SHA-256 over the factor's auth public key.
    Locator, 32
);
fixed_bytes!(
    /// Names an account: the first 16 bytes of SHA-256 over its auth public key.
    AccountId, 16
);
fixed_bytes!(
    /// An Ed25519 public key (RFC 8032): of a factor, an account, a node.
    AuthKey, 32
);
fixed_bytes!(
    /// An X25519 public key (RFC 7748) to which HPKE seals.
    EnvelopeKey, 32
);
fixed_bytes!(
    /// Names a ceremony of a node network: SHA-256 of its plan.
    CeremonyId, 32
);
fixed_bytes!(
    /// SHA-256 over what all nodes of a ceremony said in one step.
    TranscriptHash, 32
);
fixed_bytes!(
    /// HMAC-SHA256 by which a factor knows that it was enrolled in an account.
    Binding, 32
);
fixed_bytes!(
    /// An Ed25519 signature (RFC 8032).
    Signature, 64
);
fixed_bytes!(
    /// SHA-256 of an envelope's bytes.
    EnvelopeHash, 32
);
fixed_bytes!(
    /// SHA-256 of a payload's or an event's exact bytes.
    PayloadHash, 32
);
fixed_bytes!(
    /// SHA-256 of a sealed nonce's bytes.
    NonceHash, 32
);
fixed_bytes!(
    /// Names a node network: its group public key (ristretto255).
    NetworkKey, 32
);
fixed_bytes!(
    /// The public half of a node's key share (ristretto255).
    NodeShareKey, 32
);
fixed_bytes!(
    /// SHA-256 of a network manifest's exact bytes.
    ManifestHash, 32
);
fixed_bytes!(
    /// Makes a statement unique: 16 random bytes.
    RequestId, 16
);

fixed_bytes!(
    /// Names a slot of counted guesses: 16 random bytes.
    SlotId, 16
);
fixed_bytes!(
    /// Names one attempt at a slot: 16 random bytes.
    AttemptId, 16
);
fixed_bytes!(
    /// SHA-256 of what unlocks a counter at one evaluator.
    UnlockHash, 32
);
fixed_bytes!(
    /// An encoded ristretto255 element (RFC 9496).
    GroupElement, 32
);
fixed_bytes!(
    /// An encoded proof of equal discrete logarithms.
    DleqProof, 64
);

impl SlotId {
    /// A fresh one.
    #[must_use]
    pub fn random(rng: &mut impl rand_core::CryptoRng) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }
}

impl AttemptId {
    /// A fresh one.
    #[must_use]
    pub fn random(rng: &mut impl rand_core::CryptoRng) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }
}
fixed_bytes!(
    /// Names a mailbox: the first 16 bytes of SHA-256 over its secret.
    MailboxId, 16
);
fixed_bytes!(
    /// SHA-256 by which one side of a pairing binds itself to what it will reveal.
    PairingCommitment, 32
);

impl RequestId {
    /// A fresh request id.
    #[must_use]
    pub fn random(rng: &mut impl rand_core::CryptoRng) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }
}

macro_rules! blob {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Vec<u8>);

        impl $name {
            /// Takes the bytes as they are.
            #[must_use]
            pub const fn new(bytes: Vec<u8>) -> Self {
                Self(bytes)
            }

            /// The bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }

            /// The bytes, owned.
            #[must_use]
            pub fn into_bytes(self) -> Vec<u8> {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({} bytes)"), self.0.len())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&URL_SAFE_NO_PAD.encode(&self.0))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Text(|text: &str| decode_public(text).map(Self)))
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                crate::openapi::blob()
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {
            fn name() -> alloc::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }
    };
}

blob!(
    /// Bytes of any length.
    Blob
);
blob!(
    /// A share, the state key and a guess seed, sealed to one factor ([`crate::envelope`]).
    Envelope
);
blob!(
    /// The nonce, sealed ([`crate::nonce`]).
    SealedNonce
);

/// For fields that may hold what is not public: `#[serde(with = "constant_time")]`.
pub(crate) mod constant_time {
    use zeroize::Zeroizing;

    use super::{Blob, Deserializer, Serializer, Text, decode, encode};

    pub(crate) fn serialize<S: Serializer>(blob: &Blob, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(encode(&blob.0)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Blob, D::Error> {
        deserializer.deserialize_str(Text(|text: &str| decode(text).map(Blob)))
    }
}

impl Envelope {
    /// SHA-256 of the bytes; stands in the factor's entry of the signed payload.
    #[must_use]
    pub fn hash(&self) -> EnvelopeHash {
        EnvelopeHash(crate::kdf::sha256(&[&self.0]))
    }
}

impl SealedNonce {
    /// SHA-256 of the bytes; stands in the signed payload.
    #[must_use]
    pub fn hash(&self) -> NonceHash {
        NonceHash(crate::kdf::sha256(&[&self.0]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_refuses_padding_alphabet_and_length() {
        let id = AccountId::from_bytes(*b"0123456789abcdef");
        assert_eq!(id.to_string().parse::<AccountId>(), Ok(id));
        assert_eq!(
            "AAAA".parse::<AccountId>(),
            Err(BytesError::Length {
                expected: 16,
                got: 3
            })
        );
        assert_eq!(
            "MDEyMzQ1Njc4OWFiY2RlZg==".parse::<AccountId>(),
            Err(BytesError::Alphabet)
        );
        assert_eq!("+/AA".parse::<AccountId>(), Err(BytesError::Alphabet));
        // The unused low bits of the last character must be zero: one text per value.
        assert_eq!(
            "MDEyMzQ1Njc4OWFiY2RlZh".parse::<AccountId>(),
            Err(BytesError::Alphabet)
        );
    }

    #[test]
    fn both_codecs_take_and_refuse_the_same_texts() {
        let alphabet = b"AaBgQwz09-_+/= \n.";
        let mut texts = alloc::vec![String::new()];
        for length in 0..5 {
            let longest = texts.iter().filter(|text| text.len() == length);
            let longer: Vec<String> = longest
                .flat_map(|text| alphabet.map(|letter| alloc::format!("{text}{}", letter as char)))
                .collect();
            texts.extend(longer);
        }
        // Behind what the quicker one reads in large steps.
        let longer = texts.iter().step_by(7).flat_map(|text| {
            [32, 64, 100].map(|length| alloc::format!("{}{text}", "AZaz09-_".repeat(length / 4)))
        });
        texts.extend(longer.collect::<Vec<_>>());
        let mut taken = 0;
        for text in &texts {
            let read = decode(text);
            assert_eq!(decode_public(text), read, "{text:?}");
            if let Ok(bytes) = read {
                assert_eq!(URL_SAFE_NO_PAD.encode(&bytes), *text);
                assert_eq!(encode(&bytes), *text);
                taken += 1;
            }
        }
        assert!(taken > 1000 && taken < texts.len() / 2, "{taken}");
    }
}
