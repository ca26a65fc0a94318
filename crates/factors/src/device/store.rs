//! The joint between the SDK and wherever a device keeps its state.

use core::fmt;
use std::io;
use std::path::PathBuf;

use super::codec::{FormatError, MAX_FILE};
use super::state::DeviceState;

/// Whether a change is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Change {
    /// Write it.
    Keep,
    /// Leave what is stored as it is.
    Discard,
}

/// The condition of the copy from before the last change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreviousCopy {
    /// It can be restored.
    Whole,
    /// It is damaged too.
    Damaged,
    /// There is none.
    Missing,
}

impl fmt::Display for PreviousCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole => {
                "the copy from before the last change is whole: restore it (`restore_previous`, or `trefoil wallet status \
                 --restore-device`); the damaged file is kept beside it"
            }
            Self::Damaged => "the copy from before the last change is damaged too: use another factor and enrol this device again",
            Self::Missing => "there is no earlier copy: use another factor and enrol this device again",
        })
    }
}

/// Why a device's state could not be read or changed. Nothing was written unless the variant says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceStoreError {
    /// The file is torn, altered or gone although an earlier copy is there.
    #[error("the device file {} cannot be used ({reason}); {previous}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: FormatError,
        /// Whether [`DeviceStore::restore_previous`] can help.
        previous: PreviousCopy,
    },
    /// Newer software wrote the file.
    #[error("the device file {} has version {version}, which this software does not know: update it; if you never ran newer software, {previous}", .path.display())]
    UnknownVersion {
        /// The file.
        path: PathBuf,
        /// The version found.
        version: u32,
        /// Whether [`DeviceStore::restore_previous`] can help.
        previous: PreviousCopy,
    },
    /// The file belongs to the other kind of store.
    #[error("the device file {} belongs to a {found} store: open it as such", .path.display())]
    WrongKind {
        /// The file.
        path: PathBuf,
        /// Which kind it is.
        found: &'static str,
    },
    /// Others than the owner may read or write it.
    #[error("{} may be used by others (mode {mode:03o}): check who did, then run chmod go-rwx on it", .path.display())]
    OpenToOthers {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A directory, symbolic link or device stands where the file should.
    #[error("{} is not a plain file: move it away", .path.display())]
    NotAFile {
        /// Where.
        path: PathBuf,
    },
    /// The state has outgrown the file.
    #[error(
        "the device state would have {size} bytes, more than the {MAX_FILE} allowed: remove accounts that are no longer used"
    )]
    TooLarge {
        /// What it would have.
        size: usize,
    },
    /// Another process holds the lock.
    #[error("another program has been using the device file {} for too long: close it and try again", .path.display())]
    Busy {
        /// The lock file.
        path: PathBuf,
    },
    /// There is nothing to restore, because nothing is damaged.
    #[error("the device file {} is whole, so nothing was restored", .path.display())]
    NotDamaged {
        /// The file.
        path: PathBuf,
    },
    /// The store keeps no earlier copy.
    #[error("this device store keeps no earlier copy")]
    NoPrevious,
    /// The file system refused.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The keychain refused or is locked.
    #[cfg(feature = "keychain")]
    #[error("the keychain refused to {action}: {reason}; unlock it and try again")]
    Keychain {
        /// What was tried.
        action: &'static str,
        /// What it said, without any secret.
        reason: String,
    },
    /// The keychain forgets its entries by itself.
    #[cfg(feature = "keychain")]
    #[error(
        "this keychain ({vendor}) loses its entries at logout or reboot, so it cannot keep a device factor: use another one or a file"
    )]
    KeychainNotDurable {
        /// The keychain's own description.
        vendor: String,
    },
    /// The store returned without having called the change: a bug in that store.
    #[error("the device store did not run the change: report this as a bug of the store")]
    NotRun,
}

/// Where a device keeps its secrets, pins and records.
///
/// Every change is read, made and written under a lock of its own, so that neither threads nor processes lose each
/// other's; it is durable when `update` returns. Reading never blocks on a writer. The calls block, for a few
/// milliseconds: run them on a blocking thread where that matters.
pub trait DeviceStore: fmt::Debug + Send + Sync {
    /// The state as it is now; an empty one where nothing was stored yet.
    ///
    /// # Errors
    /// [`DeviceStoreError`]; a damaged file says whether the previous copy is whole.
    fn read(&self) -> Result<DeviceState, DeviceStoreError>;

    /// Reads, lets `change` change the state, and writes it if `change` says so and anything differs.
    /// Use [`DeviceStoreExt::update`] where the caller's type is known.
    ///
    /// # Errors
    /// [`DeviceStoreError`]; what was stored before is then still there.
    fn update_dyn(
        &self,
        change: &mut dyn FnMut(&mut DeviceState) -> Change,
    ) -> Result<(), DeviceStoreError>;

    /// Puts the copy from before the last change in place of a damaged one, which is kept under another name.
    /// What the last change stored is lost: a device factor enrolled by it must be enrolled again.
    ///
    /// # Errors
    /// [`DeviceStoreError::NotDamaged`] when there is no need, [`DeviceStoreError::Damaged`] when there is no whole copy,
    /// [`DeviceStoreError::NoPrevious`] when this store keeps none.
    fn restore_previous(&self) -> Result<(), DeviceStoreError>;
}

/// Why [`DeviceStoreExt::try_update`] changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError<E: std::error::Error + 'static> {
    /// The change refused.
    #[error(transparent)]
    Refused(E),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] DeviceStoreError),
}

/// Conveniences over [`DeviceStore`].
pub trait DeviceStoreExt: DeviceStore {
    /// Changes the state and returns what `change` returns.
    ///
    /// # Errors
    /// [`DeviceStoreError`]; what was stored before is then still there.
    fn update<T>(&self, change: impl FnOnce(&mut DeviceState) -> T) -> Result<T, DeviceStoreError> {
        let mut change = Some(change);
        let mut result = None;
        self.update_dyn(&mut |state| {
            result = change.take().map(|change| change(state));
            Change::Keep
        })?;
        // A store that returns Ok has called the change.
        result.ok_or(DeviceStoreError::NotRun)
    }

    /// Changes the state unless `change` refuses; then nothing is written.
    ///
    /// # Errors
    /// [`UpdateError`]; what was stored before is then still there.
    fn try_update<T, E: std::error::Error + 'static>(
        &self,
        change: impl FnOnce(&mut DeviceState) -> Result<T, E>,
    ) -> Result<T, UpdateError<E>> {
        let mut change = Some(change);
        let mut result = None;
        self.update_dyn(&mut |state| {
            result = change.take().map(|change| change(state));
            if matches!(result, Some(Ok(_))) {
                Change::Keep
            } else {
                Change::Discard
            }
        })?;
        match result {
            Some(Ok(value)) => Ok(value),
            Some(Err(refused)) => Err(UpdateError::Refused(refused)),
            None => Err(DeviceStoreError::NotRun.into()),
        }
    }
}

impl<S: DeviceStore + ?Sized> DeviceStoreExt for S {}

impl<S: DeviceStore + ?Sized> DeviceStore for std::sync::Arc<S> {
    fn read(&self) -> Result<DeviceState, DeviceStoreError> {
        (**self).read()
    }

    fn update_dyn(
        &self,
        change: &mut dyn FnMut(&mut DeviceState) -> Change,
    ) -> Result<(), DeviceStoreError> {
        (**self).update_dyn(change)
    }

    fn restore_previous(&self) -> Result<(), DeviceStoreError> {
        (**self).restore_previous()
    }
}
