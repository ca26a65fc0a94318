//! Back a store up, beside running servers.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};

use serde::Serialize;
use tokio::sync::mpsc;
use trefoil_store::{StoreError, StoreFuture, StoreReader};

use super::file::{self, FileError, Kind, Written};
use super::nonces::WAITING;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackedUp {
    /// The backup of the records, where one was asked for.
    pub records: Option<Written>,
    /// The backup of the nonces, where one was asked for.
    pub nonces: Option<Written>,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The dump ended early.
    #[error("writing was cut off")]
    Interrupted,
}

/// Writes the records, then the nonces, each as one snapshot and to a file of its own, which must not exist. A file is there
/// whole or not at all.
///
/// In this order every record finds its nonce in the nonce backup of the same run, but for accounts that ended or replaced it
/// between the two.
///
/// # Errors
/// [`BackupError`].
pub async fn back_up(
    reader: &(impl StoreReader + ?Sized),
    records: Option<&Path>,
    nonces: Option<&Path>,
    now: u64,
) -> Result<BackedUp, BackupError> {
    let mut done = BackedUp {
        records: None,
        nonces: None,
    };
    if let Some(path) = records {
        let written = write(path, Kind::Records, now, |sender| reader.dump(sender));
        done.records = Some(written.await?);
    }
    if let Some(path) = nonces {
        let written = write(path, Kind::Nonces, now, |sender| reader.dump_nonces(sender));
        done.nonces = Some(written.await?);
    }
    Ok(done)
}

async fn write<'a, T: Serialize + Send + 'static>(
    path: &Path,
    kind: Kind,
    now: u64,
    dump: impl FnOnce(mpsc::Sender<T>) -> StoreFuture<'a, ()>,
) -> Result<Written, BackupError> {
    let (sender, entries) = mpsc::channel(WAITING);
    let (tell, told) = channel();
    let path: PathBuf = path.to_owned();
    let writing = tokio::task::spawn_blocking(move || {
        file::write(&path, kind, now, entries, || whole(&told))
    });
    // Whether the dump was whole is told before the file gets its end.
    let dump = async {
        let _ = tell.send(dump(sender).await);
        drop(tell);
    };
    let (written, ()) = tokio::join!(writing, dump);
    written.map_err(|_| BackupError::Interrupted)?
}

fn whole(told: &Receiver<Result<(), StoreError>>) -> Result<(), BackupError> {
    let done = told.recv().map_err(|_| BackupError::Interrupted)?;
    Ok(done?)
}
