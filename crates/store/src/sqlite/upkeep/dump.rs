//! Send everything that a backup holds, as one snapshot.

use rusqlite::{Connection, Row, params};
use tokio::sync::mpsc::Sender;
use trefoil_protocol::bytes::{
    AccountId, Blob, Envelope, EnvelopeHash, Locator, NonceHash, PayloadHash, SealedNonce,
    Signature, SlotId,
};
use trefoil_protocol::tenant::Tenant;

use crate::error::StoreError;
use crate::sqlite::nonces::NonceDb;
use crate::sqlite::rows::NO_RECORD;
use crate::upkeep_store::{
    DumpEntry, DumpedAccount, DumpedEnvelope, DumpedFactor, DumpedNonce, DumpedSlot,
};
use crate::values::{NonceKey, actions_from_text, from_sql};

const ACCOUNT: &str =
    "SELECT accounts.tenant, accounts.account_id, logins, event_seq, event_head, revision, payload_hash,
     nonce_hash, actions, signature, payload
     FROM accounts LEFT JOIN records ON records.tenant = accounts.tenant AND records.account_id = accounts.account_id";

/// Accounts, then tombstones. Ends early, without an error, where nobody listens any more.
pub(in crate::sqlite) fn entries(
    records: &Connection,
    entries: &Sender<DumpEntry>,
) -> Result<(), StoreError> {
    let snapshot = records.unchecked_transaction()?;
    let mut statement = snapshot.prepare(&format!(
        "{ACCOUNT} ORDER BY accounts.tenant, accounts.account_id"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let account = account(&snapshot, row)?;
        if entries
            .blocking_send(DumpEntry::Account(Box::new(account)))
            .is_err()
        {
            return Ok(());
        }
    }
    let mut statement = snapshot.prepare(
        "SELECT tenant, account_id, deleted_at FROM tombstones ORDER BY tenant, account_id",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (tenant, account_id) = name(row)?;
        let slots = slots(&snapshot, &tenant, account_id)?;
        let tombstone = DumpEntry::Tombstone {
            tenant,
            account_id,
            deleted_at: from_sql(row.get(2)?),
            slots,
        };
        if entries.blocking_send(tombstone).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// The account as it would be dumped now.
pub(super) fn held(
    records: &Connection,
    tenant: &Tenant,
    account_id: AccountId,
) -> Result<Option<DumpedAccount>, StoreError> {
    let mut statement = records.prepare_cached(&format!(
        "{ACCOUNT} WHERE accounts.tenant = ?1 AND accounts.account_id = ?2"
    ))?;
    let mut rows = statement.query(params![tenant.as_str(), account_id.as_bytes()])?;
    match rows.next()? {
        Some(row) => account(records, row).map(Some),
        None => Ok(None),
    }
}

fn name(row: &Row<'_>) -> Result<(Tenant, AccountId), StoreError> {
    let tenant: String = row.get(0)?;
    let tenant = Tenant::new(&tenant).map_err(|_| StoreError::Corrupt {
        what: "a tenant's name",
    })?;
    Ok((tenant, AccountId::from_bytes(row.get(1)?)))
}

fn account(records: &Connection, row: &Row<'_>) -> Result<DumpedAccount, StoreError> {
    let (tenant, account_id) = name(row)?;
    let revision: Option<i64> = row.get(5)?;
    let actions: String = row.get::<_, Option<_>>(8)?.ok_or(NO_RECORD)?;
    Ok(DumpedAccount {
        logins: from_sql(row.get(2)?),
        event_seq: from_sql(row.get(3)?),
        event_head: row.get::<_, Option<_>>(4)?.map(PayloadHash::from_bytes),
        events: events(records, &tenant, account_id)?,
        revision: from_sql(revision.ok_or(NO_RECORD)?),
        payload_hash: PayloadHash::from_bytes(row.get(6)?),
        nonce_hash: row.get::<_, Option<_>>(7)?.map(NonceHash::from_bytes),
        actions: actions_from_text(&actions)?,
        signature: Signature::from_bytes(row.get(9)?),
        payload: Blob::new(row.get(10)?),
        factors: factors(records, &tenant, account_id)?,
        slots: slots(records, &tenant, account_id)?,
        tenant,
        account_id,
    })
}

fn events(
    records: &Connection,
    tenant: &Tenant,
    account_id: AccountId,
) -> Result<Vec<Blob>, StoreError> {
    let mut statement = records.prepare_cached(
        "SELECT body FROM events WHERE tenant = ?1 AND account_id = ?2 ORDER BY seq",
    )?;
    let rows = statement.query_map(params![tenant.as_str(), account_id.as_bytes()], |row| {
        Ok(Blob::new(row.get(0)?))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn factors(
    records: &Connection,
    tenant: &Tenant,
    account_id: AccountId,
) -> Result<Vec<DumpedFactor>, StoreError> {
    let mut statement = records.prepare_cached(
        "SELECT locator, share_index, envelope_hash, envelope FROM factors INDEXED BY factors_of_account
         WHERE tenant = ?1 AND account_id = ?2 ORDER BY locator",
    )?;
    let rows = statement.query_map(params![tenant.as_str(), account_id.as_bytes()], |row| {
        let enrolled = match row.get::<_, Option<u32>>(1)? {
            Some(index) => Some(DumpedEnvelope {
                index,
                hash: EnvelopeHash::from_bytes(row.get(2)?),
                envelope: Envelope::new(row.get(3)?),
            }),
            None => None,
        };
        Ok(DumpedFactor {
            locator: Locator::from_bytes(row.get(0)?),
            enrolled,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn slots(
    records: &Connection,
    tenant: &Tenant,
    account_id: AccountId,
) -> Result<Vec<DumpedSlot>, StoreError> {
    let mut statement = records.prepare_cached(
        "SELECT slot_id, version, held, record FROM slots
         WHERE tenant = ?1 AND account_id = ?2 ORDER BY slot_id",
    )?;
    let rows = statement.query_map(params![tenant.as_str(), account_id.as_bytes()], |row| {
        Ok(DumpedSlot {
            slot_id: SlotId::from_bytes(row.get(0)?),
            version: from_sql(row.get(1)?),
            held: row.get(2)?,
            record: Blob::new(row.get(3)?),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Every sealed nonce. Ends early, without an error, where nobody listens any more.
pub(in crate::sqlite) fn nonces(
    connection: &Connection,
    nonces: &Sender<DumpedNonce>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare(
        "SELECT tenant, account_id, sealed FROM nonces ORDER BY tenant, account_id, nonce_hash",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (tenant, account_id) = name(row)?;
        let nonce = DumpedNonce {
            tenant,
            account_id,
            sealed: SealedNonce::new(row.get(2)?),
        };
        if nonces.blocking_send(nonce).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Which of them are held, and whole.
pub(in crate::sqlite) fn hold_nonces(
    connection: Connection,
    named: Vec<(Tenant, AccountId, NonceHash)>,
) -> Result<Vec<bool>, StoreError> {
    let nonces = NonceDb::new(connection);
    let held = named.into_iter().map(|(tenant, account_id, hash)| {
        let key = NonceKey {
            tenant,
            account_id,
            hash,
        };
        match nonces.read(&key) {
            Ok(sealed) => Ok(sealed.is_some()),
            // As good as none.
            Err(StoreError::Corrupt { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    });
    held.collect()
}
