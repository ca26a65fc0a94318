//! The form of a backup: JSON lines. First what it is, then one entry a line, last the number of entries and the SHA-256 of
//! all that stands before, so that a file that was cut off or changed is no backup.

mod read;
mod write;

pub(super) use read::{Entries, Opened, open};
pub(super) use write::write;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use trefoil_protocol::bytes::PayloadHash;

const FORMAT: &str = "trefoil-backup";
const VERSION: u32 = 1;
/// Bytes of a line at most: an account with everything it may have is far smaller.
const MAX_LINE: u64 = 256 * 1024 * 1024;

/// What a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// Accounts and tombstones: everything but the nonces.
    Records,
    /// The sealed nonces.
    Nonces,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Nonces => "nonces",
        }
    }
}

/// A backup that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Where it lies.
    pub path: PathBuf,
    /// How many entries it has.
    pub entries: u64,
    /// SHA-256 of everything but the last line, which says it again.
    pub sha256: PayloadHash,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    version: u32,
    kind: Kind,
    /// Unix seconds at which the backup was begun.
    made_at: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trailer {
    end: End,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    entries: u64,
    sha256: PayloadHash,
}

/// Why a backup cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file system says no.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// There is a file already.
    #[error("{} exists already and is not overwritten: name another file", .0.display())]
    Exists(PathBuf),
    /// It does not start as a backup does.
    #[error("{} is not a backup of a metadata server", .0.display())]
    NotABackup(PathBuf),
    /// Written by a newer version of this software.
    #[error("{} is a backup of version {version}, which this software does not know: update it", path.display())]
    UnknownVersion {
        /// Which file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// Records where nonces are wanted, or the other way round.
    #[error("{} is a backup of {}, not of {}", path.display(), found.name(), wanted.name())]
    OtherKind {
        /// Which file.
        path: PathBuf,
        /// What it holds.
        found: Kind,
        /// What it should hold.
        wanted: Kind,
    },
    /// It lacks its end, or its bytes are not those that were written.
    #[error("{} is cut off or was changed: use another backup", .0.display())]
    Damaged(PathBuf),
}

pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> FileError {
    move |source| FileError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}
