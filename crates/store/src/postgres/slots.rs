//! The server's part of the accounts' slots.

use tokio_postgres::Row;
use trefoil_protocol::bytes::{AccountId, SlotId};
use trefoil_protocol::guess::{
    GuessList, HeldSlot, OpenedEnrolment, Signed, SlotError, SlotRecord,
};
use trefoil_protocol::tenant::Tenant;

use super::rows::{array, lock};
use super::transaction::{Transaction, transact};
use super::{Databases, sessions};
use crate::at_rest::{AtRest, Place};
use crate::error::StoreError;
use crate::model::{Caller, SLOTS_EVER, SLOTS_HELD};
use crate::slot_store::{SlotReplacement, StoredSlot};
use crate::values::{from_sql, tenant_from_text, to_sql};

pub(super) async fn load(
    databases: &Databases,
    slot: SlotId,
) -> Result<Option<StoredSlot>, StoreError> {
    let id = slot.as_bytes().as_slice();
    let row = transact!(databases, connection => connection.row(
        "SELECT slot_id, version, record FROM slots WHERE slot_id = $1",
        &[&id],
    ))?;
    let at_rest = &databases.at_rest;
    row.as_ref().map(|row| stored(row, at_rest)).transpose()
}

pub(super) async fn replace(
    databases: &Databases,
    replacement: &SlotReplacement,
) -> Result<(), StoreError> {
    transact!(databases, transaction => async {
        transaction.begin().await?;
        put(&transaction, &databases.at_rest, replacement).await
    })
}

pub(super) async fn enrol(
    databases: &Databases,
    caller: &Caller,
    enrolment: &OpenedEnrolment,
) -> Result<(), StoreError> {
    transact!(databases, transaction => enrol_once(&transaction, &databases.at_rest, caller, enrolment))
}

async fn enrol_once(
    transaction: &Transaction,
    at_rest: &AtRest,
    caller: &Caller,
    enrolment: &OpenedEnrolment,
) -> Result<(), StoreError> {
    let Caller {
        tenant, account_id, ..
    } = caller;
    transaction.begin().await?;
    lock(transaction, tenant, account_id).await?;
    sessions::check(transaction, caller).await?;
    let content = enrolment.content();
    let (name, account) = (tenant.as_str(), account_id.as_bytes().as_slice());
    let held = match owned(transaction, at_rest, content.slot).await? {
        // Also the same bytes: whoever replays them has not dealt this slot.
        Some(owned) if !owned.is_of(caller) => return Err(SlotError::Taken.into()),
        Some(owned) => Some(read(&owned.stored)?),
        None => None,
    };
    let changed = enrolment.enrol(held.as_ref(), content.share.as_bytes())?;
    let Some(record) = changed.record else {
        return Ok(());
    };
    let counts = transaction
        .rows(
            "SELECT held FROM slots WHERE tenant = $1 AND account_id = $2",
            &[&name, &account],
        )
        .await?;
    let (mut ever, mut now_held) = (0, 0);
    for row in &counts {
        ever += 1;
        now_held += u64::from(row.try_get::<_, bool>(0)?);
    }
    if ever >= SLOTS_EVER || now_held >= SLOTS_HELD {
        return Err(StoreError::TooManySlots);
    }
    let inserted = transaction
        .execute(
            "INSERT INTO slots (slot_id, tenant, account_id, version, held, record)
             VALUES ($1, $2, $3, 1, true, $4) ON CONFLICT DO NOTHING",
            &[
                &content.slot.as_bytes().as_slice(),
                &name,
                &account,
                &at_rest.seal(Place::Slot(content.slot), &record.expose_bytes())?,
            ],
        )
        .await?;
    // Somebody else was faster.
    if inserted == 0 {
        return Err(SlotError::Taken.into());
    }
    Ok(())
}

pub(super) async fn list(
    databases: &Databases,
    caller: &Caller,
) -> Result<Vec<HeldSlot>, StoreError> {
    let held = transact!(databases, connection => async {
        sessions::check(&connection, caller).await?;
        held_by(
            &connection,
            &databases.at_rest,
            HELD,
            &caller.tenant,
            &caller.account_id,
        )
        .await
    })?;
    let listed = held.into_iter().map(|(_, record)| HeldSlot {
        slot: record.slot(),
        list: record.list().clone(),
    });
    Ok(listed.collect())
}

