//! The server's part of the accounts' slots.

use rusqlite::{Connection, OptionalExtension, Row, params};
use trefoil_protocol::bytes::{AccountId, SlotId};
use trefoil_protocol::guess::{
    GuessList, HeldSlot, OpenedEnrolment, Signed, SlotError, SlotRecord,
};
use trefoil_protocol::tenant::Tenant;
use zeroize::Zeroizing;

use super::sessions;
use super::writer::Transaction;
use crate::error::StoreError;
use crate::model::{Caller, SLOTS_EVER, SLOTS_HELD};
use crate::slot_store::StoredSlot;
use crate::values::{from_sql, to_sql};

/// A record on its way to the place of an earlier one.
pub(super) struct Replacement {
    slot: SlotId,
    expected: u64,
    held: bool,
    bytes: Zeroizing<Vec<u8>>,
}

impl Replacement {
    /// Looks into the record before its turn has come, so that the writer need not.
    pub(super) fn new(slot: SlotId, expected: u64, bytes: Zeroizing<Vec<u8>>) -> Self {
        // What cannot be read is no deleted slot.
        let held = SlotRecord::from_bytes(&bytes).map_or(true, |record| record.is_held());
        Self {
            slot,
            expected,
            held,
            bytes,
        }
    }

    fn of(record: &SlotRecord, expected: u64) -> Self {
        Self {
            slot: record.slot(),
            expected,
            held: record.is_held(),
            bytes: record.expose_bytes(),
        }
    }
}

pub(super) fn load(
    connection: &Connection,
    slot: SlotId,
) -> Result<Option<StoredSlot>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT version, record FROM slots WHERE slot_id = ?1")?
        .query_row(params![slot.as_bytes()], stored)
        .optional()?)
}

pub(super) fn replace(
    transaction: &mut Transaction<'_>,
    replacement: &Replacement,
) -> Result<(), StoreError> {
    put(transaction.records, replacement)
}

pub(super) fn enrol(
    transaction: &mut Transaction<'_>,
    caller: &Caller,
    enrolment: &OpenedEnrolment,
) -> Result<(), StoreError> {
    let Caller {
        tenant, account_id, ..
    } = caller;
    let records = transaction.records;
    sessions::check(records, caller)?;
    let content = enrolment.content();
    let held = match load(records, content.slot)? {
        // Also the same bytes: whoever replays them has not dealt this slot.
        Some(_) if !is_of(records, caller, content.slot)? => return Err(SlotError::Taken.into()),
        Some(held) => Some(read(&held)?),
        None => None,
    };
    let changed = enrolment.enrol(held.as_ref(), content.share.as_bytes())?;
    let Some(record) = changed.record else {
        return Ok(());
    };
    let (ever, held): (i64, i64) = records
        .prepare_cached(
            "SELECT count(*), coalesce(sum(held), 0) FROM slots WHERE tenant = ?1 AND account_id = ?2",
        )?
        .query_row(params![tenant.as_str(), account_id.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    if from_sql(ever) >= SLOTS_EVER || from_sql(held) >= SLOTS_HELD {
        return Err(StoreError::TooManySlots);
    }
    records
        .prepare_cached(
            "INSERT INTO slots (slot_id, tenant, account_id, version, held, record)
             VALUES (?1, ?2, ?3, 1, 1, ?4)",
        )?
        .execute(params![
            content.slot.as_bytes(),
            tenant.as_str(),
            account_id.as_bytes(),
            record.expose_bytes().as_slice()
        ])?;
    Ok(())
}

pub(super) fn list(connection: &Connection, caller: &Caller) -> Result<Vec<HeldSlot>, StoreError> {
    sessions::check(connection, caller)?;
    let held = held_by(connection, &caller.tenant, caller.account_id)?;
    let listed = held.into_iter().map(|(_, record)| HeldSlot {
        slot: record.slot(),
        list: record.list().clone(),
    });
    Ok(listed.collect())
}

/// Puts lists in force at those slots that the account has here and that were not deleted.
pub(super) fn take_lists(
    records: &Connection,
    caller: &Caller,
    lists: &[Signed<GuessList>],
) -> Result<(), StoreError> {
    for list in lists {
        let slot = list.stated_slot().map_err(SlotError::from)?;
        if !is_of(records, caller, slot)? {
            continue;
        }
        let Some(held) = load(records, slot)? else {
            continue;
        };
        let record = read(&held)?;
        if !record.is_held() {
            continue;
        }
        if let Some(next) = record.take_list(list)?.record {
            put(records, &Replacement::of(&next, held.version))?;
        }
    }
    Ok(())
}

/// Ends all slots of an account; their ids stay refused.
pub(super) fn end_all(
    records: &Connection,
    tenant: &Tenant,
    account_id: AccountId,
) -> Result<(), StoreError> {
    for (version, record) in held_by(records, tenant, account_id)? {
        put(records, &Replacement::of(&record.ended(), version))?;
    }
    Ok(())
}

fn put(records: &Connection, replacement: &Replacement) -> Result<(), StoreError> {
    let replaced = records
        .prepare_cached(
            "UPDATE slots SET version = version + 1, held = ?3, record = ?4
             WHERE slot_id = ?1 AND version = ?2",
        )?
        .execute(params![
            replacement.slot.as_bytes(),
            to_sql(replacement.expected),
            replacement.held,
            replacement.bytes.as_slice()
        ])?;
    if replaced == 0 {
        return Err(StoreError::SlotChanged);
    }
    Ok(())
}

fn is_of(connection: &Connection, caller: &Caller, slot: SlotId) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT 1 FROM slots WHERE slot_id = ?1 AND tenant = ?2 AND account_id = ?3",
        )?
        .exists(params![
            slot.as_bytes(),
            caller.tenant.as_str(),
            caller.account_id.as_bytes()
        ])?)
}

fn held_by(
    connection: &Connection,
    tenant: &Tenant,
    account_id: AccountId,
) -> Result<Vec<(u64, SlotRecord)>, StoreError> {
    connection
        .prepare_cached(
            "SELECT version, record FROM slots
             WHERE tenant = ?1 AND account_id = ?2 AND held = 1 ORDER BY slot_id",
        )?
        .query_map(params![tenant.as_str(), account_id.as_bytes()], stored)?
        .map(|held| {
            let held = held?;
            Ok((held.version, read(&held)?))
        })
        .collect()
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredSlot> {
    Ok(StoredSlot {
        version: from_sql(row.get(0)?),
        bytes: Zeroizing::new(row.get(1)?),
    })
}

fn read(stored: &StoredSlot) -> Result<SlotRecord, StoreError> {
    SlotRecord::from_bytes(&stored.bytes).map_err(|_| StoreError::Corrupt { what: "a slot" })
}
