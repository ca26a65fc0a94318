//! Send everything that a backup holds, as one snapshot.

use std::collections::BTreeMap;

use tokio::sync::mpsc::Sender;
use tokio_postgres::Row;
use trefoil_protocol::bytes::{
    AccountId, Blob, Envelope, EnvelopeHash, Locator, NonceHash, PayloadHash, SealedNonce,
    Signature, SlotId,
};
use trefoil_protocol::tenant::Tenant;

use crate::error::StoreError;
use crate::postgres::rows::{NO_RECORD, array, optional_array, share_index};
use crate::postgres::transaction::Transaction;
use crate::postgres::{Databases, nonces as nonce_store};
use crate::upkeep_store::{
    DumpEntry, DumpedAccount, DumpedEnvelope, DumpedFactor, DumpedNonce, DumpedSlot,
};
use crate::values::{NonceKey, actions_from_text, from_sql, tenant_from_text};

/// One view of the database for all statements.
const SNAPSHOT: &str = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";
/// Accounts that are read at once.
const PAGE: i64 = 200;
/// Nonces that are read at once: small ones.
const NONCES_PAGE: i64 = 1000;

/// Ends early, without an error, where nobody listens any more.
pub(super) async fn entries(
    databases: &Databases,
    entries: &Sender<DumpEntry>,
) -> Result<(), StoreError> {
    let transaction = Transaction::on(&databases.records).await?;
    let sent = async {
        transaction.begin_unhurried().await?;
        transaction.execute(SNAPSHOT, &[]).await?;
        if accounts(&transaction, entries).await? {
            tombstones(&transaction, entries).await?;
        }
        Ok(())
    }
    .await;
    transaction.end(sent).await
}

/// Gives whether somebody still listens.
async fn accounts(
    transaction: &Transaction,
    entries: &Sender<DumpEntry>,
) -> Result<bool, StoreError> {
    let mut after = Name::default();
    loop {
        let rows = transaction
            .rows(ACCOUNTS, &[&after.tenant, &after.account, &PAGE])
            .await?;
        let Some(last) = rows.last().map(Name::read).transpose()? else {
            return Ok(true);
        };
        for account in read_accounts(transaction, &rows, &after, &last).await? {
            if entries
                .send(DumpEntry::Account(Box::new(account)))
                .await
                .is_err()
            {
                return Ok(false);
            }
        }
        after = last;
    }
}

async fn tombstones(
    transaction: &Transaction,
    entries: &Sender<DumpEntry>,
) -> Result<(), StoreError> {
    let mut after = Name::default();
    loop {
        let rows = transaction
            .rows(TOMBSTONES, &[&after.tenant, &after.account, &PAGE])
            .await?;
        let Some(last) = rows.last().map(Name::read).transpose()? else {
            return Ok(());
        };
        let mut slots = slots_between(transaction, &after, &last).await?;
        for row in &rows {
            let (tenant, account_id) = name(row)?;
            let tombstone = DumpEntry::Tombstone {
                deleted_at: from_sql(row.try_get(2)?),
                slots: slots.remove(&Name::read(row)?).unwrap_or_default(),
                tenant,
                account_id,
            };
            if entries.send(tombstone).await.is_err() {
                return Ok(());
            }
        }
        after = last;
    }
}

/// The account as it would be dumped now.
pub(super) async fn held(
    transaction: &Transaction,
    tenant: &Tenant,
    account_id: &AccountId,
) -> Result<Option<DumpedAccount>, StoreError> {
    let (name, account) = (tenant.as_str(), account_id.as_bytes().as_slice());
    let rows = transaction.rows(ACCOUNT, &[&name, &account]).await?;
    let name = Name {
        tenant: name.to_owned(),
        account: account.to_vec(),
    };
    // A range that holds this one alone.
    let accounts = read_accounts(transaction, &rows, &name.before(), &name).await?;
    Ok(accounts.into_iter().next())
}

