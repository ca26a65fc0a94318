//! Copies of SQLite's files, to lose what came later.

use std::path::Path;

use tempfile::TempDir;

use crate::Failure;

pub(super) fn copy_of(directory: &Path) -> Result<TempDir, Failure> {
    let copy = TempDir::new()?;
    copy_files(directory, copy.path())?;
    Ok(copy)
}

pub(super) fn copy_files(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(to)?;
    for file in std::fs::read_dir(from)? {
        let file = file?;
        std::fs::copy(file.path(), to.join(file.file_name()))?;
    }
    Ok(())
}
