//! One file, replaced atomically under a lock, with the generation before it kept beside it.
//!
//! | file | what |
//! | --- | --- |
//! | `NAME` | the current generation; never missing and never half written once it exists |
//! | `NAME.previous` | the generation before it |
//! | `NAME.lock` | empty; locked (advisory) by whoever changes something |
//! | `NAME.new`, `NAME.previous.new` | being written; leftovers of a crash are overwritten by the next change |
//! | `NAME.damaged`, `NAME.damaged-2`, … | what [`StateFile::restore_previous`] found unusable |

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::codec::{self, FormatError, Kind, MAX_FILE};
use super::state::DeviceState;
use super::store::{DeviceStoreError, PreviousCopy};

/// How long to wait for another process's change, which takes milliseconds.
const LOCK_PATIENCE: Duration = Duration::from_secs(20);

/// The steps of a change, after each of which a crash must leave a usable store.
#[cfg_attr(
    not(any(test, feature = "conformance")),
    allow(
        unreachable_pub,
        dead_code,
        reason = "public for the conformance suite"
    )
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// New secrets are in the keychain (keychain store only).
    SecretsStored,
    /// The new generation is written and synced under a temporary name.
    Written,
    /// The current generation was copied to be the previous one.
    PreviousKept,
    /// The new generation has its name.
    Renamed,
    /// Removed secrets are gone from the keychain (keychain store only).
    SecretsErased,
}

#[cfg_attr(
    not(any(test, feature = "conformance")),
    allow(
        unreachable_pub,
        dead_code,
        reason = "public for the conformance suite"
    )
)]
impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [
        Self::SecretsStored,
        Self::Written,
        Self::PreviousKept,
        Self::Renamed,
        Self::SecretsErased,
    ];
}

#[derive(Debug, Clone)]
pub(crate) struct StateFile {
    path: PathBuf,
    kind: Kind,
    /// Tests stop here, as if the process had died.
    crash_after: Option<Step>,
}

/// What the file holds now.
pub(crate) struct Generation {
    pub(crate) state: DeviceState,
    /// The file as read; `None` where there is none yet.
    bytes: Option<Zeroizing<Vec<u8>>>,
}

/// Holds the lock while it lives.
#[derive(Debug)]
pub(crate) struct Locked<'a> {
    file: &'a StateFile,
    _lock: File,
}

impl StateFile {
    pub(crate) const fn new(path: PathBuf, kind: Kind) -> Self {
        Self {
            path,
            kind,
            crash_after: None,
        }
    }

    #[cfg(any(test, feature = "conformance"))]
    pub(crate) const fn crash_after(mut self, step: Step) -> Self {
        self.crash_after = Some(step);
        self
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Pretends to have died after `step` where a test asks for it.
    pub(crate) fn reached(&self, step: Step) -> Result<(), DeviceStoreError> {
        if self.crash_after == Some(step) {
            return Err(self.io("go on after a simulated crash with", &self.path)(
                io::ErrorKind::Interrupted.into(),
            ));
        }
        Ok(())
    }

    /// The current generation; an empty state where there is none and never was.
    pub(crate) fn read(&self) -> Result<DeviceState, DeviceStoreError> {
        self.load().map(|generation| generation.state)
    }

    /// Takes the lock, waiting for it if needed, creating the directory where it is missing.
    pub(crate) fn lock(&self) -> Result<Locked<'_>, DeviceStoreError> {
        self.prepare_directory()?;
        let path = self.beside(".lock");
        let lock = private(OpenOptions::new().write(true).create(true).truncate(false))
            .open(&path)
            .map_err(self.io("open", &path))?;
        let locked = match lock.try_lock() {
            Ok(()) => Some(Ok(lock)),
            Err(TryLockError::Error(source)) => Some(Err(source)),
            Err(TryLockError::WouldBlock) => lock_patiently(lock),
        };
        match locked {
            Some(Ok(lock)) => Ok(Locked {
                file: self,
                _lock: lock,
            }),
            Some(Err(source)) => Err(self.io("lock", &path)(source)),
            None => Err(DeviceStoreError::Busy { path }),
        }
    }