/// Puts lists in force at those slots that the account has here and that were not deleted.
pub(super) async fn take_lists(
    transaction: &Transaction,
    at_rest: &AtRest,
    caller: &Caller,
    lists: &[Signed<GuessList>],
) -> Result<(), StoreError> {
    for list in lists {
        let slot = list.stated_slot().map_err(SlotError::from)?;
        let Some(owned) = owned(transaction, at_rest, slot).await? else {
            continue;
        };
        let record = read(&owned.stored)?;
        if !owned.is_of(caller) || !record.is_held() {
            continue;
        }
        if let Some(next) = record.take_list(list)?.record {
            put(
                transaction,
                at_rest,
                &SlotReplacement::of(&next, owned.stored.version),
            )
            .await?;
        }
    }
    Ok(())
}

/// Ends all slots of an account; their ids stay refused.
pub(super) async fn end_all(
    transaction: &Transaction,
    at_rest: &AtRest,
    tenant: &Tenant,
    account_id: &AccountId,
) -> Result<(), StoreError> {
    for (version, record) in held_by(transaction, at_rest, HELD_LOCKED, tenant, account_id).await? {
        put(
            transaction,
            at_rest,
            &SlotReplacement::of(&record.ended(), version),
        )
        .await?;
    }
    Ok(())
}

async fn put(
    transaction: &Transaction,
    at_rest: &AtRest,
    replacement: &SlotReplacement,
) -> Result<(), StoreError> {
    let replaced = transaction
        .execute(
            "UPDATE slots SET version = version + 1, held = $3, record = $4
             WHERE slot_id = $1 AND version = $2",
            &[
                &replacement.slot.as_bytes().as_slice(),
                &to_sql(replacement.expected),
                &replacement.held,
                &at_rest.seal(Place::Slot(replacement.slot), &replacement.bytes)?,
            ],
        )
        .await?;
    if replaced == 0 {
        return Err(StoreError::SlotChanged);
    }
    Ok(())
}

/// A slot with its owner, locked until the transaction ends.
struct Owned {
    tenant: Tenant,
    account_id: AccountId,
    stored: StoredSlot,
}

impl Owned {
    fn is_of(&self, caller: &Caller) -> bool {
        (&self.tenant, &self.account_id) == (&caller.tenant, &caller.account_id)
    }
}

async fn owned(
    transaction: &Transaction,
    at_rest: &AtRest,
    slot: SlotId,
) -> Result<Option<Owned>, StoreError> {
    let row = transaction
        .row(
            "SELECT slot_id, version, record, tenant, account_id FROM slots WHERE slot_id = $1 FOR UPDATE",
            &[&slot.as_bytes().as_slice()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Owned {
        tenant: tenant_from_text(row.try_get(3)?)?,
        account_id: AccountId::from_bytes(array(&row, 4)?),
        stored: stored(&row, at_rest)?,
    }))
}

const HELD: &str = "SELECT slot_id, version, record FROM slots
     WHERE tenant = $1 AND account_id = $2 AND held ORDER BY slot_id";
const HELD_LOCKED: &str = "SELECT slot_id, version, record FROM slots
     WHERE tenant = $1 AND account_id = $2 AND held ORDER BY slot_id FOR UPDATE";

async fn held_by(
    transaction: &Transaction,
    at_rest: &AtRest,
    sql: &str,
    tenant: &Tenant,
    account_id: &AccountId,
) -> Result<Vec<(u64, SlotRecord)>, StoreError> {
    let rows = transaction
        .rows(sql, &[&tenant.as_str(), &account_id.as_bytes().as_slice()])
        .await?;
    rows.iter()
        .map(|row| {
            let held = stored(row, at_rest)?;
            Ok((held.version, read(&held)?))
        })
        .collect()
}

/// From the columns slot_id, version, record.
fn stored(row: &Row, at_rest: &AtRest) -> Result<StoredSlot, StoreError> {
    let slot = SlotId::from_bytes(array(row, 0)?);
    Ok(StoredSlot {
        version: from_sql(row.try_get(1)?),
        bytes: at_rest.open(Place::Slot(slot), row.try_get(2)?)?,
    })
}

fn read(stored: &StoredSlot) -> Result<SlotRecord, StoreError> {
    SlotRecord::from_bytes(&stored.bytes).map_err(|_| StoreError::Corrupt { what: "a slot" })
}
