//! Copies of the metadata server's files, as its operator or a thief makes them.

use std::path::Path;

use tempfile::TempDir;

use super::{MetadataProcess, TestkitError};

/// A copy of all files of a metadata server at one moment.
#[derive(Debug)]
pub struct Backup {
    files: TempDir,
}

impl Backup {
    /// Stops the server, copies its files, starts it again.
    ///
    /// # Errors
    /// [`TestkitError::Files`], or what starting says.
    pub async fn of(server: &mut MetadataProcess) -> Result<Self, TestkitError> {
        let files = TempDir::new().map_err(TestkitError::Files)?;
        server.kill().await;
        copy_files(server.directory(), files.path())?;
        server.start_again()?;
        Ok(Self { files })
    }

    /// Stops the server, puts these files in the place of its own, starts it again: an honest loss of everything
    /// since, or a lie.
    ///
    /// # Errors
    /// [`TestkitError::Files`], or what starting says.
    pub async fn restore(&self, server: &mut MetadataProcess) -> Result<(), TestkitError> {
        server.kill().await;
        std::fs::remove_dir_all(server.directory()).map_err(TestkitError::Files)?;
        std::fs::create_dir_all(server.directory()).map_err(TestkitError::Files)?;
        copy_files(self.files.path(), server.directory())?;
        server.start_again()
    }

    /// Where the copies are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.files.path()
    }

    /// All bytes of all files, for whoever looks for something in them.
    ///
    /// # Errors
    /// [`TestkitError::Files`].
    pub fn bytes(&self) -> Result<Vec<u8>, TestkitError> {
        let mut bytes = Vec::new();
        for entry in std::fs::read_dir(self.directory()).map_err(TestkitError::Files)? {
            let path = entry.map_err(TestkitError::Files)?.path();
            bytes.extend(std::fs::read(path).map_err(TestkitError::Files)?);
        }
        Ok(bytes)
    }
}

fn copy_files(from: &Path, to: &Path) -> Result<(), TestkitError> {
    for entry in std::fs::read_dir(from).map_err(TestkitError::Files)? {
        let entry = entry.map_err(TestkitError::Files)?;
        std::fs::copy(entry.path(), to.join(entry.file_name())).map_err(TestkitError::Files)?;
    }
    Ok(())
}
