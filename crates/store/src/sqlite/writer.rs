//! The writer: one thread that owns both files' writing connections and commits in groups.
//!
//! It takes all jobs that are queued, runs each in a savepoint of one transaction, and answers only when that transaction
//! is durable. While it waits for the disk the next group gathers, so throughput grows with load and a lone job waits for
//! nobody.
//!
//! One turn: (1) the group's sealed nonces become durable in the nonce store; (2) the record transaction; (3) answers;
//! (4) erasure of nonces that were ended, or written for a job that was refused; jobs that ended one are answered after it.
//! After a crash between (1) and (2) a nonce is left *unsettled*, between (2) and (4) its key is in the outbox: both are
//! looked at when the store opens.

use std::sync::mpsc::{
    Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel,
};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use super::nonces::{NewNonce, NonceDb, truncate_log_soon};
use super::rows;
use crate::at_rest::AtRest;
use crate::error::StoreError;
use crate::values::NonceKey;

/// Jobs that may wait before the store answers [`StoreError::Busy`].
const QUEUE: usize = 4096;
/// Jobs in one transaction at most.
const GROUP: usize = 256;
/// Quiet time after which leftovers are tidied and the log is cut, so that erased bytes leave it.
const QUIET: Duration = Duration::from_millis(200);
/// Longest time between two attempts at it, also where it is never quiet.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Keys looked at in one erasure.
const ERASED_AT_ONCE: usize = 1000;

/// What a job works with: the open transaction of the records and the nonce store.
pub(super) struct Transaction<'a> {
    pub(super) records: &'a Connection,
    pub(super) nonces: &'a NonceDb,
    pub(super) at_rest: AtRest,
    ended: Vec<NonceKey>,
}

impl Transaction<'_> {
    /// Queues the erasure of a nonce in this transaction.
    pub(super) fn end_nonce(&mut self, key: NonceKey) -> Result<(), StoreError> {
        self.records
            .prepare_cached(
                "INSERT INTO nonce_erasures (tenant, account_id, nonce_hash) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                key.tenant.as_str(),
                key.account_id.as_bytes(),
                key.hash.as_bytes()
            ])?;
        self.ended.push(key);
        Ok(())
    }

    /// Has a nonce erased after this transaction unless a record names it then. Where the process ends before, it stays.
    pub(super) fn erase_unnamed(&mut self, key: NonceKey) {
        self.ended.push(key);
    }
}

type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// A job after its savepoint.
struct Ran {
    /// Why it was rolled back, if it was.
    error: Option<StoreError>,
    ended: Vec<NonceKey>,
    /// Tells the caller: its own result when the transaction is durable, or why that is not so.
    answer: Answer,
}

type Run = Box<dyn FnOnce(Result<(&Connection, &NonceDb), StoreError>) -> Ran + Send>;

struct Job {
    nonce: Option<NewNonce>,
    /// Given the open transaction, or why there is none.
    run: Run,
}

/// What becomes of nonces that an earlier process wrote and no record names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leftovers {
    Erase,
    /// While records come back nothing can be said about which nonces they will name.
    Keep,
}

/// The way to the writer thread. Dropping it finishes the queued jobs and closes the files.
pub(super) struct Writer {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    at_rest: AtRest,
}

impl Writer {
    /// Starts the thread, after finishing what an earlier process left behind.
    pub(super) fn start(
        records: Connection,
        nonces: NonceDb,
        at_rest: AtRest,
        leftovers: Leftovers,
    ) -> Result<Self, StoreError> {
        let state = State::recover(records, nonces, leftovers)?;
        let (sender, receiver) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("trefoil-store-writer".to_owned())
            .spawn(move || state.serve(&receiver))
            .map_err(StoreError::backend)?;
        Ok(Self {
            jobs: Some(sender),
            thread: Some(thread),
            at_rest,
        })
    }

