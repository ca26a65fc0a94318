//! Reading a whole store, beside whoever has it open.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use trefoil_protocol::bytes::{AccountId, NonceHash};
use trefoil_protocol::tenant::Tenant;

use super::{NONCES_FILE, RECORDS_FILE, file_error, schema, upkeep};
use crate::error::StoreError;
use crate::store::StoreFuture;
use crate::upkeep_store::{DumpEntry, DumpedNonce, StoreReader, StoreStats};

/// [`StoreReader`] of a [`SqliteStore`](super::SqliteStore)'s directory, which another process may have open. Each call reads
/// on a thread and on connections of its own, from one snapshot.
///
/// While it reads, the other process cannot cut its logs: what it erases lingers there until the reading ends.
#[derive(Debug, Clone)]
pub struct SqliteReader {
    directory: PathBuf,
}

impl SqliteReader {
    pub(super) fn open(directory: PathBuf) -> Result<Self, StoreError> {
        let reader = Self { directory };
        for file in [RECORDS_FILE, NONCES_FILE] {
            // SQLite would say no more than that it cannot open it.
            std::fs::metadata(reader.directory.join(file)).map_err(file_error)?;
        }
        open_records(&reader.directory)?;
        open_nonces(&reader.directory)?;
        Ok(reader)
    }

    /// Of a directory that is known to be a store.
    pub(super) const fn beside(directory: PathBuf) -> Self {
        Self { directory }
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        let directory = self.directory.clone();
        let (sender, receiver) = oneshot::channel();
        let started = std::thread::Builder::new()
            .name("trefoil-store-upkeep".to_owned())
            .spawn(move || {
                let _ = sender.send(work(&directory));
            });
        Box::pin(async move {
            started.map_err(StoreError::backend)?;
            receiver.await.unwrap_or(Err(StoreError::Closed))
        })
    }
}

impl StoreReader for SqliteReader {
    fn stats(&self) -> StoreFuture<'_, StoreStats> {
        self.run(|directory| {
            let (records, nonces) = (open_records(directory)?, open_nonces(directory)?);
            let mut stats = upkeep::stats::count(&records, &nonces)?;
            stats.record_bytes = Some(size(directory, RECORDS_FILE)?);
            stats.nonce_bytes = Some(size(directory, NONCES_FILE)?);
            Ok(stats)
        })
    }

    fn dump(&self, entries: mpsc::Sender<DumpEntry>) -> StoreFuture<'_, ()> {
        self.run(move |directory| upkeep::dump::entries(&open_records(directory)?, &entries))
    }

    fn dump_nonces(&self, nonces: mpsc::Sender<DumpedNonce>) -> StoreFuture<'_, ()> {
        self.run(move |directory| upkeep::dump::nonces(&open_nonces(directory)?, &nonces))
    }

    fn hold_nonces(
        &self,
        named: Vec<(Tenant, AccountId, NonceHash)>,
    ) -> StoreFuture<'_, Vec<bool>> {
        self.run(move |directory| upkeep::dump::hold_nonces(open_nonces(directory)?, named))
    }
}

fn open_records(directory: &Path) -> Result<Connection, StoreError> {
    schema::open_beside(&directory.join(RECORDS_FILE), &schema::RECORDS)
}

fn open_nonces(directory: &Path) -> Result<Connection, StoreError> {
    schema::open_beside(&directory.join(NONCES_FILE), &schema::NONCES)
}

/// Of the file with its log.
fn size(directory: &Path, file: &str) -> Result<u64, StoreError> {
    let main = std::fs::metadata(directory.join(file)).map_err(file_error)?;
    let log = std::fs::metadata(directory.join(format!("{file}-wal")));
    Ok(main.len() + log.map_or(0, |log| log.len()))
}