/// The slots of an account, also of a deleted one.
pub(super) async fn slots(
    transaction: &Transaction,
    tenant: &Tenant,
    account_id: &AccountId,
) -> Result<Vec<DumpedSlot>, StoreError> {
    let name = Name {
        tenant: tenant.as_str().to_owned(),
        account: account_id.as_bytes().to_vec(),
    };
    let mut slots = slots_between(transaction, &name.before(), &name).await?;
    Ok(slots.remove(&name).unwrap_or_default())
}

/// Tenant and account as the database orders them; the empty one is before all.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    tenant: String,
    account: Vec<u8>,
}

impl Name {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            tenant: row.try_get(0)?,
            account: row.try_get(1)?,
        })
    }

    /// A name that is before this one, with no account's between the two: ids all have the same length.
    fn before(&self) -> Self {
        let mut account = self.account.clone();
        account.pop();
        let last = self.account.last().copied().unwrap_or_default();
        if let Some(smaller) = last.checked_sub(1) {
            account.push(smaller);
            account.push(u8::MAX);
        }
        Self {
            tenant: self.tenant.clone(),
            account,
        }
    }
}

const ACCOUNT: &str =
    "SELECT a.tenant, a.account_id, a.logins, a.event_seq, a.event_head, r.revision,
     r.payload_hash, r.nonce_hash, r.actions, r.signature, r.payload FROM accounts a
     LEFT JOIN records r ON r.tenant = a.tenant AND r.account_id = a.account_id
     WHERE a.tenant = $1 AND a.account_id = $2";
const ACCOUNTS: &str =
    "SELECT a.tenant, a.account_id, a.logins, a.event_seq, a.event_head, r.revision,
     r.payload_hash, r.nonce_hash, r.actions, r.signature, r.payload FROM accounts a
     LEFT JOIN records r ON r.tenant = a.tenant AND r.account_id = a.account_id
     WHERE (a.tenant, a.account_id) > ($1, $2) ORDER BY a.tenant, a.account_id LIMIT $3";
const TOMBSTONES: &str = "SELECT tenant, account_id, deleted_at FROM tombstones
     WHERE (tenant, account_id) > ($1, $2) ORDER BY tenant, account_id LIMIT $3";
const EVENTS: &str = "SELECT tenant, account_id, body FROM events
     WHERE (tenant, account_id) > ($1, $2) AND (tenant, account_id) <= ($3, $4) ORDER BY tenant, account_id, seq";
const FACTORS: &str =
    "SELECT tenant, account_id, locator, share_index, envelope_hash, envelope FROM factors
     WHERE (tenant, account_id) > ($1, $2) AND (tenant, account_id) <= ($3, $4)
     ORDER BY tenant, account_id, locator";
const SLOTS: &str = "SELECT tenant, account_id, slot_id, version, held, record FROM slots
     WHERE (tenant, account_id) > ($1, $2) AND (tenant, account_id) <= ($3, $4)
     ORDER BY tenant, account_id, slot_id";

fn name(row: &Row) -> Result<(Tenant, AccountId), StoreError> {
    Ok((
        tenant_from_text(row.try_get(0)?)?,
        AccountId::from_bytes(array(row, 1)?),
    ))
}

/// What belongs to each account after the first name and up to the last.
async fn between<T>(
    transaction: &Transaction,
    sql: &str,
    after: &Name,
    last: &Name,
    read: impl Fn(&Row) -> Result<T, StoreError>,
) -> Result<BTreeMap<Name, Vec<T>>, StoreError> {
    let rows = transaction
        .rows(
            sql,
            &[&after.tenant, &after.account, &last.tenant, &last.account],
        )
        .await?;
    let mut found: BTreeMap<Name, Vec<T>> = BTreeMap::new();
    for row in &rows {
        found.entry(Name::read(row)?).or_default().push(read(row)?);
    }
    Ok(found)
}

async fn slots_between(
    transaction: &Transaction,
    after: &Name,
    last: &Name,
) -> Result<BTreeMap<Name, Vec<DumpedSlot>>, StoreError> {
    let read = |row: &Row| {
        Ok(DumpedSlot {
            slot_id: SlotId::from_bytes(array(row, 2)?),
            version: from_sql(row.try_get(3)?),
            held: row.try_get(4)?,
            record: Blob::new(row.try_get(5)?),
        })
    };
    between(transaction, SLOTS, after, last, read).await
}

