//! Backup and restore of a node: its key and all that its store holds but for a ceremony under way, sealed with an
//! operator's passphrase.
//!
//! A backup is of its moment. After the next refresh its shares are as worthless as every old share, and it must not be
//! mixed up with an undo: a node that is restored has forgotten what it signed since.

mod error;
mod passphrase;
#[cfg(test)]
mod tests;

use std::fmt;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use trefoil_protocol::bytes::{AuthKey, Blob, NetworkKey};
use trefoil_protocol::seal::aead;
use trefoil_protocol::social::{NodeKey, VerifiedManifest};
use trefoil_store::{NodeState as StoredState, NodeStore};
use zeroize::Zeroizing;

pub use error::BackupError;
pub use passphrase::{KdfCost, Passphrase};

use crate::serving::Serving;
use crate::state::{NodeState, Secret};

const VERSION: u32 = 1;
const LABEL: &[u8] = b"trefoil/v1/node/backup";
const SALT: usize = 16;

/// A backup as it lies in a file. Nothing of it is believed before it is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    version: u32,
    kdf: Kdf,
    identity_key: AuthKey,
    network: NetworkKey,
    /// Epochs of which it holds shares, oldest first.
    epochs: Vec<u32>,
    sealed: Blob,
    /// SHA-256 over everything else, so that damage is not taken for a wrong passphrase.
    checksum: Blob,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kdf {
    algorithm: KdfAlgorithm,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: Blob,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KdfAlgorithm {
    Argon2id,
}

#[derive(Deserialize)]
struct AnyVersion {
    version: u32,
}

/// What is sealed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    node_key: Secret,
    state: NodeState,
}

/// A node that came out of a backup and has no store yet.
pub struct RestoredNode {
    key: NodeKey,
    state: NodeState,
    current: VerifiedManifest,
}

