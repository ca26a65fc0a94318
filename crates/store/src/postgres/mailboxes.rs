//! Mailboxes: one row each, one column for each place.

use tokio_postgres::Row;
use trefoil_protocol::bytes::{AccountId, MailboxId};
use trefoil_protocol::pairing::Role;
use trefoil_protocol::tenant::Tenant;

use super::rows::{array, lock};
use super::transaction::{Transaction, transact};
use super::{Databases, sessions, sweep};
use crate::error::StoreError;
use crate::mailbox_store::{
    HeldMailbox, MAILBOXES_KEPT, MAILBOXES_OPEN, MailboxPlace, NAME_KEPT, NewMailbox, PLACES,
    PutMessage, StoredMailbox, StoredMessage, check_size,
};
use crate::model::Caller;
use crate::values::{from_sql, time};

/// With the row's lock.
const HELD: &str =
    "SELECT account_id, expires, open, old_1, old_2, old_3, new_1, new_2, new_3 FROM mailboxes
     WHERE tenant = $1 AND mailbox_id = $2 AND expires >= $3 FOR UPDATE";
const EMPTY: &str = "open = false, old_1 = NULL, old_2 = NULL, old_3 = NULL, new_1 = NULL, new_2 = NULL, new_3 = NULL";

fn read_held(row: &Row) -> Result<HeldMailbox, StoreError> {
    let mut places = [const { None }; PLACES.len()];
    for (place, column) in places.iter_mut().zip(3..) {
        *place = row.try_get(column)?;
    }
    Ok(HeldMailbox::new(
        AccountId::from_bytes(array(row, 0)?),
        from_sql(row.try_get(1)?),
        row.try_get(2)?,
        places,
    ))
}

/// The mailbox, also for a while after its time.
async fn held(
    transaction: &Transaction,
    tenant: &Tenant,
    id: MailboxId,
    now: u64,
) -> Result<Option<HeldMailbox>, StoreError> {
    let row = transaction
        .row(
            HELD,
            &[
                &tenant.as_str(),
                &id.as_bytes().as_slice(),
                &time(now.saturating_sub(NAME_KEPT)),
            ],
        )
        .await?;
    row.as_ref().map(read_held).transpose()
}

pub(super) async fn create(
    databases: &Databases,
    new: &NewMailbox,
) -> Result<StoredMailbox, StoreError> {
    transact!(databases, transaction => create_once(&transaction, new))
}

async fn create_once(
    transaction: &Transaction,
    new: &NewMailbox,
) -> Result<StoredMailbox, StoreError> {
    let Caller {
        tenant,
        account_id,
        now,
        ..
    } = &new.caller;
    transaction.begin().await?;
    lock(transaction, tenant, account_id).await?;
    sessions::check(transaction, &new.caller).await?;
    check_size(&new.message)?;
    if let Some(held) = held(transaction, tenant, new.id, *now).await? {
        return held.repeat_of(new);
    }
    let (name, account) = (tenant.as_str(), account_id.as_bytes().as_slice());
    let id = new.id.as_bytes().as_slice();
    let remembered = transaction
        .rows(
            "SELECT open AND expires >= $3 FROM mailboxes WHERE tenant = $1 AND account_id = $2 AND expires >= $4",
            &[
                &name,
                &account,
                &time(*now),
                &time(now.saturating_sub(NAME_KEPT)),
            ],
        )
        .await?;
    let (mut kept, mut open) = (0, 0);
    for row in &remembered {
        kept += 1;
        open += u64::from(row.try_get::<_, bool>(0)?);
    }
    if open >= MAILBOXES_OPEN || kept >= MAILBOXES_KEPT {
        return Err(StoreError::TooManyMailboxes);
    }
    // A name that is remembered no longer may still have its row.
    let made = transaction
        .execute(
            "INSERT INTO mailboxes (tenant, mailbox_id, account_id, expires, open, old_1)
             VALUES ($1, $2, $3, $4, true, $5)
             ON CONFLICT (tenant, mailbox_id) DO UPDATE SET account_id = excluded.account_id,
             expires = excluded.expires, open = true, old_1 = excluded.old_1, old_2 = NULL, old_3 = NULL,
             new_1 = NULL, new_2 = NULL, new_3 = NULL WHERE mailboxes.expires < $6",
            &[
                &name,
                &id,
                &account,
                &time(new.expires),
                &new.message.as_bytes(),
                &time(now.saturating_sub(NAME_KEPT)),
            ],
        )
        .await?;
    if made == 0 {
        // Somebody else was faster: look at what is there.
        return Err(StoreError::Busy);
    }
    Ok(StoredMailbox {
        expires: new.expires,
        messages: vec![StoredMessage {
            role: Role::Old,
            step: 1,
            message: new.message.clone(),
        }],
    })
}

