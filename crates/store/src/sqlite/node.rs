//! A node's state in `node.db`: one row, one thread that reads and writes it.

use std::fs::File;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use tokio::sync::oneshot;

use super::nonces::truncate_log;
use super::{lock_directory, private_file, schema, sync_directory};
use crate::error::StoreError;
use crate::node_store::{NodeState, NodeStore, next_version};
use crate::store::StoreFuture;

const NODE_FILE: &str = "node.db";
/// Operations that may wait before the store answers [`StoreError::Busy`]; a node has few.
const QUEUE: usize = 256;
/// Quiet time after which the log is cut where it holds slots that were replaced.
const QUIET: Duration = Duration::from_millis(100);
/// Longest time between two attempts at it, also where it is never quiet.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long such an attempt waits for a reader of the file: slots wait as long.
const SHORT_WAIT: Duration = Duration::from_millis(20);

/// [`NodeStore`] in a SQLite file, which only its owner may read.
///
/// Dropping it waits for the queued operations and closes the file. A kill loses nothing that was acknowledged.
pub struct SqliteNodeStore {
    // Dropped in this order: the lock goes last.
    pub(super) worker: Worker,
    _lock: File,
}

impl std::fmt::Debug for SqliteNodeStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteNodeStore").finish_non_exhaustive()
    }
}

impl SqliteNodeStore {
    /// Opens `node.db` in this directory, which is made if it does not exist, and finishes an erasure that an earlier
    /// process left behind. Blocks for file access.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::NewerSchema`], [`StoreError::ForeignFile`], [`StoreError::Corrupt`],
    /// [`StoreError::ReadOnly`], or another fault.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        let directory = directory.as_ref();
        let lock = lock_directory(directory)?;
        let path = directory.join(NODE_FILE);
        drop(private_file(&path)?);
        let connection = schema::open_writer(&path, &schema::NODE, None)?;
        sync_directory(directory)?;
        Ok(Self {
            worker: Worker::start(connection)?,
            _lock: lock,
        })
    }

    /// Reads the state of a store in this directory that another process may have open, for a backup; `None` where
    /// there is no store or it is empty. Blocks for file access.
    ///
    /// # Errors
    /// [`StoreError::ForeignFile`], [`StoreError::NewerSchema`], [`StoreError::Corrupt`], or another fault.
    pub fn read(directory: impl AsRef<Path>) -> Result<Option<NodeState>, StoreError> {
        let path = directory.as_ref().join(NODE_FILE);
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) => return Err(super::file_error(error)),
        }
        let connection = schema::open_reader(&path)?;
        schema::check(&connection, &schema::NODE)?;
        load(&connection)
    }
}

impl NodeStore for SqliteNodeStore {
    fn load(&self) -> StoreFuture<'_, Option<NodeState>> {
        Box::pin(self.worker.submit(|db| load(&db.connection)))
    }

    fn replace(&self, expected: Option<u64>, sealed: Vec<u8>) -> StoreFuture<'_, u64> {
        Box::pin(self.worker.submit(move |db| db.replace(expected, &sealed)))
    }

    fn check_ready(&self, now: u64) -> StoreFuture<'_, ()> {
        Box::pin(self.worker.submit(move |db| db.check(now)))
    }
}

pub(super) struct Db {
    pub(super) connection: Connection,
    /// Since when the log may hold what was replaced.
    unerased: Option<Instant>,
}