impl Backup {
    /// Seals the key and what its store holds; shares whose time was over at `now` (unix seconds) are left out. The work
    /// of `cost` is done here: a second or so.
    ///
    /// # Errors
    /// [`BackupError::NoShare`], [`BackupError::State`] where the state is another node's or not understood, and
    /// [`BackupError::Kdf`].
    pub fn seal(
        key: &NodeKey,
        stored: Option<&StoredState>,
        passphrase: &Passphrase,
        cost: KdfCost,
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, BackupError> {
        let stored = stored.ok_or(BackupError::NoShare)?;
        let mut state = NodeState::open(&stored.sealed, key)?;
        state.erase_due(now);
        // What it holds for an epoch to come stays: others may count on it.
        state.ceremony = None;
        state.signed = None;
        // What a node could not start with is no backup.
        Serving::of(&state, None, key)?;
        let current = state
            .current()
            .map_err(crate::state::StateError::from)?
            .ok_or(BackupError::NoShare)?;
        if state.epochs.is_empty() {
            return Err(BackupError::NoShare);
        }
        let mut salt = [0; SALT];
        rng.fill_bytes(&mut salt);
        let mut backup = Self {
            version: VERSION,
            kdf: Kdf {
                algorithm: KdfAlgorithm::Argon2id,
                memory_kib: cost.memory_kib,
                passes: cost.passes,
                lanes: cost.lanes,
                salt: Blob::new(salt.to_vec()),
            },
            identity_key: key.identity_key(),
            network: current.network(),
            epochs: state.epochs.iter().map(|share| share.epoch).collect(),
            sealed: Blob::new(Vec::new()),
            checksum: Blob::new(Vec::new()),
        };
        let wrapping = passphrase.key(cost, &salt)?;
        let body = body(key, &state);
        backup.sealed = Blob::new(aead::seal(&wrapping, &backup.header(), &body, rng));
        backup.checksum = Blob::new(backup.sum().to_vec());
        Ok(backup)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`BackupError::Damaged`], [`BackupError::UnknownVersion`], and [`BackupError::Cost`] for a file that demands more
    /// memory or time than any that this software writes.
    pub fn from_json(json: &[u8]) -> Result<Self, BackupError> {
        // serde would also read a struct from an array of its fields' values.
        if json.trim_ascii_start().first() != Some(&b'{') {
            return Err(BackupError::Damaged);
        }
        let AnyVersion { version } =
            serde_json::from_slice(json).map_err(|_| BackupError::Damaged)?;
        if version != VERSION {
            return Err(BackupError::UnknownVersion(version));
        }
        let backup: Self = serde_json::from_slice(json).map_err(|_| BackupError::Damaged)?;
        if backup.checksum.as_bytes() != backup.sum() || backup.kdf.salt.as_bytes().len() != SALT {
            return Err(BackupError::Damaged);
        }
        backup.cost()?;
        Ok(backup)
    }

    /// The file.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings, numbers and lists only: serialising them cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Opens it; the work of its cost is done here.
    ///
    /// # Errors
    /// [`BackupError::WrongPassphrase`], [`BackupError::Kdf`]; [`BackupError::Damaged`] and [`BackupError::State`] for
    /// content that no node has written.
    pub fn open(&self, passphrase: &Passphrase) -> Result<RestoredNode, BackupError> {
        let wrapping = passphrase.key(self.cost()?, self.kdf.salt.as_bytes())?;
        let body = aead::open(&wrapping, &self.header(), self.sealed.as_bytes())
            .map_err(|_| BackupError::WrongPassphrase)?;
        let Body { node_key, state } =
            serde_json::from_slice(&body).map_err(|_| BackupError::Damaged)?;
        let key = NodeKey::from_seed(node_key.expose_secret());
        if !state.is_known_version() {
            return Err(crate::state::StateError::Form.into());
        }
        Serving::of(&state, None, &key)?;
        let current = state
            .current()
            .map_err(crate::state::StateError::from)?
            .ok_or(BackupError::NoShare)?;
        let epochs = state.epochs.iter().map(|share| share.epoch);
        let fits = key.identity_key() == self.identity_key
            && current.network() == self.network
            && epochs.eq(self.epochs.iter().copied());
        if !fits {
            return Err(BackupError::Damaged);
        }
        Ok(RestoredNode {
            key,
            state,
            current,
        })
    }

    /// Whose it is.
    #[must_use]
    pub const fn identity_key(&self) -> AuthKey {
        self.identity_key
    }

    /// The network's group public key.
    #[must_use]
    pub const fn network(&self) -> NetworkKey {
        self.network
    }

    /// Epochs of which it holds shares, oldest first.
    #[must_use]
    pub fn epochs(&self) -> &[u32] {
        &self.epochs
    }

    const fn cost(&self) -> Result<KdfCost, BackupError> {
        KdfCost::new(self.kdf.memory_kib, self.kdf.passes, self.kdf.lanes)
    }

    /// Everything that can be read without the passphrase, as associated data.
    fn header(&self) -> Vec<u8> {
        let mut bytes = LABEL.to_vec();
        let numbers = [
            self.version,
            self.kdf.memory_kib,
            self.kdf.passes,
            self.kdf.lanes,
        ];
        for number in numbers {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(self.kdf.salt.as_bytes());
        bytes.extend(self.identity_key.as_bytes());
        bytes.extend(self.network.as_bytes());
        for epoch in &self.epochs {
            bytes.extend(epoch.to_be_bytes());
        }
        bytes
    }

    fn sum(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.header());
        hash.update(self.sealed.as_bytes());
        hash.finalize().into()
    }
}

impl RestoredNode {
    /// For the node's key file.
    #[must_use]
    pub const fn key(&self) -> &NodeKey {
        &self.key
    }

    /// The newest manifest that was known when the backup was made.
    #[must_use]
    pub const fn manifest(&self) -> &VerifiedManifest {
        &self.current
    }

    /// The newest epoch of which there is a share; the network may have moved on since.
    #[must_use]
    pub fn newest_share(&self) -> u32 {
        let epochs = self.state.epochs.iter().map(|share| share.epoch);
        epochs.max().unwrap_or(0)
    }

    /// Puts the state into a store that has none.
    ///
    /// # Errors
    /// [`BackupError::Store`], where it has one as well.
    pub async fn store(
        &self,
        store: &dyn NodeStore,
        rng: &mut impl CryptoRng,
    ) -> Result<(), BackupError> {
        let sealed = self.key.seal(&self.state.expose_json(), rng);
        store.replace(None, sealed).await?;
        Ok(())
    }
}

impl fmt::Debug for RestoredNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestoredNode")
            .field("key", &self.key)
            .field("newest_share", &self.newest_share())
            .finish_non_exhaustive()
    }
}

/// JSON of a [`Body`], put together in memory that is large enough, so that growing leaves no copy behind.
fn body(key: &NodeKey, state: &NodeState) -> Zeroizing<Vec<u8>> {
    let state = state.expose_json();
    let seed = Secret::new(key.expose_seed());
    let mut body = Zeroizing::new(Vec::with_capacity(state.len() + 128));
    body.extend_from_slice(b"{\"node_key\":");
    // A string, into memory: serialising it cannot fail.
    let _ = serde_json::to_writer(&mut *body, &seed);
    body.extend_from_slice(b",\"state\":");
    body.extend_from_slice(&state);
    body.push(b'}');
    body
}
