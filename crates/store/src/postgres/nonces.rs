//! Sealed nonces: written before the record that names them, handed out while it does, erased afterwards.
//!
//! The nonce store may be another database, so no transaction spans both. What must never happen is that a nonce is erased
//! which a record names. The outbox in the records' database decides: whoever commits a record that names a new nonce puts the
//! nonce's row there first, looks that the nonce is held, and takes the row away in the same transaction; whoever erases a nonce
//! does so only while it holds the committed row, and only if the record does not name it. Rows of one key exclude each other,
//! so one of the two waits for the other, and then sees what it did.

use deadpool_postgres::Pool;
use trefoil_protocol::bytes::{AccountId, NonceHash, SealedNonce};
use trefoil_protocol::event::EventBody;
use trefoil_protocol::tenant::Tenant;

use super::rows::{self, append_event, array, head};
use super::transaction::{Transaction, transact};
use super::{Databases, sessions};
use crate::error::StoreError;
use crate::model::Caller;
use crate::values::{NonceKey, tenant_from_text, time};

/// After which a written nonce whose record was not seen to be committed is looked at, in seconds.
const ORPHAN_AGE: u64 = 120;
/// Rows that one sweep looks at.
const SWEPT: i64 = 200;

/// Writes it durably; nothing names it yet.
pub(super) async fn write(
    databases: &Databases,
    key: &NonceKey,
    sealed: &SealedNonce,
    now: u64,
) -> Result<(), StoreError> {
    let connection = databases.nonces.get().await?;
    let statement = connection
        .prepare_cached(
            "INSERT INTO nonces (tenant, account_id, nonce_hash, sealed, settled, written_at)
             VALUES ($1, $2, $3, $4, false, $5) ON CONFLICT DO NOTHING",
        )
        .await?;
    let (tenant, account, hash) = columns(key);
    connection
        .execute(
            &statement,
            &[&tenant, &account, &hash, &sealed.as_bytes(), &time(now)],
        )
        .await?;
    Ok(())
}

fn columns(key: &NonceKey) -> (&str, &[u8], &[u8]) {
    (
        key.tenant.as_str(),
        key.account_id.as_bytes().as_slice(),
        key.hash.as_bytes().as_slice(),
    )
}

pub(super) async fn held(pool: &Pool, key: &NonceKey) -> Result<Option<SealedNonce>, StoreError> {
    let connection = pool.get().await?;
    let statement = connection
        .prepare_cached(
            "SELECT sealed FROM nonces WHERE tenant = $1 AND account_id = $2 AND nonce_hash = $3",
        )
        .await?;
    let (tenant, account, hash) = columns(key);
    let row = connection
        .query_opt(&statement, &[&tenant, &account, &hash])
        .await?;
    let Some(row) = row else { return Ok(None) };
    let sealed = SealedNonce::new(row.try_get(0)?);
    if sealed.hash() != key.hash {
        return Err(StoreError::Corrupt {
            what: "a sealed nonce",
        });
    }
    Ok(Some(sealed))
}

/// The nonce of this hash, which the caller has read from the current record.
pub(super) async fn read(
    databases: &Databases,
    tenant: &Tenant,
    account_id: AccountId,
    hash: NonceHash,
) -> Result<Option<SealedNonce>, StoreError> {
    let key = NonceKey {
        tenant: tenant.clone(),
        account_id,
        hash,
    };
    let sealed = held(&databases.nonces, &key).await?;
    if sealed.is_none() {
        tracing::error!(
            "a record names a nonce that the nonce store lacks; restore it from a backup"
        );
    }
    Ok(sealed)
}

/// Keeps a nonce from being erased until the transaction ends, which is about to name it. `given` says whether it was written
/// for this operation.
pub(super) async fn name(
    databases: &Databases,
    transaction: &Transaction,
    key: &NonceKey,
    given: bool,
) -> Result<(), StoreError> {
    let (tenant, account, hash) = columns(key);
    let put = transaction
        .execute(
            "INSERT INTO nonce_erasures (tenant, account_id, nonce_hash) VALUES ($1, $2, $3)
             ON CONFLICT DO NOTHING",
            &[&tenant, &account, &hash],
        )
        .await?;
    // Where it is just being erased, or was before this transaction could prevent it, it has to be written again.
    let lost = if given {
        StoreError::Busy
    } else {
        StoreError::MissingNonce
    };
    if put == 0 || held(&databases.nonces, key).await?.is_none() {
        return Err(lost);
    }
    transaction
        .execute(
            "DELETE FROM nonce_erasures WHERE tenant = $1 AND account_id = $2 AND nonce_hash = $3",
            &[&tenant, &account, &hash],
        )
        .await?;
    Ok(())
}

