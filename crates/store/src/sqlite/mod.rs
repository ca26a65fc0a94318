//! The SQLite back ends: for a metadata server `records.db` and `nonces.db` in one directory, one writer thread, a few
//! connections to read; for a node `node.db`.

mod commit;
mod create;
mod delete;
mod factors;
mod kit;
mod login;
mod mailboxes;
mod node;
#[cfg(test)]
mod node_slot_tests;
mod node_slots;
#[cfg(all(test, feature = "conformance"))]
mod node_tests;
mod nonce;
mod nonces;
mod read;
mod reader;
mod readers;
mod rows;
mod schema;
mod sessions;
mod slots;
#[cfg(all(test, feature = "conformance"))]
mod tests;
mod upkeep;
mod writer;

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use rand_core::CryptoRng;
use rusqlite::params;
use tokio::sync::mpsc;
use trefoil_protocol::bytes::{AccountId, NonceHash, SealedNonce, SlotId};
use trefoil_protocol::guess::{HeldSlot, OpenedEnrolment};
use trefoil_protocol::tenant::Tenant;
use zeroize::Zeroizing;

pub use self::node::SqliteNodeStore;
use self::nonces::{NewNonce, NonceDb};
pub use self::reader::SqliteReader;
use self::readers::Readers;
use self::writer::{Leftovers, Writer};
use crate::at_rest::{AtRest, SealingKeys};
use crate::error::StoreError;
use crate::mailbox_store::{MailboxPlace, MailboxStore, NewMailbox, PutMessage, StoredMailbox};
use crate::model::{
    Caller, CommitRecord, Committed, CreateAccount, EventLog, Kit, OpenSession, OpenedSession,
    ReadRecord, StatementUse,
};
use crate::slot_store::{SlotReplacement, SlotStore, StoredSlot};
use crate::store::{MetadataStore, StoreFuture};
use crate::upkeep_store::{
    DumpEntry, DumpedNonce, Pruned, Resealed, StoreReader, StoreStats, UpkeepStore,
};

const RECORDS_FILE: &str = "records.db";
const NONCES_FILE: &str = "nonces.db";
const LOCK_FILE: &str = "lock";

/// How a [`SqliteStore`] is opened.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    directory: PathBuf,
    readers: usize,
    max_bytes: Option<u64>,
    at_rest: AtRest,
}

impl SqliteOptions {
    /// A store in this directory, which is made if it does not exist.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            readers: 4,
            max_bytes: None,
            at_rest: AtRest::default(),
        }
    }

    /// Connections that are kept for reading, at least 1; 4 unless set.
    #[must_use]
    pub const fn readers(mut self, readers: usize) -> Self {
        self.readers = readers;
        self
    }

    /// Bytes that each of the two files may reach; beyond, operations are refused with [`StoreError::Full`].
    #[must_use]
    pub const fn max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = Some(max_bytes);
        self
    }

    /// Seals what the server must be able to read under these keys; `rng` makes the nonces. What was stored before stays
    /// readable and is sealed as it is written again, or by [`reseal`](crate::UpkeepStore::reseal).
    #[must_use]
    pub fn sealing(mut self, keys: SealingKeys, rng: impl CryptoRng + Send + 'static) -> Self {
        self.at_rest = AtRest::sealing(keys, rng);
        self
    }

    /// Opens the store, upgrades its tables and finishes what an earlier process left behind. Blocks for file access.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::NewerSchema`], [`StoreError::ForeignFile`], [`StoreError::Corrupt`],
    /// [`StoreError::ReadOnly`], [`StoreError::Restoring`] where a restore was begun and not finished,
    /// [`StoreError::RecordsMissing`] where there are nonces and no records, or another fault.
    pub fn open(self) -> Result<SqliteStore, StoreError> {
        self.open_for(Leftovers::Erase)
    }

    /// Opens a store that is to be restored, or whose restore was cut off: it may lack its records beside a nonce store, whose
    /// nonces are all kept. Blocks for file access.
    ///
    /// # Errors
    /// As [`Self::open`] but for the last two.
    pub fn open_to_restore(self) -> Result<SqliteStore, StoreError> {
        self.open_for(Leftovers::Keep)
    }

    /// Reads a store that another process may have open. Blocks for file access.
    ///
    /// # Errors
    /// [`StoreError::ForeignFile`], [`StoreError::NewerSchema`], [`StoreError::OlderSchema`], [`StoreError::Corrupt`], or
    /// another fault, such as that there is no store.
    pub fn open_reader(self) -> Result<SqliteReader, StoreError> {
        SqliteReader::open(self.directory)
    }

    fn open_for(self, leftovers: Leftovers) -> Result<SqliteStore, StoreError> {
        let lock = lock_directory(&self.directory)?;
        let (records_path, nonces_path) = (
            self.directory.join(RECORDS_FILE),
            self.directory.join(NONCES_FILE),
        );
        let serving = leftovers == Leftovers::Erase;
        let nonces_alone = !records_path.exists() && nonces_path.exists();
        // Made here so that nobody else may read them; SQLite gives its log files the same mode.
        drop(private_file(&nonces_path)?);
        let nonces = NonceDb::new(schema::open_writer(
            &nonces_path,
            &schema::NONCES,
            self.max_bytes,
        )?);
        if serving && nonces_alone && nonces.holds_any(false)? {
            return Err(StoreError::RecordsMissing);
        }
        drop(private_file(&records_path)?);
        let records = schema::open_writer(&records_path, &schema::RECORDS, self.max_bytes)?;
        sync_directory(&self.directory)?;
        if serving {
            if upkeep::restore::under_way(&records)?.is_some() {
                return Err(StoreError::Restoring);
            }
            if upkeep::restore::is_empty(&records)? && nonces.holds_any(true)? {
                return Err(StoreError::RecordsMissing);
            }
        }
        let writer = Writer::start(records, nonces, self.at_rest.clone(), leftovers)?;
        let readers = Readers::open(&records_path, self.readers)?;
        Ok(SqliteStore {
            readers,
            writer,
            reader: SqliteReader::beside(self.directory),
            at_rest: self.at_rest,
            _lock: lock,
        })
    }
}

