//! Go through a store or a backup and say what does not hold together.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tokio::sync::mpsc;
use trefoil_protocol::bytes::{AccountId, Locator};
use trefoil_protocol::tenant::Tenant;
use trefoil_store::{AtRest, DumpEntry, DumpedNonce, StoreError, StoreReader};

use super::file::{self, Entries, FileError, Kind};
use super::nonces::{AT_ONCE, WAITING, missing, still_missing};
use super::{AccountName, NamedNonce, account};

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Accounts that were looked at.
    pub accounts: u64,
    /// Deleted accounts.
    pub tombstones: u64,
    /// Factors, enrolled and removed.
    pub factors: u64,
    /// Events.
    pub events: u64,
    /// Slots, held and ended.
    pub slots: u64,
    /// Slots that are sealed and were not looked into, for want of keys.
    pub slots_unread: u64,
    /// Records that name a nonce.
    pub nonces_named: u64,
    /// What does not hold together.
    pub problems: Vec<Problem>,
    /// The accounts whose record names a nonce that is not there. No factor opens them before a backup with that nonce, or with
    /// a newer record, is found; their owners have what they exported.
    pub without_nonce: Vec<AccountName>,
}

/// Something that does not hold together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Name space.
    pub tenant: Tenant,
    /// The account.
    pub account_id: AccountId,
    /// In plain words, without anything secret.
    pub what: String,
}

/// Why a verification could not be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of a backup is of no use.
    #[error(transparent)]
    File(#[from] FileError),
    /// The thread that read ended early.
    #[error("reading was cut off")]
    Interrupted,
}

/// Goes through everything of a store, beside running servers. With keys, slots are looked into.
///
/// # Errors
/// [`VerifyError`]; what is wrong with accounts is in the report.
pub async fn verify(
    reader: &(impl StoreReader + ?Sized),
    at_rest: &AtRest,
) -> Result<VerifyReport, VerifyError> {
    let (sender, mut receiver) = mpsc::channel(WAITING);
    let look = async {
        let mut check = Check::default();
        let (mut asked, mut lacking) = (Vec::new(), Vec::new());
        while let Some(entry) = receiver.recv().await {
            asked.extend(check.entry(&entry, at_rest));
            if asked.len() >= AT_ONCE {
                lacking.extend(missing(reader, std::mem::take(&mut asked)).await?);
            }
        }
        lacking.extend(missing(reader, asked).await?);
        Ok::<_, StoreError>((check, lacking))
    };
    let (done, looked) = tokio::join!(reader.dump(sender), look);
    done?;
    let (check, lacking) = looked?;
    let mut report = check.report;
    report.without_nonce = still_missing(reader, &lacking).await?;
    Ok(report)
}

/// The same for a backup, with the nonces of any number of nonce backups. Reads each file to its end.
///
/// # Errors
/// [`VerifyError`]; what is wrong with accounts is in the report.
pub async fn verify_files(
    records: &Path,
    nonces: &[PathBuf],
    at_rest: &AtRest,
) -> Result<VerifyReport, VerifyError> {
    let (records, nonces, at_rest) = (records.to_owned(), nonces.to_vec(), at_rest.clone());
    tokio::task::spawn_blocking(move || {
        let mut held = BTreeSet::new();
        for path in &nonces {
            let mut entries: Entries<DumpedNonce> = file::open(path, Kind::Nonces)?.entries;
            while let Some(nonce) = entries.next()? {
                held.insert((nonce.tenant, nonce.account_id, nonce.sealed.hash()));
            }
        }
        let mut check = Check::default();
        let mut entries: Entries<DumpEntry> = file::open(&records, Kind::Records)?.entries;
        while let Some(entry) = entries.next()? {
            let named = check.entry(&entry, &at_rest);
            if let Some((tenant, account_id, _)) = named.filter(|named| !held.contains(named)) {
                check
                    .report
                    .without_nonce
                    .push(AccountName { tenant, account_id });
            }
        }
        check.report.without_nonce.sort();
        Ok(check.report)
    })
    .await
    .map_err(|_| VerifyError::Interrupted)?
}

/// What is remembered from account to account.
#[derive(Default)]
pub(super) struct Check {
    pub(super) report: VerifyReport,
    accounts: BTreeSet<AccountName>,
    locators: BTreeSet<(Tenant, Locator)>,
    slots: BTreeSet<[u8; 16]>,
}

impl Check {
    /// Looks at an entry and gives the nonce that it names.
    pub(super) fn entry(&mut self, entry: &DumpEntry, at_rest: &AtRest) -> Option<NamedNonce> {
        let (tenant, account_id, slots) = match entry {
            DumpEntry::Account(account) => (&account.tenant, account.account_id, &account.slots),
            DumpEntry::Tombstone {
                tenant,
                account_id,
                slots,
                ..
            } => (tenant, *account_id, slots),
        };
        let mut problems = Vec::new();
        let name = AccountName {
            tenant: tenant.clone(),
            account_id,
        };
        if !self.accounts.insert(name) {
            problems.push("the account stands twice".to_owned());
        }
        for slot in slots {
            if !self.slots.insert(*slot.slot_id.as_bytes()) {
                problems.push(format!("slot {} stands twice", slot.slot_id));
            }
        }
        let (of_slots, unread) = account::slot_problems(tenant, slots, at_rest);
        problems.extend(of_slots);
        let count = |things: usize| u64::try_from(things).unwrap_or(u64::MAX);
        self.report.slots += count(slots.len());
        self.report.slots_unread += unread;

        let mut named = None;
        match entry {
            DumpEntry::Account(held) => {
                self.report.accounts += 1;
                self.report.factors += count(held.factors.len());
                self.report.events += count(held.events.len());
                for factor in &held.factors {
                    if !self.locators.insert((tenant.clone(), factor.locator)) {
                        problems.push(format!("the factor {} stands twice", factor.locator));
                    }
                }
                problems.extend(account::problems(held));
                named = held
                    .nonce_hash
                    .map(|hash| (tenant.clone(), account_id, hash));
            }
            DumpEntry::Tombstone { .. } => {
                self.report.tombstones += 1;
                if slots.iter().any(|slot| slot.held) {
                    problems.push("a deleted account has a slot that is not ended".to_owned());
                }
            }
        }
        self.report.nonces_named += u64::from(named.is_some());
        let told = problems.into_iter().map(|what| Problem {
            tenant: tenant.clone(),
            account_id,
            what,
        });
        self.report.problems.extend(told);
        named
    }
}