pub(super) async fn put(databases: &Databases, put: &PutMessage) -> Result<(), StoreError> {
    transact!(databases, transaction => put_once(&transaction, put))
}

async fn put_once(transaction: &Transaction, put: &PutMessage) -> Result<(), StoreError> {
    let MailboxPlace { tenant, id, now } = &put.mailbox;
    check_size(&put.message)?;
    let update = match (put.role, put.step) {
        (Role::Old, 1) => "UPDATE mailboxes SET old_1 = $3 WHERE tenant = $1 AND mailbox_id = $2",
        (Role::Old, 2) => "UPDATE mailboxes SET old_2 = $3 WHERE tenant = $1 AND mailbox_id = $2",
        (Role::Old, 3) => "UPDATE mailboxes SET old_3 = $3 WHERE tenant = $1 AND mailbox_id = $2",
        (Role::New, 1) => "UPDATE mailboxes SET new_1 = $3 WHERE tenant = $1 AND mailbox_id = $2",
        (Role::New, 2) => "UPDATE mailboxes SET new_2 = $3 WHERE tenant = $1 AND mailbox_id = $2",
        (Role::New, 3) => "UPDATE mailboxes SET new_3 = $3 WHERE tenant = $1 AND mailbox_id = $2",
        _ => return Err(StoreError::MailboxFull),
    };
    transaction.begin().await?;
    let mailbox = held(transaction, tenant, *id, *now)
        .await?
        .ok_or(StoreError::NoMailbox)?
        .check_open(*now)?;
    if mailbox.holds(put)? {
        return Ok(());
    }
    let (name, id) = (tenant.as_str(), id.as_bytes().as_slice());
    transaction
        .execute(update, &[&name, &id, &put.message.as_bytes()])
        .await?;
    Ok(())
}

pub(super) async fn read(
    databases: &Databases,
    place: &MailboxPlace,
) -> Result<StoredMailbox, StoreError> {
    let MailboxPlace { tenant, id, now } = place;
    let read = transact!(databases, transaction => async {
        transaction.begin().await?;
        held(&transaction, tenant, *id, *now)
            .await?
            .ok_or(StoreError::NoMailbox)?
            .check_open(*now)
    });
    if matches!(read, Err(StoreError::MailboxExpired)) {
        sweep::mailboxes(databases, *now).await?;
    }
    read
}

pub(super) async fn close(databases: &Databases, place: &MailboxPlace) -> Result<(), StoreError> {
    let sql = format!(
        "UPDATE mailboxes SET {EMPTY} WHERE tenant = $1 AND mailbox_id = $2 AND expires >= $3"
    );
    let forgotten = time(place.now.saturating_sub(NAME_KEPT));
    let (tenant, id) = (place.tenant.as_str(), place.id.as_bytes().as_slice());
    let closed = transact!(databases, connection => connection.execute(
        &sql,
        &[&tenant, &id, &forgotten],
    ))?;
    if closed == 0 {
        return Err(StoreError::NoMailbox);
    }
    Ok(())
}

/// Closes every mailbox of a deleted account.
pub(super) async fn close_all(
    transaction: &Transaction,
    tenant: &Tenant,
    account_id: &AccountId,
) -> Result<(), StoreError> {
    let sql = format!("UPDATE mailboxes SET {EMPTY} WHERE tenant = $1 AND account_id = $2");
    transaction
        .execute(&sql, &[&tenant.as_str(), &account_id.as_bytes().as_slice()])
        .await?;
    Ok(())
}

/// Erases what lies in mailboxes whose time is over, and forgets the names of those that were over long ago.
pub(super) async fn erase_expired(
    transaction: &Transaction,
    now: u64,
    at_most: i64,
) -> Result<u64, StoreError> {
    let emptied = format!(
        "UPDATE mailboxes SET {EMPTY} WHERE (tenant, mailbox_id) IN
         (SELECT tenant, mailbox_id FROM mailboxes WHERE open AND expires < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)"
    );
    let emptied = transaction
        .execute(&emptied, &[&time(now), &at_most])
        .await?;
    let forgotten = transaction
        .execute(
            "DELETE FROM mailboxes WHERE (tenant, mailbox_id) IN
             (SELECT tenant, mailbox_id FROM mailboxes WHERE expires < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
            &[&time(now.saturating_sub(NAME_KEPT)), &at_most],
        )
        .await?;
    Ok(emptied.saturating_add(forgotten))
}
