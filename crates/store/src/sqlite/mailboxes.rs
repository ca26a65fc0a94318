//! Mailboxes: one row each, one column for each place.

use rusqlite::{Connection, OptionalExtension, Row, params};
use trefoil_protocol::bytes::{AccountId, MailboxId};
use trefoil_protocol::pairing::Role;
use trefoil_protocol::tenant::Tenant;

use super::sessions;
use super::writer::Transaction;
use crate::error::StoreError;
use crate::mailbox_store::{
    HeldMailbox, MAILBOXES_KEPT, MAILBOXES_OPEN, MailboxPlace, NAME_KEPT, NewMailbox, PLACES,
    PutMessage, StoredMailbox, StoredMessage, check_size,
};
use crate::model::Caller;
use crate::values::{from_sql, time};

/// Rows that one call tidies at most: more than it adds, so that they never pile up.
const TIDIED_PER_CALL: i64 = 40;

fn read_held(row: &Row<'_>) -> rusqlite::Result<HeldMailbox> {
    let mut places = [const { None }; PLACES.len()];
    for (place, column) in places.iter_mut().zip(3..) {
        *place = row.get::<_, Option<Vec<u8>>>(column)?;
    }
    let account_id = AccountId::from_bytes(row.get(0)?);
    Ok(HeldMailbox::new(
        account_id,
        from_sql(row.get(1)?),
        row.get(2)?,
        places,
    ))
}

fn held(
    connection: &Connection,
    tenant: &Tenant,
    id: MailboxId,
) -> Result<Option<HeldMailbox>, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT account_id, expires, open, old_1, old_2, old_3, new_1, new_2, new_3 FROM mailboxes
             WHERE tenant = ?1 AND mailbox_id = ?2",
        )?
        .query_row(params![tenant.as_str(), id.as_bytes()], read_held)
        .optional()?)
}

pub(super) fn create(
    transaction: &mut Transaction<'_>,
    new: &NewMailbox,
) -> Result<StoredMailbox, StoreError> {
    let Caller {
        tenant,
        account_id,
        now,
        ..
    } = &new.caller;
    let records = transaction.records;
    sessions::check(records, &new.caller)?;
    check_size(&new.message)?;
    erase_expired(records, *now)?;
    if let Some(held) = held(records, tenant, new.id)? {
        return held.repeat_of(new);
    }
    let (open, kept) = records
        .prepare_cached(
            "SELECT coalesce(sum(open), 0), count(*) FROM mailboxes WHERE tenant = ?1 AND account_id = ?2",
        )?
        .query_row(params![tenant.as_str(), account_id.as_bytes()], |row| {
            Ok((from_sql(row.get(0)?), from_sql(row.get(1)?)))
        })?;
    if open >= MAILBOXES_OPEN || kept >= MAILBOXES_KEPT {
        return Err(StoreError::TooManyMailboxes);
    }
    records
        .prepare_cached(
            "INSERT INTO mailboxes (tenant, mailbox_id, account_id, expires, open, old_1)
             VALUES (?1, ?2, ?3, ?4, 1, ?5)",
        )?
        .execute(params![
            tenant.as_str(),
            new.id.as_bytes(),
            account_id.as_bytes(),
            time(new.expires),
            new.message.as_bytes()
        ])?;
    Ok(StoredMailbox {
        expires: new.expires,
        messages: vec![StoredMessage {
            role: Role::Old,
            step: 1,
            message: new.message.clone(),
        }],
    })
}

pub(super) fn put(transaction: &mut Transaction<'_>, put: &PutMessage) -> Result<(), StoreError> {
    let MailboxPlace { tenant, id, now } = &put.mailbox;
    let records = transaction.records;
    check_size(&put.message)?;
    let update = match (put.role, put.step) {
        (Role::Old, 1) => "UPDATE mailboxes SET old_1 = ?3 WHERE tenant = ?1 AND mailbox_id = ?2",
        (Role::Old, 2) => "UPDATE mailboxes SET old_2 = ?3 WHERE tenant = ?1 AND mailbox_id = ?2",
        (Role::Old, 3) => "UPDATE mailboxes SET old_3 = ?3 WHERE tenant = ?1 AND mailbox_id = ?2",
        (Role::New, 1) => "UPDATE mailboxes SET new_1 = ?3 WHERE tenant = ?1 AND mailbox_id = ?2",
        (Role::New, 2) => "UPDATE mailboxes SET new_2 = ?3 WHERE tenant = ?1 AND mailbox_id = ?2",
        (Role::New, 3) => "UPDATE mailboxes SET new_3 = ?3 WHERE tenant = ?1 AND mailbox_id = ?2",
        _ => return Err(StoreError::MailboxFull),
    };
    let mailbox = held(records, tenant, *id)?
        .ok_or(StoreError::NoMailbox)?
        .check_open(*now)?;
    if mailbox.holds(put)? {
        return Ok(());
    }
    records.prepare_cached(update)?.execute(params![
        tenant.as_str(),
        id.as_bytes(),
        put.message.as_bytes()
    ])?;
    Ok(())
}

pub(super) fn read(
    connection: &Connection,
    place: &MailboxPlace,
) -> Result<StoredMailbox, StoreError> {
    held(connection, &place.tenant, place.id)?
        .ok_or(StoreError::NoMailbox)?
        .check_open(place.now)
}

pub(super) fn close(
    transaction: &mut Transaction<'_>,
    place: &MailboxPlace,
) -> Result<(), StoreError> {
    let changed = transaction
        .records
        .prepare_cached(
            "UPDATE mailboxes SET open = 0, old_1 = NULL, old_2 = NULL, old_3 = NULL, new_1 = NULL, new_2 = NULL,
             new_3 = NULL WHERE tenant = ?1 AND mailbox_id = ?2",
        )?
        .execute(params![place.tenant.as_str(), place.id.as_bytes()])?;
    if changed == 0 {
        return Err(StoreError::NoMailbox);
    }
    Ok(())
}

/// Closes every mailbox of a deleted account.
pub(super) fn close_all(
    connection: &Connection,
    tenant: &Tenant,
    account_id: AccountId,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE mailboxes SET open = 0, old_1 = NULL, old_2 = NULL, old_3 = NULL, new_1 = NULL, new_2 = NULL,
             new_3 = NULL WHERE tenant = ?1 AND account_id = ?2",
        )?
        .execute(params![tenant.as_str(), account_id.as_bytes()])?;
    Ok(())
}

/// Erases what lies in mailboxes whose time is over, and forgets the names of those that were over long ago.
pub(super) fn erase_expired(connection: &Connection, now: u64) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE mailboxes SET open = 0, old_1 = NULL, old_2 = NULL, old_3 = NULL, new_1 = NULL, new_2 = NULL,
             new_3 = NULL WHERE (tenant, mailbox_id) IN
             (SELECT tenant, mailbox_id FROM mailboxes WHERE open = 1 AND expires < ?1 ORDER BY expires LIMIT ?2)",
        )?
        .execute(params![time(now), TIDIED_PER_CALL])?;
    connection
        .prepare_cached(
            "DELETE FROM mailboxes WHERE (tenant, mailbox_id) IN
             (SELECT tenant, mailbox_id FROM mailboxes WHERE open = 0 AND expires < ?1 ORDER BY expires LIMIT ?2)",
        )?
        .execute(params![
            time(now.saturating_sub(NAME_KEPT)),
            TIDIED_PER_CALL
        ])?;
    Ok(())
}
