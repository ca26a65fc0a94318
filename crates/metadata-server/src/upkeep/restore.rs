//! Restore a backup into an empty store (protocol section 7).

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use trefoil_protocol::bytes::PayloadHash;
use trefoil_store::{AtRest, DumpEntry, DumpedNonce, StoreError, UpkeepStore};

use super::file::{self, FileError, Kind, Opened};
use super::nonces::without_nonce;
use super::verify::{Check, Problem, VerifyReport};
use super::{AccountName, NONCE_HORIZON};

/// Accounts that are loaded in one transaction.
const AT_ONCE: usize = 200;

/// What is restored, and how.
#[derive(Debug, Clone)]
pub struct Restore {
    records: PathBuf,
    nonces: Vec<PathBuf>,
    horizon: u64,
    allow_old_nonces: bool,
    accept_problems: bool,
    accept_missing_nonces: bool,
}

impl Restore {
    /// From this backup of records.
    #[must_use]
    pub fn new(records: impl Into<PathBuf>) -> Self {
        Self {
            records: records.into(),
            nonces: Vec::new(),
            horizon: NONCE_HORIZON,
            allow_old_nonces: false,
            accept_problems: false,
            accept_missing_nonces: false,
        }
    }

    /// Also from this backup of nonces. For each record the nonce whose hash it carries is taken, from the store itself or from
    /// any of these.
    #[must_use]
    pub fn nonces(mut self, path: impl Into<PathBuf>) -> Self {
        self.nonces.push(path.into());
        self
    }

    /// For how long a backup of nonces may be kept, in seconds; [`NONCE_HORIZON`] unless set.
    #[must_use]
    pub const fn horizon(mut self, seconds: u64) -> Self {
        self.horizon = seconds;
        self
    }

    /// Take nonces also from backups that are older than they may be.
    #[must_use]
    pub const fn allow_old_nonces(mut self, allow: bool) -> Self {
        self.allow_old_nonces = allow;
        self
    }

    /// Restore also a backup in which something does not hold together.
    #[must_use]
    pub const fn accept_problems(mut self, accept: bool) -> Self {
        self.accept_problems = accept;
        self
    }

    /// Let the store serve also where accounts lack their nonce.
    #[must_use]
    pub const fn accept_missing_nonces(mut self, accept: bool) -> Self {
        self.accept_missing_nonces = accept;
        self
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestoreReport {
    /// Accounts in the store.
    pub accounts: u64,
    /// Deleted accounts in the store.
    pub tombstones: u64,
    /// Records that name a nonce.
    pub nonces_named: u64,
    /// Nonces that came from backups; the others were there.
    pub nonces_loaded: u64,
    /// The accounts whose record names a nonce that is not there. No factor opens them before a backup with that nonce, or with
    /// a newer record, is found; their owners have what they exported.
    pub without_nonce: Vec<AccountName>,
    /// What does not hold together and was accepted.
    pub problems: Vec<Problem>,
    /// Slots that are sealed and were not looked into, for want of keys: without the keys no guess at them is answered.
    pub slots_unread: u64,
    /// Whether the store may serve now. It may not where accounts lack their nonce and nobody has accepted that: the same
    /// restore again, with more nonce backups or accepting it, finishes it.
    pub finished: bool,
}

/// Why a restore stopped. It can be run again, and goes on where it stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The store refuses or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file is of no use.
    #[error(transparent)]
    File(#[from] FileError),
    /// A backup of nonces should have been erased.
    #[error(
        "{} is {days} days old; backups of nonces are not kept so long, since they hold what accounts have ended: erase it, or \
         allow it for this once", path.display()
    )]
    OldNonces {
        /// Which file.
        path: PathBuf,
        /// Its age.
        days: u64,
    },
    /// The backup does not hold together. Nothing was changed.
    #[error("the backup does not hold together ({} problems); use another one, or accept what is wrong", .0.len())]
    Problems(Vec<Problem>),
    /// A file is another one than it was a moment ago.
    #[error("{} was changed meanwhile; run the restore again", .0.display())]
    Changed(PathBuf),
    /// The thread that read ended early.
    #[error("reading was cut off")]
    Interrupted,
}

