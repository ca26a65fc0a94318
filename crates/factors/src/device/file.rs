//! The device store in a file of its own, for machines without a keychain.

use std::path::{Path, PathBuf};

use super::codec::Kind;
use super::state::DeviceState;
use super::state_file::StateFile;
use super::store::{Change, DeviceStore, DeviceStoreError};

/// A file that only its owner may read (mode 0600), replaced atomically, with the previous generation beside it.
/// The secrets in it are not encrypted: whoever reads it holds the device factor, which is one of `t`.
///
/// An erased secret stays in the previous generation until the next change.
#[derive(Debug, Clone)]
pub struct FileDeviceStore {
    file: StateFile,
}

impl FileDeviceStore {
    /// The store in `directory`, created (mode 0700) with the first change. Opening reads nothing yet.
    #[must_use]
    pub fn in_directory(directory: &Path) -> Self {
        Self::at(directory.join("device.json"))
    }

    /// The store in the file `path`; its companions lie beside it.
    #[must_use]
    pub const fn at(path: PathBuf) -> Self {
        Self {
            file: StateFile::new(path, Kind::File),
        }
    }

    /// Where the current generation lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// For tests: every change stops after `step`, as if the process had died there.
    #[cfg(any(test, feature = "conformance"))]
    #[must_use]
    pub fn crash_after(self, step: super::conformance::Step) -> Self {
        Self {
            file: self.file.crash_after(step),
        }
    }
}

impl DeviceStore for FileDeviceStore {
    fn read(&self) -> Result<DeviceState, DeviceStoreError> {
        self.file.read()
    }

    fn update_dyn(
        &self,
        change: &mut dyn FnMut(&mut DeviceState) -> Change,
    ) -> Result<(), DeviceStoreError> {
        let locked = self.file.lock()?;
        let mut current = locked.load()?;
        let state = &mut current.state;
        match change(state) {
            Change::Keep => {
                state.erase.clear();
                locked.replace(&current)
            }
            Change::Discard => Ok(()),
        }
    }

    fn restore_previous(&self) -> Result<(), DeviceStoreError> {
        self.file.lock()?.restore_previous()
    }
}