    fn load(&self) -> Result<Generation, DeviceStoreError> {
        let bytes = match read_private(&self.path)? {
            Some(bytes) => bytes,
            None if self.previous_copy() == PreviousCopy::Missing => {
                return Ok(Generation {
                    state: DeviceState::default(),
                    bytes: None,
                });
            }
            // A first and a second change may just have happened: only what is missing twice is missing.
            None => match read_private(&self.path)? {
                Some(bytes) => bytes,
                None => return Err(self.unusable(FormatError::Missing)),
            },
        };
        match codec::decode(self.kind, &bytes) {
            Ok(state) => Ok(Generation {
                state,
                bytes: Some(bytes),
            }),
            Err(reason) => Err(self.unusable(reason)),
        }
    }

    fn unusable(&self, reason: FormatError) -> DeviceStoreError {
        let path = self.path.clone();
        match reason {
            FormatError::WrongKind(found) => DeviceStoreError::WrongKind { path, found },
            FormatError::UnknownVersion(version) => DeviceStoreError::UnknownVersion {
                path,
                version,
                previous: self.previous_copy(),
            },
            reason => DeviceStoreError::Damaged {
                path,
                reason,
                previous: self.previous_copy(),
            },
        }
    }

    fn previous_copy(&self) -> PreviousCopy {
        match read_private(&self.beside(".previous")) {
            Ok(None) => PreviousCopy::Missing,
            Ok(Some(bytes)) if codec::decode(self.kind, &bytes).is_ok() => PreviousCopy::Whole,
            Ok(Some(_)) | Err(_) => PreviousCopy::Damaged,
        }
    }

    fn prepare_directory(&self) -> Result<(), DeviceStoreError> {
        let directory = self.directory();
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(directory)
            .map_err(self.io("create", directory))?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(directory)
                .map_err(self.io("look at", directory))?
                .permissions()
                .mode()
                & 0o7777;
            // Who may write to the directory may put another file in place of ours. Reading its names is harmless.
            if mode & 0o022 != 0 {
                return Err(DeviceStoreError::OpenToOthers {
                    path: directory.to_owned(),
                    mode,
                });
            }
        }
        Ok(())
    }

    fn directory(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = OsString::from(self.path.as_os_str());
        name.push(suffix);
        PathBuf::from(name)
    }

    fn io(
        &self,
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(io::Error) -> DeviceStoreError + use<> {
        let path = path.to_owned();
        move |source| DeviceStoreError::Io {
            action,
            path,
            source,
        }
    }

    /// Writes `bytes` durably under `name`, by way of `name.new`; `written` runs between the two.
    fn put(
        &self,
        name: &Path,
        temporary: &Path,
        bytes: &[u8],
        written: impl FnOnce() -> Result<(), DeviceStoreError>,
    ) -> Result<(), DeviceStoreError> {
        match fs::remove_file(temporary) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(self.io("remove", temporary)(source));
            }
            _ => {}
        }
        let mut file = private(OpenOptions::new().write(true).create_new(true))
            .open(temporary)
            .map_err(self.io("create", temporary))?;
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(self.io("write", temporary))?;
        drop(file);
        written()?;
        fs::rename(temporary, name).map_err(self.io("rename", temporary))
    }

    /// Makes renames durable. Only Unix can open a directory for that; elsewhere the rename itself is journalled.
    fn sync_directory(&self) -> Result<(), DeviceStoreError> {
        #[cfg(unix)]
        {
            let directory = self.directory();
            File::open(directory)
                .and_then(|opened| opened.sync_all())
                .map_err(self.io("sync", directory))?;
        }
        Ok(())
    }
}