/// Restores into `store`, which is empty, or in which the same restore was cut off; its nonce store may hold nonces. Everything is
/// read and checked before anything is changed. With keys, slots are looked into.
///
/// Until it is finished the store serves nobody.
///
/// # Errors
/// [`RestoreError`].
pub async fn restore(
    store: &(impl UpkeepStore + ?Sized),
    at_rest: &AtRest,
    plan: Restore,
    now: u64,
) -> Result<RestoreReport, RestoreError> {
    let (records, keys, allowed) = (plan.clone(), at_rest.clone(), plan.accept_problems);
    let (sha256, checked) = blocking(move || check(&records, &keys, now)).await?;
    if !checked.problems.is_empty() && !allowed {
        return Err(RestoreError::Problems(checked.problems));
    }
    store.begin_restore(*sha256.as_bytes()).await?;
    load_records(store, &plan.records, sha256).await?;
    let mut nonces_loaded = 0;
    for path in &plan.nonces {
        nonces_loaded += load_nonces(store, path).await?;
    }
    let (without_nonce, nonces_named) = without_nonce(store).await?;
    let finished = without_nonce.is_empty() || plan.accept_missing_nonces;
    if finished {
        store.finish_restore().await?;
    }
    let stats = store.stats().await?;
    Ok(RestoreReport {
        accounts: stats.accounts,
        tombstones: stats.tombstones,
        nonces_named,
        nonces_loaded,
        without_nonce,
        problems: checked.problems,
        slots_unread: checked.slots_unread,
        finished,
    })
}

/// Reads every file to its end; gives the name of the records' backup and what was found in it.
fn check(
    plan: &Restore,
    at_rest: &AtRest,
    now: u64,
) -> Result<(PayloadHash, VerifyReport), RestoreError> {
    for path in &plan.nonces {
        let Opened {
            made_at,
            mut entries,
        } = file::open::<DumpedNonce>(path, Kind::Nonces)?;
        let age = now.saturating_sub(made_at);
        if age > plan.horizon && !plan.allow_old_nonces {
            return Err(RestoreError::OldNonces {
                path: path.clone(),
                days: age / (24 * 3600),
            });
        }
        while entries.next()?.is_some() {}
    }
    let mut entries = file::open::<DumpEntry>(&plan.records, Kind::Records)?.entries;
    let mut check = Check::default();
    while let Some(entry) = entries.next()? {
        check.entry(&entry, at_rest);
    }
    let sha256 = entries
        .sha256()
        .ok_or_else(|| FileError::Damaged(plan.records.clone()))?;
    Ok((sha256, check.report))
}

async fn load_records(
    store: &(impl UpkeepStore + ?Sized),
    path: &Path,
    checked: PayloadHash,
) -> Result<(), RestoreError> {
    let owned = path.to_owned();
    let mut file =
        blocking(move || Ok(file::open::<DumpEntry>(&owned, Kind::Records)?.entries)).await?;
    loop {
        let (back, some) = part(file, AT_ONCE).await?;
        file = back;
        if some.is_empty() {
            break;
        }
        store.load(some).await?;
    }
    if file.sha256() == Some(checked) {
        Ok(())
    } else {
        Err(RestoreError::Changed(path.to_owned()))
    }
}

async fn load_nonces(
    store: &(impl UpkeepStore + ?Sized),
    path: &Path,
) -> Result<u64, RestoreError> {
    let path = path.to_owned();
    let mut file =
        blocking(move || Ok(file::open::<DumpedNonce>(&path, Kind::Nonces)?.entries)).await?;
    let mut loaded = 0;
    loop {
        let (back, some) = part(file, AT_ONCE).await?;
        file = back;
        if some.is_empty() {
            return Ok(loaded);
        }
        loaded += store.load_nonces(some).await?;
    }
}

async fn part<T: DeserializeOwned + Send + 'static>(
    mut file: file::Entries<T>,
    limit: usize,
) -> Result<(file::Entries<T>, Vec<T>), RestoreError> {
    blocking(move || {
        let some = file.some(limit)?;
        Ok((file, some))
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RestoreError> + Send + 'static,
) -> Result<T, RestoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| RestoreError::Interrupted)?
}
