//! Erase nonce backups that are older than the horizon.

use std::path::{Path, PathBuf};

use trefoil_store::DumpedNonce;

use super::file::{self, FileError, Kind};

/// Removes every nonce backup in this directory that was begun before `before` (unix seconds), and gives their paths. Anything
/// else in the directory is left alone. What the medium itself still holds is not this function's doing.
///
/// Blocks for file access.
///
/// # Errors
/// [`FileError`].
pub fn erase_old_nonces(directory: &Path, before: u64) -> Result<Vec<PathBuf>, FileError> {
    let mut erased = Vec::new();
    let listing = std::fs::read_dir(directory).map_err(file::io("read", directory))?;
    for found in listing {
        let path = found.map_err(file::io("read", directory))?.path();
        if !path.is_file() {
            continue;
        }
        let is_old = match file::open::<DumpedNonce>(&path, Kind::Nonces) {
            Ok(opened) => opened.made_at < before,
            Err(FileError::NotABackup(_) | FileError::OtherKind { .. }) => false,
            Err(error) => return Err(error),
        };
        if is_old {
            std::fs::remove_file(&path).map_err(file::io("remove", &path))?;
            erased.push(path);
        }
    }
    erased.sort();
    Ok(erased)
}