impl Locked<'_> {
    /// The current generation.
    pub(crate) fn load(&self) -> Result<Generation, DeviceStoreError> {
        self.file.load()
    }

    /// Makes the changed state the current generation, and what was read the previous one. Writes nothing where nothing
    /// changed.
    pub(crate) fn replace(&self, generation: &Generation) -> Result<(), DeviceStoreError> {
        let file = self.file;
        let bytes = codec::encode(file.kind, &generation.state)
            .map_err(|source| file.io("encode", &file.path)(io::Error::other(source)))?;
        if bytes.len() > MAX_FILE {
            return Err(DeviceStoreError::TooLarge { size: bytes.len() });
        }
        let current = generation.bytes.as_ref();
        if current == Some(&bytes) {
            return Ok(());
        }
        file.put(&file.path, &file.beside(".new"), &bytes, || {
            file.reached(Step::Written)?;
            if let Some(current) = current {
                // Copied, not renamed: the current generation keeps its name until the new one takes it.
                file.put(
                    &file.beside(".previous"),
                    &file.beside(".previous.new"),
                    current,
                    || Ok(()),
                )?;
                file.sync_directory()?;
            }
            file.reached(Step::PreviousKept)
        })?;
        file.reached(Step::Renamed)?;
        file.sync_directory()
    }

    /// See [`DeviceStore::restore_previous`](super::store::DeviceStore::restore_previous).
    pub(crate) fn restore_previous(&self) -> Result<(), DeviceStoreError> {
        let file = self.file;
        let unusable = match file.load() {
            Ok(_) => {
                return Err(DeviceStoreError::NotDamaged {
                    path: file.path.clone(),
                });
            }
            Err(
                unusable @ (DeviceStoreError::Damaged {
                    previous: PreviousCopy::Whole,
                    ..
                }
                | DeviceStoreError::UnknownVersion {
                    previous: PreviousCopy::Whole,
                    ..
                }),
            ) => unusable,
            Err(other) => return Err(other),
        };
        let Some(previous) = read_private(&file.beside(".previous"))? else {
            return Err(unusable);
        };
        file.put(&file.path, &file.beside(".new"), &previous, || {
            self.keep_damaged()
        })?;
        file.sync_directory()
    }

    /// Moves the unusable file to a name that is free.
    fn keep_damaged(&self) -> Result<(), DeviceStoreError> {
        let file = self.file;
        if fs::symlink_metadata(&file.path)
            .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        {
            return Ok(());
        }
        let mut kept = file.beside(".damaged");
        let mut number = 1_u32;
        while fs::symlink_metadata(&kept).is_ok() {
            number += 1;
            kept = file.beside(&format!(".damaged-{number}"));
        }
        fs::rename(&file.path, &kept).map_err(file.io("rename", &file.path))
    }
}

/// Waits in the system's queue, so that a waiter gets its turn however often others take the lock; `None` after
/// [`LOCK_PATIENCE`]. The thread that waits then ends, and frees the lock, as soon as it gets it.
fn lock_patiently(lock: File) -> Option<io::Result<File>> {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let locked = lock.lock().map(|()| lock);
        // Nobody may be waiting any more; then the lock is freed here.
        let _ = sender.send(locked);
    });
    receiver.recv_timeout(LOCK_PATIENCE).ok()
}

/// Reads a file that must be private; `None` where there is none. At most one byte more than is allowed is read.
fn read_private(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, DeviceStoreError> {
    let io = |action: &'static str| {
        move |source| DeviceStoreError::Io {
            action,
            path: path.to_owned(),
            source,
        }
    };
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => {}
        Ok(_) => {
            return Err(DeviceStoreError::NotAFile {
                path: path.to_owned(),
            });
        }
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(io("look at")(source)),
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(io("open")(source)),
    };
    let metadata = file.metadata().map_err(io("look at"))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(DeviceStoreError::OpenToOthers {
                path: path.to_owned(),
                mode,
            });
        }
    }
    let cap = MAX_FILE as u64 + 1;
    // Reserved ahead, so that growing leaves no copy of secrets behind.
    let capacity = usize::try_from(metadata.len().min(cap)).unwrap_or(MAX_FILE) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    file.take(cap).read_to_end(&mut bytes).map_err(io("read"))?;
    Ok(Some(bytes))
}

/// Only the owner may read and write what is created.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}