    /// Runs `operation` in a transaction. `nonce` is durable before it starts.
    pub(super) fn submit<T, F>(
        &self,
        nonce: Option<NewNonce>,
        operation: F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel::<Result<T, StoreError>>();
        let at_rest = self.at_rest.clone();
        let run: Run = Box::new(move |open| {
            let mut ended = Vec::new();
            let result = open.and_then(|(records, nonces)| {
                let mut transaction = Transaction {
                    records,
                    nonces,
                    at_rest,
                    ended: Vec::new(),
                };
                let result = operation(&mut transaction);
                ended = transaction.ended;
                result
            });
            Ran {
                error: result.as_ref().err().cloned(),
                ended,
                answer: Box::new(move |durable| {
                    // A caller that no longer listens is no error: what was committed stays committed.
                    let _ = sender.send(durable.and(result));
                }),
            }
        });
        let queued = match &self.jobs {
            None => Err(StoreError::Closed),
            Some(jobs) => jobs
                .try_send(Job { nonce, run })
                .map_err(|error| match error {
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

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct State {
    records: Connection,
    nonces: NonceDb,
    /// Written nonces of which it has to be seen whether a record names them.
    to_check: Vec<NonceKey>,
    /// Nonces whose record is committed, not yet marked so.
    to_settle: Vec<NonceKey>,
    /// Nonces that nothing names, still in the nonce store.
    to_erase: Vec<NonceKey>,
    /// Nonces that are erased, with an outbox row that may still be there.
    erased: Vec<NonceKey>,
    /// Whether the records' log may hold old pages.
    log_dirty: bool,
}

impl State {
    fn recover(
        records: Connection,
        nonces: NonceDb,
        leftovers: Leftovers,
    ) -> Result<Self, StoreError> {
        let to_check = match leftovers {
            Leftovers::Keep => Vec::new(),
            Leftovers::Erase => nonces.unsettled()?,
        };
        let to_erase = outbox(&records)?;
        let mut state = Self {
            records,
            nonces,
            to_check,
            to_settle: Vec::new(),
            to_erase,
            erased: Vec::new(),
            log_dirty: true,
        };
        if let Err(error) = state.tidy() {
            tracing::warn!(%error, "leftovers of an earlier run are not erased yet; this will be tried again");
        }
        Ok(state)
    }

    fn serve(mut self, jobs: &Receiver<Job>) {
        let mut pause = QUIET;
        let mut tidied = Instant::now();
        loop {
            // With nothing left to tidy there is no reason to wake up.
            let next = if self.is_tidy() {
                jobs.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                jobs.recv_timeout(pause)
            };
            match next {
                Ok(first) => {
                    self.turn(first, jobs);
                    if tidied.elapsed() < LONGEST_PAUSE {
                        pause = QUIET;
                        continue;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            tidied = Instant::now();
            if let Err(error) = self.tidy() {
                pause = (pause * 2).min(LONGEST_PAUSE);
                tracing::warn!(%error, "erased data may still be in the files; this will be tried again");
            }
        }
        if let Err(error) = self.tidy() {
            tracing::warn!(%error, "erased data may still be in the files; the next start tries again");
        }
    }

    fn turn(&mut self, first: Job, jobs: &Receiver<Job>) {
        let mut group = vec![first];
        while group.len() < GROUP {
            match jobs.try_recv() {
                Ok(job) => group.push(job),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        let new_nonces: Vec<NewNonce> = group
            .iter_mut()
            .filter_map(|job| job.nonce.take())
            .collect();
        let mut ran = Vec::with_capacity(group.len());
        let durable = self.transact(group, &new_nonces, &mut ran);
        if let Err(error) = &durable {
            tracing::error!(%error, jobs = ran.len(), "a transaction of the store failed; its jobs are refused");
        }

        // Answers wait for an erasure where there is one: afterwards the nonce is gone, not only unusable.
        let mut later = Vec::new();
        let refused_with_nonce =
            |error: &Option<StoreError>| error.is_some() && !new_nonces.is_empty();
        for Ran {
            error,
            ended,
            answer,
        } in ran
        {
            let keep = durable.is_ok() && error.is_none();
            if refused_with_nonce(&error) || (keep && !ended.is_empty()) {
                later.push(answer);
            } else {
                answer(durable.clone());
            }
            if keep {
                self.to_erase.extend(ended);
            }
        }
        self.to_check
            .extend(new_nonces.into_iter().map(|new| new.key));
        if let Err(error) = self.check_nonces().and_then(|()| self.erase_nonces()) {
            tracing::warn!(%error, "nonces are not erased yet; this will be tried again");
        }
        for answer in later {
            answer(durable.clone());
        }
    }

    /// The group's nonces, then one transaction with one savepoint per job. Every job ends up in `ran`.
    fn transact(
        &mut self,
        group: Vec<Job>,
        nonces: &[NewNonce],
        ran: &mut Vec<Ran>,
    ) -> Result<(), StoreError> {
        let mut group = group.into_iter();
        let result = (|| {
            if !nonces.is_empty() {
                self.nonces.write(nonces.iter())?;
            }
            execute(&self.records, "BEGIN IMMEDIATE")?;
            self.log_dirty = true;
            for key in &self.erased {
                forget_erasure(&self.records, key)?;
            }
            for job in group.by_ref() {
                execute(&self.records, "SAVEPOINT job")?;
                let done = (job.run)(Ok((&self.records, &self.nonces)));
                let error = done.error.clone();
                ran.push(done);
                if let Some(error) = error {
                    // Some faults (a full disk) end the whole transaction by themselves.
                    if self.records.is_autocommit() {
                        return Err(error);
                    }
                    execute(&self.records, "ROLLBACK TO job")?;
                }
                execute(&self.records, "RELEASE job")?;
            }
            execute(&self.records, "COMMIT")
        })();
        match &result {
            Ok(()) => self.erased.clear(),
            Err(error) => {
                if !self.records.is_autocommit()
                    && let Err(error) = execute(&self.records, "ROLLBACK")
                {
                    tracing::error!(%error, "a failed transaction could not be rolled back");
                }
                ran.extend(group.map(|job| (job.run)(Err(error.clone()))));
            }
        }
        result
    }

    const fn is_tidy(&self) -> bool {
        !self.log_dirty
            && self.to_check.is_empty()
            && self.to_settle.is_empty()
            && self.to_erase.is_empty()
            && self.erased.is_empty()
    }

    /// Everything that may wait for a quiet moment.
    fn tidy(&mut self) -> Result<(), StoreError> {
        self.check_nonces()?;
        self.erase_nonces()?;
        if !self.to_settle.is_empty() {
            self.nonces.settle(&self.to_settle)?;
            self.to_settle.clear();
        }
        if !self.erased.is_empty() {
            let transaction = self.records.unchecked_transaction()?;
            for key in &self.erased {
                forget_erasure(&transaction, key)?;
            }
            transaction.commit()?;
            self.erased.clear();
            self.log_dirty = true;
        }
        if self.log_dirty {
            truncate_log_soon(&self.records)?;
            self.log_dirty = false;
        }
        Ok(())
    }

    fn check_nonces(&mut self) -> Result<(), StoreError> {
        while let Some(key) = self.to_check.last() {
            let named = self.is_named(key)?;
            if let Some(key) = self.to_check.pop() {
                if named {
                    self.to_settle.push(key)
                } else {
                    self.to_erase.push(key)
                }
            }
        }
        Ok(())
    }

    fn erase_nonces(&mut self) -> Result<(), StoreError> {
        while !self.to_erase.is_empty() {
            let rest = self.to_erase.len().saturating_sub(ERASED_AT_ONCE);
            let mut unnamed = Vec::new();
            for key in self.to_erase.iter().skip(rest) {
                // A later commit may have brought the same nonce back.
                if !self.is_named(key)? {
                    unnamed.push(key.clone());
                }
            }
            self.nonces.erase(&unnamed)?;
            self.erased.extend(self.to_erase.drain(rest..));
        }
        Ok(())
    }

    fn is_named(&self, key: &NonceKey) -> Result<bool, StoreError> {
        Ok(rows::current_nonce(&self.records, &key.tenant, key.account_id)? == Some(key.hash))
    }
}

fn execute(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

fn outbox(records: &Connection) -> Result<Vec<NonceKey>, StoreError> {
    let mut statement =
        records.prepare("SELECT tenant, account_id, nonce_hash FROM nonce_erasures")?;
    let mut found = statement.query([])?;
    let mut keys = Vec::new();
    while let Some(row) = found.next()? {
        keys.push(rows::nonce_key(row)?);
    }
    Ok(keys)
}

fn forget_erasure(records: &Connection, key: &NonceKey) -> Result<(), StoreError> {
    records
        .prepare_cached(
            "DELETE FROM nonce_erasures WHERE tenant = ?1 AND account_id = ?2 AND nonce_hash = ?3",
        )?
        .execute(params![
            key.tenant.as_str(),
            key.account_id.as_bytes(),
            key.hash.as_bytes()
        ])?;
    Ok(())
}
