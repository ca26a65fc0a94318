//! Clearing away what is over, now and then, in every process: whoever comes first takes a row, the others pass it over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::transaction::{Transaction, transact};
use super::upkeep::restore;
use super::{Databases, mailboxes, nonces, sessions};
use crate::error::StoreError;
use crate::values::time;

/// Seconds between two sweeps of one process.
const EVERY: u64 = 10;
/// Rows of each kind that are cleared away in one transaction.
const AT_ONCE: i64 = 2000;
/// Transactions in one sweep at most; the next one goes on.
const LONGEST: u32 = 500;

/// When this process swept last, and its name.
pub(super) struct Sweeper {
    last: AtomicU64,
    running: AtomicBool,
    process: [u8; 8],
}

impl Default for Sweeper {
    fn default() -> Self {
        use std::hash::BuildHasher as _;
        // A name that no other process has by accident; nothing depends on its being secret.
        let name = std::collections::hash_map::RandomState::new().hash_one(std::process::id());
        Self {
            last: AtomicU64::new(0),
            running: AtomicBool::new(false),
            process: name.to_be_bytes(),
        }
    }
}

/// Sweeps if it is time, in a task of its own: nobody waits for it. Every operation that tells the time asks for it, and so does
/// every probe of readiness.
pub(super) fn now_and_then(databases: &Arc<Databases>, now: u64) {
    let sweeper = &databases.sweeper;
    let last = sweeper.last.load(Ordering::Relaxed);
    if now.abs_diff(last) < EVERY || sweeper.running.swap(true, Ordering::AcqRel) {
        return;
    }
    sweeper.last.store(now, Ordering::Relaxed);
    let running = Running(Arc::clone(databases));
    tokio::spawn(async move {
        if let Err(error) = all(&running.0, now).await {
            tracing::warn!(%error, "what is over is not cleared away yet; this will be tried again");
        }
    });
}

/// A sweep under way, however it ends.
struct Running(Arc<Databases>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.sweeper.running.store(false, Ordering::Release);
    }
}

async fn all(databases: &Databases, now: u64) -> Result<(), StoreError> {
    for _ in 0..LONGEST {
        if !rows(databases, now).await?.is_full() {
            break;
        }
    }
    for _ in 0..LONGEST {
        if !nonces::sweep(databases, now).await? {
            break;
        }
    }
    Ok(())
}

/// What one transaction cleared away.
#[derive(Debug, Default)]
pub(super) struct Swept {
    pub(super) sessions: u64,
    pub(super) request_ids: u64,
    pub(super) mailboxes: u64,
    limits: u64,
}

impl Swept {
    fn most(&self) -> u64 {
        let kinds = [self.sessions, self.request_ids, self.mailboxes, self.limits];
        kinds.into_iter().max().unwrap_or_default()
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.most() == 0
    }

    /// Whether there may be more.
    fn is_full(&self) -> bool {
        self.most() >= u64::try_from(AT_ONCE).unwrap_or_default()
    }
}

/// Clears away up to [`AT_ONCE`] rows of each kind.
pub(super) async fn rows(databases: &Databases, now: u64) -> Result<Swept, StoreError> {
    transact!(databases, transaction => rows_once(&transaction, now))
}

async fn rows_once(transaction: &Transaction, now: u64) -> Result<Swept, StoreError> {
    transaction.begin().await?;
    let ended = time(now.saturating_sub(sessions::ENDED_KEPT));
    let sessions = transaction
        .execute(
            "DELETE FROM sessions WHERE (tenant, account_id, token_hash) IN
             (SELECT tenant, account_id, token_hash FROM sessions WHERE expires < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
            &[&ended, &AT_ONCE],
        )
        .await?;
    let request_ids = transaction
        .execute(
            "DELETE FROM request_ids WHERE (tenant, request_id) IN
             (SELECT tenant, request_id FROM request_ids WHERE remember_until < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
            &[&time(now), &AT_ONCE],
        )
        .await?;
    let limits = transaction
        .execute(
            "DELETE FROM limits WHERE subject IN
             (SELECT subject FROM limits WHERE full_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
            &[&time(now.saturating_mul(1000)), &AT_ONCE],
        )
        .await?;
    transaction
        .execute(
            "DELETE FROM health WHERE checked_at < $1",
            &[&time(now.saturating_sub(sessions::ENDED_KEPT))],
        )
        .await?;
    let mailboxes = mailboxes::erase_expired(transaction, now, AT_ONCE).await?;
    Ok(Swept {
        sessions,
        request_ids,
        mailboxes,
        limits,
    })
}

/// Erases what lies in mailboxes whose time is over.
pub(super) async fn mailboxes(databases: &Databases, now: u64) -> Result<(), StoreError> {
    transact!(databases, transaction => async {
        transaction.begin().await?;
        mailboxes::erase_expired(&transaction, now, AT_ONCE).await.map(drop)
    })
}

/// Writes durably in both databases; and nothing is being restored.
pub(super) async fn check_ready(databases: &Databases, now: u64) -> Result<(), StoreError> {
    restore::refuse_while_under_way(databases).await?;
    transact!(databases, connection => write(databases, &connection, now))?;
    transact!(on databases.nonces, connection => write(databases, &connection, now))
}

async fn write(
    databases: &Databases,
    connection: &Transaction,
    now: u64,
) -> Result<(), StoreError> {
    connection
        .execute(
            "INSERT INTO health (process, checked_at) VALUES ($1, $2)
             ON CONFLICT (process) DO UPDATE SET checked_at = excluded.checked_at",
            &[&databases.sweeper.process.as_slice(), &time(now)],
        )
        .await
        .map(drop)
}
