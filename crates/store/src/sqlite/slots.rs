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
use crate::at_rest::{AtRest, Place};
use crate::error::StoreError;
use crate::model::{Caller, SLOTS_EVER, SLOTS_HELD};
use crate::slot_store::{SlotReplacement, StoredSlot};
use crate::values::{from_sql, to_sql};

pub(super) fn load(
    connection: &Connection,
    at_rest: &AtRest,
    slot: SlotId,
) -> Result<Option<StoredSlot>, StoreError> {
    let found = connection
        .prepare_cached("SELECT slot_id, version, record FROM slots WHERE slot_id = ?1")?
        .query_row(params![slot.as_bytes()], SlotRow::read)
        .optional()?;
    found.map(|row| row.open(at_rest)).transpose()
}

pub(super) fn replace(
    transaction: &mut Transaction<'_>,
    replacement: &SlotReplacement,
) -> Result<(), StoreError> {
    put(transaction.records, &transaction.at_rest, replacement)
}

pub(super) fn enrol(
    transaction: &mut Transaction<'_>,
    caller: &Caller,
    enrolment: &OpenedEnrolment,
) -> Result<(), StoreError> {
    let Caller {
        tenant, account_id, ..
    } = caller;
    let (records, at_rest) = (transaction.records, &transaction.at_rest);
    sessions::check(records, caller)?;
    let content = enrolment.content();
    let held = match load(records, at_rest, content.slot)? {
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
            at_rest.seal(Place::Slot(content.slot), &record.expose_bytes())?
        ])?;
    Ok(())
}

pub(super) fn list(
    connection: &Connection,
    at_rest: &AtRest,
    caller: &Caller,
) -> Result<Vec<HeldSlot>, StoreError> {
    sessions::check(connection, caller)?;
    let held = held_by(connection, at_rest, &caller.tenant, caller.account_id)?;
    let listed = held.into_iter().map(|(_, record)| HeldSlot {
        slot: record.slot(),
        list: record.list().clone(),
    });
    Ok(listed.collect())
}

/// Puts lists in force at those slots that the account has here and that were not deleted.
pub(super) fn take_lists(
    transaction: &Transaction<'_>,
    caller: &Caller,
    lists: &[Signed<GuessList>],
) -> Result<(), StoreError> {
    let (records, at_rest) = (transaction.records, &transaction.at_rest);
    for list in lists {
        let slot = list.stated_slot().map_err(SlotError::from)?;
        if !is_of(records, caller, slot)? {
            continue;
        }
        let Some(held) = load(records, at_rest, slot)? else {
            continue;
        };
        let record = read(&held)?;
        if !record.is_held() {
            continue;
        }
        if let Some(next) = record.take_list(list)?.record {
            put(records, at_rest, &SlotReplacement::of(&next, held.version))?;
        }
    }
    Ok(())
}

/// Ends all slots of an account; their ids stay refused.
pub(super) fn end_all(
    transaction: &Transaction<'_>,
    tenant: &Tenant,
    account_id: AccountId,
) -> Result<(), StoreError> {
    let (records, at_rest) = (transaction.records, &transaction.at_rest);
    for (version, record) in held_by(records, at_rest, tenant, account_id)? {
        put(
            records,
            at_rest,
            &SlotReplacement::of(&record.ended(), version),
        )?;
    }
    Ok(())
}

fn put(
    records: &Connection,
    at_rest: &AtRest,
    replacement: &SlotReplacement,
) -> Result<(), StoreError> {
    let stored = at_rest.seal(Place::Slot(replacement.slot), &replacement.bytes)?;
    let replaced = records
        .prepare_cached(
            "UPDATE slots SET version = version + 1, held = ?3, record = ?4
             WHERE slot_id = ?1 AND version = ?2",
        )?
        .execute(params![
            replacement.slot.as_bytes(),
            to_sql(replacement.expected),
            replacement.held,
            stored
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
    at_rest: &AtRest,
    tenant: &Tenant,
    account_id: AccountId,
) -> Result<Vec<(u64, SlotRecord)>, StoreError> {
    connection
        .prepare_cached(
            "SELECT slot_id, version, record FROM slots
             WHERE tenant = ?1 AND account_id = ?2 AND held = 1 ORDER BY slot_id",
        )?
        .query_map(
            params![tenant.as_str(), account_id.as_bytes()],
            SlotRow::read,
        )?
        .map(|row| {
            let held = row?.open(at_rest)?;
            Ok((held.version, read(&held)?))
        })
        .collect()
}

/// A row as it lies there, sealed where the store seals.
struct SlotRow {
    slot: SlotId,
    version: u64,
    record: Zeroizing<Vec<u8>>,
}

impl SlotRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            slot: SlotId::from_bytes(row.get(0)?),
            version: from_sql(row.get(1)?),
            record: Zeroizing::new(row.get(2)?),
        })
    }

    fn open(self, at_rest: &AtRest) -> Result<StoredSlot, StoreError> {
        Ok(StoredSlot {
            version: self.version,
            bytes: at_rest.open(Place::Slot(self.slot), &self.record)?,
        })
    }
}

fn read(stored: &StoredSlot) -> Result<SlotRecord, StoreError> {
    SlotRecord::from_bytes(&stored.bytes).map_err(|_| StoreError::Corrupt { what: "a slot" })
}
