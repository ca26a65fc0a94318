//! Delete an account and leave a tombstone.

use super::rows::{head, is_buried, lock};
use super::transaction::{Transaction, transact};
use super::{Databases, mailboxes, nonces, sessions, slots};
use crate::at_rest::AtRest;
use crate::error::StoreError;
use crate::model::{Caller, StatementUse};
use crate::values::{NonceKey, time};

/// What is erased; the account's id stays behind in `tombstones`, its slots' ids in `slots`.
const ERASE: [&str; 6] = [
    "DELETE FROM sessions WHERE tenant = $1 AND account_id = $2",
    "DELETE FROM events WHERE tenant = $1 AND account_id = $2",
    "DELETE FROM locators WHERE tenant = $1 AND account_id = $2 AND locator IN
     (SELECT locator FROM factors WHERE tenant = $1 AND account_id = $2)",
    "DELETE FROM factors WHERE tenant = $1 AND account_id = $2",
    "DELETE FROM records WHERE tenant = $1 AND account_id = $2",
    "DELETE FROM accounts WHERE tenant = $1 AND account_id = $2",
];

pub(super) async fn delete(
    databases: &Databases,
    caller: &Caller,
    statement: StatementUse,
) -> Result<(), StoreError> {
    let ended = transact!(databases, transaction => attempt(&transaction, &databases.at_rest, caller, statement))?;
    for key in &ended {
        nonces::erase_queued(databases, key).await;
    }
    Ok(())
}

/// Gives the nonces that ended with the account, now or when it was deleted before.
async fn attempt(
    transaction: &Transaction,
    at_rest: &AtRest,
    caller: &Caller,
    statement: StatementUse,
) -> Result<Vec<NonceKey>, StoreError> {
    let Caller {
        tenant,
        account_id,
        now,
        ..
    } = caller;
    transaction.begin().await?;
    let locked = lock(transaction, tenant, account_id).await?;
    sessions::use_requests(transaction, tenant, &[statement], *now).await?;
    if locked.is_none() && is_buried(transaction, tenant, account_id).await? {
        // A repeated request: the session went with the account, the account's own signature is enough.
        return nonces::queued(transaction, tenant, account_id).await;
    }
    sessions::check(transaction, caller).await?;
    let head = head(transaction, tenant, account_id).await?;
    let ended = head.and_then(|head| head.nonce_hash).map(|hash| NonceKey {
        tenant: tenant.clone(),
        account_id: *account_id,
        hash,
    });
    if let Some(ended) = &ended {
        nonces::end(transaction, ended).await?;
    }
    slots::end_all(transaction, at_rest, tenant, account_id).await?;
    mailboxes::close_all(transaction, tenant, account_id).await?;
    let (name, account) = (tenant.as_str(), account_id.as_bytes().as_slice());
    for sql in ERASE {
        transaction.execute(sql, &[&name, &account]).await?;
    }
    transaction
        .execute(
            "INSERT INTO tombstones (tenant, account_id, deleted_at) VALUES ($1, $2, $3)",
            &[&name, &account, &time(*now)],
        )
        .await?;
    Ok(ended.into_iter().collect())
}
