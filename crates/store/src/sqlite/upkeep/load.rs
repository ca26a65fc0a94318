//! Put entries of a backup into the store.

use rusqlite::{Connection, params};
use trefoil_protocol::bytes::{AccountId, EnvelopeHash, NonceHash, PayloadHash};
use trefoil_protocol::tenant::Tenant;

use super::dump;
use crate::error::StoreError;
use crate::sqlite::nonces::NewNonce;
use crate::sqlite::rows::{self, current_nonce};
use crate::sqlite::writer::Transaction;
use crate::upkeep_store::{DumpEntry, DumpedAccount, DumpedNonce, DumpedSlot};
use crate::values::{actions_to_text, time, to_sql};

pub(in crate::sqlite) fn entries(
    records: &Connection,
    entries: &[DumpEntry],
) -> Result<(), StoreError> {
    for entry in entries {
        match entry {
            DumpEntry::Account(loaded) => account(records, loaded)?,
            DumpEntry::Tombstone {
                tenant,
                account_id,
                deleted_at,
                slots,
            } => tombstone(records, tenant, *account_id, *deleted_at, slots)?,
        }
    }
    Ok(())
}

fn account(records: &Connection, loaded: &DumpedAccount) -> Result<(), StoreError> {
    let (tenant, account_id) = (&loaded.tenant, loaded.account_id);
    if is_buried(records, tenant, account_id)? {
        return Err(StoreError::AccountDeleted);
    }
    if let Some(held) = dump::held(records, tenant, account_id)? {
        return if held == *loaded {
            Ok(())
        } else {
            Err(StoreError::AccountExists)
        };
    }
    records
        .prepare_cached(
            "INSERT INTO accounts (tenant, account_id, logins, event_seq, event_head)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            tenant.as_str(),
            account_id.as_bytes(),
            to_sql(loaded.logins),
            to_sql(loaded.event_seq),
            loaded.event_head.as_ref().map(PayloadHash::as_bytes)
        ])?;
    records
        .prepare_cached(
            "INSERT INTO records (tenant, account_id, revision, payload_hash, nonce_hash, actions, signature, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            tenant.as_str(),
            account_id.as_bytes(),
            to_sql(loaded.revision),
            loaded.payload_hash.as_bytes(),
            loaded.nonce_hash.as_ref().map(NonceHash::as_bytes),
            actions_to_text(&loaded.actions)?,
            loaded.signature.as_bytes(),
            loaded.payload.as_bytes()
        ])?;
    for factor in &loaded.factors {
        if rows::factor(records, tenant, &factor.locator)?.is_some() {
            return Err(StoreError::LocatorTaken);
        }
        let enrolled = factor.enrolled.as_ref();
        records
            .prepare_cached(
                "INSERT INTO factors (tenant, locator, account_id, share_index, envelope_hash, envelope)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                tenant.as_str(),
                factor.locator.as_bytes(),
                account_id.as_bytes(),
                enrolled.map(|held| held.index),
                enrolled.map(|held| &held.hash).map(EnvelopeHash::as_bytes),
                enrolled.map(|held| held.envelope.as_bytes())
            ])?;
    }
    // The kept events are the newest, without gaps.
    let count = u64::try_from(loaded.events.len()).map_err(StoreError::backend)?;
    let before = loaded
        .event_seq
        .checked_sub(count)
        .ok_or(StoreError::Corrupt {
            what: "the events of a backup",
        })?;
    for (seq, body) in (before..).skip(1).zip(&loaded.events) {
        records
            .prepare_cached(
                "INSERT INTO events (tenant, account_id, seq, body) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                tenant.as_str(),
                account_id.as_bytes(),
                to_sql(seq),
                body.as_bytes()
            ])?;
    }
    slots(records, tenant, account_id, &loaded.slots)
}

fn tombstone(
    records: &Connection,
    tenant: &Tenant,
    account_id: AccountId,
    deleted_at: u64,
    ended: &[DumpedSlot],
) -> Result<(), StoreError> {
    if dump::held(records, tenant, account_id)?.is_some() {
        return Err(StoreError::AccountExists);
    }
    if is_buried(records, tenant, account_id)? {
        return if dump::slots(records, tenant, account_id)? == ended {
            Ok(())
        } else {
            Err(StoreError::SlotChanged)
        };
    }
    records
        .prepare_cached(
            "INSERT INTO tombstones (tenant, account_id, deleted_at) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![
            tenant.as_str(),
            account_id.as_bytes(),
            time(deleted_at)
        ])?;
    slots(records, tenant, account_id, ended)
}

fn slots(
    records: &Connection,
    tenant: &Tenant,
    account_id: AccountId,
    slots: &[DumpedSlot],
) -> Result<(), StoreError> {
    for slot in slots {
        let inserted = records
            .prepare_cached(
                "INSERT INTO slots (slot_id, tenant, account_id, version, held, record)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                slot.slot_id.as_bytes(),
                tenant.as_str(),
                account_id.as_bytes(),
                to_sql(slot.version),
                slot.held,
                slot.record.as_bytes()
            ])?;
        if inserted == 0 {
            return Err(StoreError::SlotChanged);
        }
    }
    Ok(())
}

fn is_buried(
    records: &Connection,
    tenant: &Tenant,
    account_id: AccountId,
) -> Result<bool, StoreError> {
    Ok(records
        .prepare_cached("SELECT 1 FROM tombstones WHERE tenant = ?1 AND account_id = ?2")?
        .exists(params![tenant.as_str(), account_id.as_bytes()])?)
}

/// Those that a current record names; gives how many were not held.
pub(in crate::sqlite) fn nonces(
    transaction: &Transaction<'_>,
    nonces: Vec<DumpedNonce>,
) -> Result<u64, StoreError> {
    let mut named = Vec::new();
    for nonce in nonces {
        let new = NewNonce::new(&nonce.tenant, nonce.account_id, nonce.sealed);
        let key = &new.key;
        if current_nonce(transaction.records, &key.tenant, key.account_id)? == Some(key.hash) {
            named.push(new);
        }
    }
    transaction.nonces.write_settled(&named)
}