fn factor(row: &Row) -> Result<DumpedFactor, StoreError> {
    let enrolled = match row.try_get::<_, Option<i64>>(3)? {
        Some(index) => Some(DumpedEnvelope {
            index: share_index(index)?,
            hash: EnvelopeHash::from_bytes(array(row, 4)?),
            envelope: Envelope::new(row.try_get(5)?),
        }),
        None => None,
    };
    Ok(DumpedFactor {
        locator: Locator::from_bytes(array(row, 2)?),
        enrolled,
    })
}

async fn read_accounts(
    transaction: &Transaction,
    rows: &[Row],
    after: &Name,
    last: &Name,
) -> Result<Vec<DumpedAccount>, StoreError> {
    let event = |row: &Row| Ok(Blob::new(row.try_get(2)?));
    let mut events = between(transaction, EVENTS, after, last, event).await?;
    let mut factors = between(transaction, FACTORS, after, last, factor).await?;
    let mut slots = slots_between(transaction, after, last).await?;
    let read = |row: &Row| {
        let of = Name::read(row)?;
        let (tenant, account_id) = name(row)?;
        let revision: Option<i64> = row.try_get(5)?;
        Ok(DumpedAccount {
            tenant,
            account_id,
            logins: from_sql(row.try_get(2)?),
            event_seq: from_sql(row.try_get(3)?),
            event_head: optional_array(row, 4)?.map(PayloadHash::from_bytes),
            events: events.remove(&of).unwrap_or_default(),
            revision: from_sql(revision.ok_or(NO_RECORD)?),
            payload_hash: PayloadHash::from_bytes(array(row, 6)?),
            nonce_hash: optional_array(row, 7)?.map(NonceHash::from_bytes),
            actions: actions_from_text(row.try_get(8)?)?,
            signature: Signature::from_bytes(array(row, 9)?),
            payload: Blob::new(row.try_get(10)?),
            factors: factors.remove(&of).unwrap_or_default(),
            slots: slots.remove(&of).unwrap_or_default(),
        })
    };
    rows.iter().map(read).collect()
}

const NONCES: &str = "SELECT tenant, account_id, nonce_hash, sealed FROM nonces
     WHERE (tenant, account_id, nonce_hash) > ($1, $2, $3) ORDER BY tenant, account_id, nonce_hash LIMIT $4";

/// Every sealed nonce. Ends early, without an error, where nobody listens any more.
pub(super) async fn nonces(
    databases: &Databases,
    nonces: &Sender<DumpedNonce>,
) -> Result<(), StoreError> {
    let transaction = Transaction::on(&databases.nonces).await?;
    let sent = async {
        transaction.begin_unhurried().await?;
        transaction.execute(SNAPSHOT, &[]).await?;
        let mut after = (Name::default(), Vec::<u8>::new());
        loop {
            let (name, hash) = &after;
            let rows = transaction
                .rows(NONCES, &[&name.tenant, &name.account, hash, &NONCES_PAGE])
                .await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = (Name::read(last)?, last.try_get(2)?);
            for row in &rows {
                let NonceKey {
                    tenant, account_id, ..
                } = nonce_store::key(row)?;
                let nonce = DumpedNonce {
                    tenant,
                    account_id,
                    sealed: SealedNonce::new(row.try_get(3)?),
                };
                if nonces.send(nonce).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
    .await;
    transaction.end(sent).await
}

/// Which of them are held, and whole.
pub(super) async fn hold_nonces(
    databases: &Databases,
    named: Vec<(Tenant, AccountId, NonceHash)>,
) -> Result<Vec<bool>, StoreError> {
    let mut held = Vec::with_capacity(named.len());
    for (tenant, account_id, hash) in named {
        let key = NonceKey {
            tenant,
            account_id,
            hash,
        };
        held.push(match nonce_store::held(databases, &key).await {
            Ok(sealed) => sealed.is_some(),
            // As good as none.
            Err(StoreError::Corrupt { .. }) => false,
            Err(error) => return Err(error),
        });
    }
    Ok(held)
}
