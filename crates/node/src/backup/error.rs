//! Why a backup is not made or does not open.

use crate::state::StateError;

/// Why a backup is not made, or does not become a node again.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// Too easy to guess for whoever finds the file.
    #[error("the passphrase needs at least {least} characters: take a longer one")]
    WeakPassphrase {
        /// Characters that are asked for.
        least: usize,
    },
    /// Costs that this software neither writes nor reads.
    #[error(
        "the backup asks for {memory_kib} KiB of memory, {passes} passes and {lanes} lanes, which is beyond what this \
         software takes: it is damaged, or not meant well"
    )]
    Cost {
        /// KiB of memory.
        memory_kib: u32,
        /// Passes over it.
        passes: u32,
        /// Lanes.
        lanes: u32,
    },
    /// Nothing that a backup would save.
    #[error(
        "the node has no share of a network's key: there is nothing to back up but its key file; copy that one"
    )]
    NoShare,
    /// The store's content.
    #[error(transparent)]
    State(#[from] StateError),
    /// Cut off, changed, or no backup.
    #[error("the backup is damaged, or is no backup of a node: take another copy of it")]
    Damaged,
    /// Made by newer software.
    #[error("the backup has version {0}, which this software does not know: update it")]
    UnknownVersion(u32),
    /// The passphrase does not open it. Whoever changes the file and its checksum gets here too.
    #[error("the passphrase is not the one of this backup: try another")]
    WrongPassphrase,
    /// Argon2id could not be computed.
    #[error(
        "the passphrase cannot be worked on, most likely for want of memory: free some and try again"
    )]
    Kdf,
    /// The new store.
    #[error("the node's new store: {0}")]
    Store(#[from] trefoil_store::StoreError),
}