/// [`MetadataStore`] on two SQLite files.
///
/// Dropping it waits for the queued operations and closes the files. A kill loses nothing that was acknowledged.
pub struct SqliteStore {
    // Dropped in this order: the writer's last checkpoint wants no readers, the lock goes last.
    readers: Readers,
    writer: Writer,
    reader: SqliteReader,
    at_rest: AtRest,
    _lock: File,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

impl MetadataStore for SqliteStore {
    fn create_account(&self, create: CreateAccount) -> StoreFuture<'_, OpenedSession> {
        let nonce = create
            .sealed_nonce
            .clone()
            .map(|sealed| NewNonce::new(&create.tenant, create.account_id, sealed));
        Box::pin(self.writer.submit(nonce, move |transaction| {
            create::create(transaction, &create)
        }))
    }

    fn open_session(&self, open: OpenSession) -> StoreFuture<'_, OpenedSession> {
        Box::pin(
            self.writer
                .submit(None, move |transaction| login::open(transaction, &open)),
        )
    }

    fn commit_record(&self, commit: CommitRecord) -> StoreFuture<'_, Committed> {
        let Caller {
            tenant, account_id, ..
        } = &commit.caller;
        let nonce = commit
            .sealed_nonce
            .clone()
            .map(|sealed| NewNonce::new(tenant, *account_id, sealed));
        Box::pin(self.writer.submit(nonce, move |transaction| {
            commit::commit(transaction, &commit)
        }))
    }

    fn read_record(&self, caller: Caller) -> StoreFuture<'_, ReadRecord> {
        Box::pin(async move { read::record(&self.readers, &caller).await })
    }

    fn release_nonce(&self, caller: Caller) -> StoreFuture<'_, SealedNonce> {
        Box::pin(self.writer.submit(None, move |transaction| {
            nonce::release(transaction, &caller)
        }))
    }

    fn export_kit(&self, caller: Caller, statement: StatementUse) -> StoreFuture<'_, Kit> {
        Box::pin(self.writer.submit(None, move |transaction| {
            kit::export(transaction, &caller, statement)
        }))
    }

    fn delete_account(&self, caller: Caller, statement: StatementUse) -> StoreFuture<'_, ()> {
        Box::pin(self.writer.submit(None, move |transaction| {
            delete::delete(transaction, &caller, statement)
        }))
    }

    fn read_events(&self, caller: Caller) -> StoreFuture<'_, EventLog> {
        Box::pin(
            self.readers
                .read(move |connection| read::events(connection, &caller)),
        )
    }

    fn enrol_slot(&self, caller: Caller, enrolment: OpenedEnrolment) -> StoreFuture<'_, ()> {
        Box::pin(self.writer.submit(None, move |transaction| {
            slots::enrol(transaction, &caller, &enrolment)
        }))
    }

    fn list_slots(&self, caller: Caller) -> StoreFuture<'_, Vec<HeldSlot>> {
        let at_rest = self.at_rest.clone();
        Box::pin(
            self.readers
                .read(move |connection| slots::list(connection, &at_rest, &caller)),
        )
    }

    fn check_ready(&self, now: u64) -> StoreFuture<'_, ()> {
        let read = self.readers.read(|connection| {
            connection
                .prepare_cached("SELECT checked_at FROM health WHERE id = 1")?
                .exists([])?;
            match upkeep::restore::under_way(connection)? {
                Some(_) => Err(StoreError::Restoring),
                None => Ok(()),
            }
        });
        let write = self.writer.submit(None, move |transaction| {
            transaction
                .records
                .prepare_cached(
                    "INSERT INTO health (id, checked_at) VALUES (1, ?1)
                     ON CONFLICT (id) DO UPDATE SET checked_at = excluded.checked_at",
                )?
                .execute(params![crate::values::time(now)])?;
            Ok(())
        });
        Box::pin(async move {
            read.await?;
            write.await
        })
    }
}

