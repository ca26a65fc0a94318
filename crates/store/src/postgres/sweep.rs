//! Clearing away what is over, now and then, in every process: whoever comes first takes a row, the others pass it over.

use std::sync::atomic::{AtomicU64, Ordering};

use super::transaction::{Transaction, transact};
use super::upkeep::restore;
use super::{Databases, mailboxes, nonces, sessions};
use crate::error::StoreError;
use crate::values::time;

/// Seconds between two sweeps of one process.
const EVERY: u64 = 10;
/// Rows of each kind that one sweep clears away; many sweeps a minute keep up with any load.
const AT_MOST: i64 = 2000;

/// When this process swept last, and its name.
pub(super) struct Sweeper {
    last: AtomicU64,
    process: [u8; 8],
}

impl Default for Sweeper {
    fn default() -> Self {
        use std::hash::BuildHasher as _;
        // A name that no other process has by accident; nothing depends on its being secret.
        let name = std::collections::hash_map::RandomState::new().hash_one(std::process::id());
        Self {
            last: AtomicU64::new(0),
            process: name.to_be_bytes(),
        }
    }
}

/// Sweeps if it is time.
pub(super) async fn now_and_then(databases: &Databases, now: u64) {
    let last = databases.sweeper.last.load(Ordering::Relaxed);
    let due = now.abs_diff(last) >= EVERY;
    let claimed = due
        && databases
            .sweeper
            .last
            .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok();
    if !claimed {
        return;
    }
    if let Err(error) = all(databases, now).await {
        tracing::warn!(%error, "what is over is not cleared away yet; this will be tried again");
    }
}

/// What one sweep cleared away.
#[derive(Debug, Default)]
pub(super) struct Swept {
    pub(super) sessions: u64,
    pub(super) request_ids: u64,
    pub(super) mailboxes: u64,
}

impl Swept {
    pub(super) const fn is_nothing(&self) -> bool {
        self.sessions == 0 && self.request_ids == 0 && self.mailboxes == 0
    }
}

async fn all(databases: &Databases, now: u64) -> Result<(), StoreError> {
    rows(databases, now).await?;
    nonces::sweep(databases, now).await
}

/// Clears away up to [`AT_MOST`] rows of each kind.
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
            &[&ended, &AT_MOST],
        )
        .await?;
    let request_ids = transaction
        .execute(
            "DELETE FROM request_ids WHERE (tenant, request_id) IN
             (SELECT tenant, request_id FROM request_ids WHERE remember_until < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
            &[&time(now), &AT_MOST],
        )
        .await?;
    transaction
        .execute(
            "DELETE FROM limits WHERE subject IN
             (SELECT subject FROM limits WHERE full_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
            &[&time(now.saturating_mul(1000)), &AT_MOST],
        )
        .await?;
    transaction
        .execute(
            "DELETE FROM health WHERE checked_at < $1",
            &[&time(now.saturating_sub(sessions::ENDED_KEPT))],
        )
        .await?;
    let mailboxes = mailboxes::erase_expired(transaction, now, AT_MOST).await?;
    Ok(Swept {
        sessions,
        request_ids,
        mailboxes,
    })
}

/// Erases what lies in mailboxes whose time is over.
pub(super) async fn mailboxes(databases: &Databases, now: u64) -> Result<(), StoreError> {
    transact!(databases, transaction => async {
        transaction.begin().await?;
        mailboxes::erase_expired(&transaction, now, AT_MOST).await.map(drop)
    })
}

/// Reads and writes durably in both databases, and nothing is being restored.
pub(super) async fn check_ready(databases: &Databases, now: u64) -> Result<(), StoreError> {
    restore::refuse_while_under_way(databases).await?;
    let connection = databases.transaction().await?;
    connection
        .execute(
            "INSERT INTO health (process, checked_at) VALUES ($1, $2)
             ON CONFLICT (process) DO UPDATE SET checked_at = excluded.checked_at",
            &[&databases.sweeper.process.as_slice(), &time(now)],
        )
        .await?;
    let connection = Transaction::on(&databases.nonces).await?;
    connection
        .row("SELECT 1 FROM nonces LIMIT 1", &[])
        .await
        .map(drop)
}