impl Db {
    fn replace(&mut self, expected: Option<u64>, sealed: &[u8]) -> Result<u64, StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let current = load(&transaction)?.map(|state| state.version);
        let version = next_version(current, expected)?;
        let stored = i64::try_from(version).map_err(StoreError::backend)?;
        transaction
            .prepare_cached(
                "INSERT INTO node_state (id, version, sealed) VALUES (1, ?1, ?2)
                 ON CONFLICT (id) DO UPDATE SET version = excluded.version, sealed = excluded.sealed",
            )?
            .execute(params![stored, sealed])?;
        transaction.commit()?;
        self.note_replaced();
        match self.erase() {
            Ok(()) => Ok(version),
            Err(error) => {
                tracing::warn!(%error, "a replaced state is not erased yet; this will be tried again");
                Err(StoreError::NotErased { version })
            }
        }
    }

    /// Something was replaced: what it was goes from the log with the next replaced state or check, and else in the next quiet
    /// moment.
    pub(super) fn note_replaced(&mut self) {
        self.unerased.get_or_insert_with(Instant::now);
    }

    fn check(&mut self, now: u64) -> Result<(), StoreError> {
        load(&self.connection)?;
        self.connection
            .prepare_cached(
                "INSERT INTO health (id, checked_at) VALUES (1, ?1)
                 ON CONFLICT (id) DO UPDATE SET checked_at = excluded.checked_at",
            )?
            .execute(params![crate::values::time(now)])?;
        self.erase()
    }

    fn erase(&mut self) -> Result<(), StoreError> {
        if self.unerased.is_some() {
            truncate_log(&self.connection)?;
            self.unerased = None;
        }
        Ok(())
    }

    /// The same without letting what comes next wait for a reader of the file.
    fn erase_quickly(&mut self) -> Result<(), StoreError> {
        self.connection.busy_timeout(SHORT_WAIT)?;
        let erased = self.erase();
        self.connection.busy_timeout(schema::BUSY_TIMEOUT)?;
        erased
    }

    /// Runs the jobs until nobody can send more.
    fn work(&mut self, jobs: &Receiver<Job>) {
        let mut pause = QUIET;
        loop {
            let job = match self.unerased {
                None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(since) if since.elapsed() >= LONGEST_PAUSE + pause => {
                    Err(RecvTimeoutError::Timeout)
                }
                Some(_) => jobs.recv_timeout(pause),
            };
            match job {
                Ok(job) => job(self),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => match self.erase_quickly() {
                    Ok(()) => pause = QUIET,
                    Err(error) => {
                        tracing::warn!(%error, "a replaced slot is not erased yet; this will be tried again");
                        pause = (pause * 2).min(LONGEST_PAUSE);
                        self.unerased = Some(Instant::now());
                    }
                },
            }
        }
    }
}

fn load(connection: &Connection) -> Result<Option<NodeState>, StoreError> {
    let row: Option<(i64, Vec<u8>)> = connection
        .prepare_cached("SELECT version, sealed FROM node_state WHERE id = 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    row.map(|(version, sealed)| {
        let version = u64::try_from(version).map_err(|_| StoreError::Corrupt {
            what: "the version of the node's state",
        })?;
        Ok(NodeState { version, sealed })
    })
    .transpose()
}

type Job = Box<dyn FnOnce(&mut Db) + Send>;

/// The way to the thread that owns the connection. Dropping it finishes what is queued.
pub(super) struct Worker {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    fn start(connection: Connection) -> Result<Self, StoreError> {
        let mut db = Db {
            connection,
            // A process that was killed between commit and erasure has left the log.
            unerased: Some(Instant::now()),
        };
        if let Err(error) = db.erase() {
            tracing::warn!(%error, "the log of an earlier run is not erased yet; this will be tried again");
        }
        let (sender, receiver): (_, Receiver<Job>) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("trefoil-store-node".to_owned())
            .spawn(move || db.work(&receiver))
            .map_err(StoreError::backend)?;
        Ok(Self {
            jobs: Some(sender),
            thread: Some(thread),
        })
    }

    pub(super) fn submit<T, F>(
        &self,
        operation: F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&mut Db) -> Result<T, StoreError> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |db| {
            // A caller that no longer listens is no error: what was committed stays committed.
            let _ = sender.send(operation(db));
        });
        let queued = match &self.jobs {
            None => Err(StoreError::Closed),
            Some(jobs) => jobs.try_send(job).map_err(|error| match error {
                TrySendError::Full(_) => StoreError::Busy,
                TrySendError::Disconnected(_) => StoreError::Closed,
            }),
        };
        async move {
            queued?;
            receiver.await.unwrap_or(Err(StoreError::Closed))
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
