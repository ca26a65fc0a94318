//! What is said about a slot: the exact bytes and a signature over them.

use core::fmt;
use core::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::bytes::{AuthKey, Blob, Signature};
use crate::sign::AuthPrivateKey;
use crate::versioned;

/// The version of every form in this module.
pub const VERSION: u32 = 1;

/// Something that is signed: a JSON object with its version.
pub trait Signable: Serialize + DeserializeOwned {
    /// Keeps signatures of different meaning apart.
    const LABEL: &'static str;
    /// Bytes at most.
    const MAX: usize;
}

/// A `T`'s exact bytes with a signature; nothing about it is checked yet.
pub struct Signed<T> {
    body: Blob,
    signature: Signature,
    content: PhantomData<fn() -> T>,
}

/// Why it is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignedError {
    /// Too large, cut off, or not JSON of the expected form; an unknown field is refused too.
    #[error("not of the expected form")]
    Malformed,
    /// A version this software does not know.
    #[error("it has version {0}, which this software does not know: update it")]
    UnknownVersion(u32),
    /// Not signed by the key that it should be signed by.
    #[error("the signature does not hold")]
    BadSignature,
}

/// Exact bytes with a signature.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Signed))]
#[serde(deny_unknown_fields)]
pub(crate) struct Form {
    /// JSON, byte for byte as signed. What unlocks a counter, and what the server is dealt, is in it.
    #[serde(with = "crate::bytes::constant_time")]
    body: Blob,
    /// Over the label of what it is.
    signature: Signature,
}

impl<T: Signable> Signed<T> {
    /// Signs it.
    #[must_use]
    pub fn sign(content: &T, key: &AuthPrivateKey) -> Self {
        // Strings, numbers and lists only: serialising them cannot fail.
        let bytes = serde_json::to_vec(content).unwrap_or_default();
        Self {
            signature: key.sign(T::LABEL, &bytes),
            body: Blob::new(bytes),
            content: PhantomData,
        }
    }

    /// Reads it, once the signature by `key` holds.
    ///
    /// # Errors
    /// [`SignedError`].
    pub fn verify(&self, key: &AuthKey) -> Result<T, SignedError> {
        let bytes = self.body.as_bytes();
        if bytes.len() > T::MAX {
            return Err(SignedError::Malformed);
        }
        key.verify(T::LABEL, bytes, &self.signature)
            .map_err(|_| SignedError::BadSignature)?;
        self.read_unverified()
    }

    /// Reads it whoever signed it: good only to find out by which key it has to be signed.
    pub(super) fn read_unverified(&self) -> Result<T, SignedError> {
        let bytes = self.body.as_bytes();
        if bytes.len() > T::MAX {
            return Err(SignedError::Malformed);
        }
        versioned::read(bytes, VERSION).map_err(|unread| {
            unread.into_error(SignedError::Malformed, SignedError::UnknownVersion)
        })
    }

    /// SHA-256 of the exact bytes.
    pub(super) fn hash(&self) -> [u8; 32] {
        crate::kdf::sha256(&[self.body.as_bytes()])
    }
}

impl<T> Clone for Signed<T> {
    fn clone(&self) -> Self {
        Self {
            body: self.body.clone(),
            signature: self.signature,
            content: PhantomData,
        }
    }
}

impl<T> PartialEq for Signed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.body == other.body && self.signature == other.signature
    }
}

impl<T> Eq for Signed<T> {}

impl<T> fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signed({} bytes)", self.body.as_bytes().len())
    }
}

impl<T> Serialize for Signed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let form = Form {
            body: self.body.clone(),
            signature: self.signature,
        };
        form.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Signed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Form { body, signature } = Form::deserialize(deserializer)?;
        Ok(Self {
            body,
            signature,
            content: PhantomData,
        })
    }
}