/// Queues the erasure of a nonce in the transaction that ends it.
pub(super) async fn end(transaction: &Transaction, key: &NonceKey) -> Result<(), StoreError> {
    let (tenant, account, hash) = columns(key);
    transaction
        .execute(
            "INSERT INTO nonce_erasures (tenant, account_id, nonce_hash) VALUES ($1, $2, $3)
             ON CONFLICT DO NOTHING",
            &[&tenant, &account, &hash],
        )
        .await?;
    Ok(())
}

/// Erases a nonce whose erasure is queued. What cannot be erased now stays queued.
pub(super) async fn erase_queued(databases: &Databases, key: &NonceKey) {
    let erased: Result<(), StoreError> =
        transact!(databases, transaction => erase(databases, &transaction, key));
    if let Err(error) = erased {
        tracing::warn!(%error, "a nonce is not erased yet; this will be tried again");
    }
}

async fn erase(
    databases: &Databases,
    transaction: &Transaction,
    key: &NonceKey,
) -> Result<(), StoreError> {
    transaction.begin().await?;
    let (tenant, account, hash) = columns(key);
    let queued = transaction
        .row(
            "SELECT 1 FROM nonce_erasures WHERE tenant = $1 AND account_id = $2 AND nonce_hash = $3 FOR UPDATE",
            &[&tenant, &account, &hash],
        )
        .await?;
    if queued.is_none() {
        return Ok(());
    }
    let head = head(transaction, &key.tenant, &key.account_id).await?;
    let named = head.is_some_and(|head| head.nonce_hash == Some(key.hash));
    let connection = databases.nonces.get().await?;
    let sql = if named {
        "UPDATE nonces SET settled = true WHERE tenant = $1 AND account_id = $2 AND nonce_hash = $3"
    } else {
        "DELETE FROM nonces WHERE tenant = $1 AND account_id = $2 AND nonce_hash = $3"
    };
    let statement = connection.prepare_cached(sql).await?;
    connection
        .execute(&statement, &[&tenant, &account, &hash])
        .await?;
    transaction
        .execute(
            "DELETE FROM nonce_erasures WHERE tenant = $1 AND account_id = $2 AND nonce_hash = $3",
            &[&tenant, &account, &hash],
        )
        .await?;
    Ok(())
}

/// Notes that the record which names it is committed. Where that fails, a sweep does it.
pub(super) async fn settle(databases: &Databases, key: &NonceKey) {
    let settled: Result<(), StoreError> = async {
        let connection = databases.nonces.get().await?;
        let statement = connection
            .prepare_cached(
                "UPDATE nonces SET settled = true
                 WHERE tenant = $1 AND account_id = $2 AND nonce_hash = $3 AND NOT settled",
            )
            .await?;
        let (tenant, account, hash) = columns(key);
        connection
            .execute(&statement, &[&tenant, &account, &hash])
            .await?;
        Ok(())
    }
    .await;
    if let Err(error) = settled {
        tracing::debug!(%error, "a nonce is not marked as named yet");
    }
}

/// Erases a nonce that was written for an operation that was refused, unless the current record names it.
pub(super) async fn take_back(databases: &Databases, key: &NonceKey) {
    let queued: Result<(), StoreError> =
        transact!(databases, transaction => queue(&transaction, key));
    match queued {
        Ok(()) => erase_queued(databases, key).await,
        Err(error) => {
            tracing::warn!(%error, "a nonce that nothing names is not erased yet; this will be tried again");
        }
    }
}

async fn queue(transaction: &Transaction, key: &NonceKey) -> Result<(), StoreError> {
    transaction.begin().await?;
    end(transaction, key).await
}

