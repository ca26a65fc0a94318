//! Delete an account and leave a tombstone.

use rusqlite::params;

use super::rows::current_nonce;
use super::writer::Transaction;
use super::{mailboxes, sessions, slots};
use crate::error::StoreError;
use crate::model::{Caller, StatementUse};
use crate::values::{NonceKey, time};

/// What is erased; the account's id stays behind in `tombstones`, its slots' ids in `slots`.
const ERASE: [&str; 5] = [
    "DELETE FROM sessions INDEXED BY sessions_of_account WHERE tenant = ?1 AND account_id = ?2",
    "DELETE FROM events WHERE tenant = ?1 AND account_id = ?2",
    "DELETE FROM factors INDEXED BY factors_of_account WHERE tenant = ?1 AND account_id = ?2",
    "DELETE FROM records WHERE tenant = ?1 AND account_id = ?2",
    "DELETE FROM accounts WHERE tenant = ?1 AND account_id = ?2",
];

pub(super) fn delete(
    transaction: &mut Transaction<'_>,
    caller: &Caller,
    statement: StatementUse,
) -> Result<(), StoreError> {
    let Caller {
        tenant,
        account_id,
        now,
        ..
    } = caller;
    let records = transaction.records;
    sessions::use_requests(records, tenant, &[statement], *now)?;
    let account = params![tenant.as_str(), account_id.as_bytes()];
    let buried = records
        .prepare_cached("SELECT 1 FROM tombstones WHERE tenant = ?1 AND account_id = ?2")?
        .exists(account)?;
    if buried {
        // A repeated request: the session went with the account, the account's own signature is enough.
        return Ok(());
    }
    sessions::check(records, caller)?;
    if let Some(hash) = current_nonce(records, tenant, *account_id)? {
        transaction.end_nonce(NonceKey {
            tenant: tenant.clone(),
            account_id: *account_id,
            hash,
        })?;
    }
    slots::end_all(transaction, tenant, *account_id)?;
    mailboxes::close_all(records, tenant, *account_id)?;
    for sql in ERASE {
        records.prepare_cached(sql)?.execute(account)?;
    }
    records
        .prepare_cached(
            "INSERT INTO tombstones (tenant, account_id, deleted_at) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![tenant.as_str(), account_id.as_bytes(), time(*now)])?;
    Ok(())
}