impl MailboxStore for SqliteStore {
    fn create_mailbox(&self, new: NewMailbox) -> StoreFuture<'_, StoredMailbox> {
        Box::pin(self.writer.submit(None, move |transaction| {
            mailboxes::create(transaction, &new)
        }))
    }

    fn put_message(&self, put: PutMessage) -> StoreFuture<'_, ()> {
        Box::pin(
            self.writer
                .submit(None, move |transaction| mailboxes::put(transaction, &put)),
        )
    }

    fn read_mailbox(&self, place: MailboxPlace) -> StoreFuture<'_, StoredMailbox> {
        Box::pin(async move {
            let now = place.now;
            let read = self
                .readers
                .read(move |connection| mailboxes::read(connection, &place));
            let read = read.await;
            if matches!(read, Err(StoreError::MailboxExpired)) {
                self.writer
                    .submit(None, move |transaction| {
                        mailboxes::erase_expired(transaction.records, now)
                    })
                    .await?;
            }
            read
        })
    }

    fn close_mailbox(&self, place: MailboxPlace) -> StoreFuture<'_, ()> {
        Box::pin(self.writer.submit(None, move |transaction| {
            mailboxes::close(transaction, &place)
        }))
    }
}

impl StoreReader for SqliteStore {
    fn stats(&self) -> StoreFuture<'_, StoreStats> {
        self.reader.stats()
    }

    fn dump(&self, entries: mpsc::Sender<DumpEntry>) -> StoreFuture<'_, ()> {
        self.reader.dump(entries)
    }

    fn dump_nonces(&self, nonces: mpsc::Sender<DumpedNonce>) -> StoreFuture<'_, ()> {
        self.reader.dump_nonces(nonces)
    }

    fn hold_nonces(
        &self,
        named: Vec<(Tenant, AccountId, NonceHash)>,
    ) -> StoreFuture<'_, Vec<bool>> {
        self.reader.hold_nonces(named)
    }
}

impl UpkeepStore for SqliteStore {
    fn begin_restore(&self, backup: [u8; 32]) -> StoreFuture<'_, ()> {
        Box::pin(self.writer.submit(None, move |transaction| {
            upkeep::restore::begin(transaction.records, &backup)
        }))
    }

    fn load(&self, entries: Vec<DumpEntry>) -> StoreFuture<'_, ()> {
        Box::pin(self.writer.submit(None, move |transaction| {
            upkeep::load::entries(transaction.records, &entries)
        }))
    }

    fn load_nonces(&self, nonces: Vec<DumpedNonce>) -> StoreFuture<'_, u64> {
        Box::pin(self.writer.submit(None, move |transaction| {
            upkeep::load::nonces(transaction, nonces)
        }))
    }

    fn finish_restore(&self) -> StoreFuture<'_, ()> {
        Box::pin(self.writer.submit(None, move |transaction| {
            upkeep::restore::finish(transaction.records)
        }))
    }

    fn prune(&self, now: u64) -> StoreFuture<'_, Pruned> {
        Box::pin(upkeep::prune::all(&self.writer, now))
    }

    fn reseal(&self) -> StoreFuture<'_, Resealed> {
        Box::pin(upkeep::reseal::all(&self.writer))
    }
}

impl SlotStore for SqliteStore {
    fn load_slot(&self, slot: SlotId) -> StoreFuture<'_, Option<StoredSlot>> {
        let at_rest = self.at_rest.clone();
        Box::pin(
            self.readers
                .read(move |connection| slots::load(connection, &at_rest, slot)),
        )
    }

    fn replace_slot(
        &self,
        slot: SlotId,
        expected: u64,
        bytes: Zeroizing<Vec<u8>>,
    ) -> StoreFuture<'_, ()> {
        let replacement = SlotReplacement::new(slot, expected, bytes);
        Box::pin(self.writer.submit(None, move |transaction| {
            slots::replace(transaction, &replacement)
        }))
    }
}

/// Makes the directory and keeps other processes out of it until the file is dropped.
fn lock_directory(directory: &Path) -> Result<File, StoreError> {
    std::fs::create_dir_all(directory).map_err(file_error)?;
    let lock = private_file(&directory.join(LOCK_FILE))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse),
        Err(TryLockError::Error(error)) => Err(file_error(error)),
    }
}

fn private_file(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(file_error)
}

/// The names of new files are durable only once the directory is.
fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    if cfg!(unix) {
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(file_error)?;
    }
    Ok(())
}

fn file_error(error: std::io::Error) -> StoreError {
    use std::io::ErrorKind;

    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::backend(error),
    }
}
