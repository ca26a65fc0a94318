//! The one secret that a node has for as long as it lives: who it is, and under what it seals what it stores.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use rand_core::CryptoRng;
use serde::Deserialize;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::bytes::{AuthKey, decode_array, encode};
use crate::kdf::{Prk, label};
use crate::seal::{OpenError, aead};
use crate::sign::AuthPrivateKey;
use crate::versioned;

const VERSION: u32 = 1;
/// Bytes of a key file at most.
const MAX_FILE: usize = 1024;

/// A node's lasting key: the seed of its identity key. Its key shares and the keys that others seal to are made anew in
/// every epoch and lie, sealed under a key derived from this one, in the node's store.
#[derive(Clone)]
pub struct NodeKey {
    seed: Zeroizing<[u8; 32]>,
    identity: AuthPrivateKey,
}

/// Why a key file is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeKeyError {
    /// Over-long, cut off, or not JSON of the expected form; an unknown field is refused too.
    #[error("the node's key file is damaged: restore it from its backup")]
    Malformed,
    /// A version this software does not know.
    #[error("the node's key file has version {0}, which this software does not know: update it")]
    UnknownVersion(u32),
}

/// The file's form. Borrowed: no copy of the secret is left behind by parsing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<'a> {
    #[expect(dead_code, reason = "read before, with the version")]
    version: u32,
    node_key: &'a str,
}

impl NodeKey {
    /// A fresh key: a node that nobody knows yet.
    #[must_use]
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut());
        Self::from_seed(&seed)
    }

    /// From the 32 bytes that [`Self::expose_seed`] gives.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self {
            identity: AuthPrivateKey::from_seed(seed),
            seed: Zeroizing::new(*seed),
        }
    }

    /// The seed: keep it out of logs, errors and arguments.
    #[must_use]
    pub const fn expose_seed(&self) -> &Zeroizing<[u8; 32]> {
        &self.seed
    }

    /// Signs manifests and ceremony messages.
    #[must_use]
    pub const fn identity(&self) -> &AuthPrivateKey {
        &self.identity
    }

    /// By which others know the node.
    #[must_use]
    pub fn identity_key(&self) -> AuthKey {
        self.identity.auth_key()
    }

    /// Seals what the node stores (XChaCha20-Poly1305).
    #[must_use]
    pub fn seal(&self, state: &[u8], rng: &mut impl CryptoRng) -> Vec<u8> {
        aead::seal(&self.storage_key(), &self.context(), state, rng)
    }

    /// Opens what [`Self::seal`] made.
    ///
    /// # Errors
    /// [`OpenError`] for another node's state and changed bytes.
    pub fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        aead::open(&self.storage_key(), &self.context(), sealed)
    }

    fn storage_key(&self) -> Zeroizing<[u8; 32]> {
        Prk::extract(None, self.seed.as_ref()).expand(&label("node/storage", &[]))
    }

    fn context(&self) -> Vec<u8> {
        label("node/state", &[self.identity_key().as_bytes()])
    }

    /// The key file: JSON, to be kept readable by the node alone.
    #[must_use]
    pub fn expose_json(&self) -> Zeroizing<String> {
        let secret = Zeroizing::new(encode(self.seed.as_ref()));
        // Into a string that is large enough, so that no copy is left behind by growing. Writing to one cannot fail.
        let mut json = Zeroizing::new(String::with_capacity(128));
        let _ = write!(
            json,
            "{{\"version\":{VERSION},\"node_key\":\"{}\"}}",
            *secret
        );
        json
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// [`NodeKeyError`].
    pub fn from_json(json: &[u8]) -> Result<Self, NodeKeyError> {
        if json.len() > MAX_FILE {
            return Err(NodeKeyError::Malformed);
        }
        let file: File<'_> = versioned::read(json, VERSION).map_err(|unread| {
            unread.into_error(NodeKeyError::Malformed, NodeKeyError::UnknownVersion)
        })?;
        let seed = decode_array(file.node_key).map(Zeroizing::new);
        seed.map(|seed| Self::from_seed(&seed))
            .map_err(|_| NodeKeyError::Malformed)
    }
}

impl ZeroizeOnDrop for NodeKey {}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKey(redacted, public {})", self.identity_key())
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use std::format;

    use super::*;

    #[test]
    fn file_round_trips_and_is_read_strictly() {
        let key = NodeKey::random(&mut ChaCha20Rng::seed_from_u64(1));
        let json = key.expose_json();
        assert!(json.capacity() >= 128 && json.len() < 128, "grown");
        let read = NodeKey::from_json(json.as_bytes()).unwrap();
        assert_eq!(read.identity_key(), key.identity_key());
        let with = |from: &str, to: &str| {
            assert!(json.contains(from));
            NodeKey::from_json(json.replacen(from, to, 1).as_bytes()).unwrap_err()
        };
        assert_eq!(
            with("\"version\":1", "\"version\":2"),
            NodeKeyError::UnknownVersion(2)
        );
        assert_eq!(with("{", "{\"more\":1,"), NodeKeyError::Malformed);
        assert_eq!(with("_key\":\"", "_key\":\"A"), NodeKeyError::Malformed);
        for cut in 0..json.len() {
            assert_eq!(
                NodeKey::from_json(&json.as_bytes()[..cut]).unwrap_err(),
                NodeKeyError::Malformed
            );
        }
        let secret = encode(key.expose_seed().as_ref());
        assert!(!format!("{key:?}").contains(&secret));
    }

    #[test]
    fn what_is_stored_opens_for_its_node_alone() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (key, other) = (NodeKey::random(&mut rng), NodeKey::random(&mut rng));
        let mut sealed = key.seal(b"state", &mut rng);
        assert_eq!(key.open(&sealed).unwrap().as_slice(), b"state");
        assert_eq!(other.open(&sealed), Err(OpenError));
        sealed[30] ^= 1;
        assert_eq!(key.open(&sealed), Err(OpenError));
    }
}