/// Erases what is queued, and nonces whose operation ended without telling.
pub(super) async fn sweep(databases: &Databases, now: u64) -> Result<(), StoreError> {
    let connection = databases.records.get().await?;
    let queued = connection
        .query(
            "SELECT tenant, account_id, nonce_hash FROM nonce_erasures LIMIT $1",
            &[&SWEPT],
        )
        .await?;
    drop(connection);
    for row in &queued {
        erase_queued(databases, &key(row)?).await;
    }
    let connection = databases.nonces.get().await?;
    let unsettled = connection
        .query(
            "SELECT tenant, account_id, nonce_hash FROM nonces WHERE NOT settled AND written_at < $1
             ORDER BY written_at LIMIT $2",
            &[&time(now.saturating_sub(ORPHAN_AGE)), &SWEPT],
        )
        .await?;
    drop(connection);
    for row in &unsettled {
        take_back(databases, &key(row)?).await;
    }
    Ok(())
}

/// Erases every nonce that no record names, but for those that an operation under way may be about to name. Gives how many.
pub(super) async fn erase_unnamed(databases: &Databases, now: u64) -> Result<u64, StoreError> {
    const NEXT: &str = "SELECT tenant, account_id, nonce_hash FROM nonces
         WHERE (settled OR written_at < $1) AND (tenant, account_id, nonce_hash) > ($2, $3, $4)
         ORDER BY tenant, account_id, nonce_hash LIMIT $5";

    let old = time(now.saturating_sub(ORPHAN_AGE));
    let mut erased = 0;
    let mut last: Option<NonceKey> = None;
    loop {
        let (tenant, account, hash) = last.as_ref().map_or(("", &[][..], &[][..]), columns);
        let connection = databases.nonces.get().await?;
        let rows = connection
            .query(NEXT, &[&old, &tenant, &account, &hash, &SWEPT])
            .await?;
        drop(connection);
        for row in &rows {
            let key = key(row)?;
            let transaction = databases.transaction().await?;
            let head = head(&transaction, &key.tenant, &key.account_id).await?;
            drop(transaction);
            if head.is_none_or(|head| head.nonce_hash != Some(key.hash)) {
                take_back(databases, &key).await;
                erased += 1;
            }
        }
        match rows.last() {
            Some(row) => last = Some(key(row)?),
            None => return Ok(erased),
        }
    }
}

/// Puts a nonce of a backup into the store; gives 1 where it was not there.
pub(super) async fn put_back(
    databases: &Databases,
    key: &NonceKey,
    sealed: &SealedNonce,
) -> Result<u64, StoreError> {
    let connection = databases.nonces.get().await?;
    let (tenant, account, hash) = columns(key);
    // A damaged one is as good as none.
    let put = connection
        .execute(
            "INSERT INTO nonces (tenant, account_id, nonce_hash, sealed, settled, written_at)
             VALUES ($1, $2, $3, $4, true, 0)
             ON CONFLICT (tenant, account_id, nonce_hash) DO UPDATE SET sealed = excluded.sealed, settled = true
             WHERE nonces.sealed <> excluded.sealed",
            &[&tenant, &account, &hash, &sealed.as_bytes()],
        )
        .await?;
    Ok(put)
}

pub(super) fn key(row: &tokio_postgres::Row) -> Result<NonceKey, StoreError> {
    Ok(NonceKey {
        tenant: tenant_from_text(row.try_get(0)?)?,
        account_id: AccountId::from_bytes(array(row, 1)?),
        hash: NonceHash::from_bytes(array(row, 2)?),
    })
}

/// Releases the sealed nonce that the current record names, and logs that.
pub(super) async fn release(
    databases: &Databases,
    caller: &Caller,
) -> Result<SealedNonce, StoreError> {
    transact!(databases, transaction => release_once(databases, &transaction, caller))
}

async fn release_once(
    databases: &Databases,
    transaction: &Transaction,
    caller: &Caller,
) -> Result<SealedNonce, StoreError> {
    let Caller {
        tenant,
        account_id,
        now,
        ..
    } = caller;
    transaction.begin().await?;
    let locked = rows::lock(transaction, tenant, account_id).await?;
    sessions::check(transaction, caller).await?;
    let locked = locked.ok_or(rows::NO_RECORD)?;
    let head = head(transaction, tenant, account_id)
        .await?
        .ok_or(rows::NO_RECORD)?;
    let hash = head.nonce_hash.ok_or(StoreError::NoNonce)?;
    let sealed = read(databases, tenant, *account_id, hash)
        .await?
        .ok_or(StoreError::NoNonce)?;
    let body = EventBody::NonceReleased {};
    append_event(transaction, tenant, account_id, &locked, *now, body).await?;
    Ok(sealed)
}
