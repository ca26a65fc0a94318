//! Sealed nonces: written before the record that names them, handed out while it does, erased afterwards.
//!
//! The nonce store may be another database, so no transaction spans both. What must never happen is that a nonce is erased
//! which a record names. The outbox in the records' database decides: whoever commits a record that names a new nonce puts the
//! nonce's row there first, looks that the nonce is held, and takes the row away in the same transaction; whoever erases a nonce
//! does so only while it holds the committed row, and only if the record does not name it. Rows of one key exclude each other,
//! so one of the two waits for the other, and then sees what it did.
//!
//! A lock ends with its connection, and whoever held it may not notice for a while. So every writing of a nonce has a generation,
//! which the eraser reads first and erases alone: what was written afterwards, perhaps to be named, it cannot hit.

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
/// Rows that are looked at in one go.
const PAGE: i64 = 200;

/// Takes the row's lock also where the row is there, and waits for whoever is about to delete it.
const QUEUE: &str =
    "INSERT INTO nonce_erasures (tenant, account_id, nonce_hash) VALUES ($1, $2, $3)
     ON CONFLICT (tenant, account_id, nonce_hash) DO UPDATE SET tenant = excluded.tenant";
const UNQUEUE: &str =
    "DELETE FROM nonce_erasures WHERE tenant = $1 AND account_id = $2 AND nonce_hash = $3";

fn columns(key: &NonceKey) -> (&str, &[u8], &[u8]) {
    (
        key.tenant.as_str(),
        key.account_id.as_bytes().as_slice(),
        key.hash.as_bytes().as_slice(),
    )
}

/// Writes it durably; nothing names it yet.
pub(super) async fn write(
    databases: &Databases,
    key: &NonceKey,
    sealed: &SealedNonce,
    now: u64,
) -> Result<(), StoreError> {
    let (tenant, account, hash) = columns(key);
    transact!(on databases.nonces, store => async {
        store
            .execute(
                "INSERT INTO nonces (tenant, account_id, nonce_hash, sealed, settled, written_at, generation)
                 VALUES ($1, $2, $3, $4, false, $5, gen_random_uuid()::text) ON CONFLICT DO NOTHING",
                &[&tenant, &account, &hash, &sealed.as_bytes(), &time(now)],
            )
            .await
            .map(drop)
    })
}

pub(super) async fn held(
    databases: &Databases,
    key: &NonceKey,
) -> Result<Option<SealedNonce>, StoreError> {
    let (tenant, account, hash) = columns(key);
    let row = transact!(on databases.nonces, store => store.row(
        "SELECT sealed FROM nonces WHERE tenant = $1 AND account_id = $2 AND nonce_hash = $3",
        &[&tenant, &account, &hash],
    ))?;
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
    let sealed = held(databases, &key).await?;
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
    if put == 0 || held(databases, key).await?.is_none() {
        return Err(lost);
    }
    transaction
        .execute(UNQUEUE, &[&tenant, &account, &hash])
        .await?;
    Ok(())
}

/// Queues the erasure of a nonce in the transaction that ends it.
pub(super) async fn end(transaction: &Transaction, key: &NonceKey) -> Result<(), StoreError> {
    let (tenant, account, hash) = columns(key);
    transaction
        .execute(QUEUE, &[&tenant, &account, &hash])
        .await?;
    Ok(())
}

/// The account's nonces whose erasure is queued.
pub(super) async fn queued(
    transaction: &Transaction,
    tenant: &Tenant,
    account_id: &AccountId,
) -> Result<Vec<NonceKey>, StoreError> {
    let rows = transaction
        .rows(
            "SELECT tenant, account_id, nonce_hash FROM nonce_erasures WHERE tenant = $1 AND account_id = $2",
            &[&tenant.as_str(), &account_id.as_bytes().as_slice()],
        )
        .await?;
    rows.iter().map(key).collect()
}

/// Erases a nonce whose erasure is queued. What cannot be erased now stays queued. Says whether it is gone, or named.
pub(super) async fn erase_queued(databases: &Databases, key: &NonceKey) -> bool {
    let erased: Result<(), StoreError> =
        transact!(databases, transaction => erase(databases, &transaction, key));
    if let Err(error) = &erased {
        tracing::warn!(%error, "a nonce is not erased yet; this will be tried again");
    }
    erased.is_ok()
}

pub(super) async fn erase(
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
    // Before it is seen whether the record names it.
    let generation = generation(databases, key).await?;
    let head = head(transaction, &key.tenant, &key.account_id).await?;
    let named = head.is_some_and(|head| head.nonce_hash == Some(key.hash));
    if named {
        mark_settled(databases, key).await?;
    } else if let Some(generation) = generation {
        erase_generation(databases, key, &generation).await?;
    }
    transaction
        .execute(UNQUEUE, &[&tenant, &account, &hash])
        .await?;
    Ok(())
}

/// Which writing of the nonce is held.
pub(super) async fn generation(
    databases: &Databases,
    key: &NonceKey,
) -> Result<Option<String>, StoreError> {
    let (tenant, account, hash) = columns(key);
    let row = transact!(on databases.nonces, store => store.row(
        "SELECT generation FROM nonces WHERE tenant = $1 AND account_id = $2 AND nonce_hash = $3",
        &[&tenant, &account, &hash],
    ))?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

pub(super) async fn erase_generation(
    databases: &Databases,
    key: &NonceKey,
    generation: &str,
) -> Result<(), StoreError> {
    let (tenant, account, hash) = columns(key);
    transact!(on databases.nonces, store => async {
        store
            .execute(
                "DELETE FROM nonces WHERE tenant = $1 AND account_id = $2 AND nonce_hash = $3 AND generation = $4",
                &[&tenant, &account, &hash, &generation],
            )
            .await
            .map(drop)
    })
}

async fn mark_settled(databases: &Databases, key: &NonceKey) -> Result<(), StoreError> {
    let (tenant, account, hash) = columns(key);
    transact!(on databases.nonces, store => async {
        store
            .execute(
                "UPDATE nonces SET settled = true
                 WHERE tenant = $1 AND account_id = $2 AND nonce_hash = $3 AND NOT settled",
                &[&tenant, &account, &hash],
            )
            .await
            .map(drop)
    })
}

/// Notes that the record which names it is committed. Where that fails, a sweep does it.
pub(super) async fn settle(databases: &Databases, key: &NonceKey) {
    if let Err(error) = mark_settled(databases, key).await {
        tracing::debug!(%error, "a nonce is not marked as named yet");
    }
}

/// Erases a nonce that was written for an operation that was refused, unless the current record names it. Says whether that is
/// done.
pub(super) async fn take_back(databases: &Databases, key: &NonceKey) -> bool {
    let queued: Result<(), StoreError> =
        transact!(databases, transaction => end(&transaction, key));
    match queued {
        Ok(()) => erase_queued(databases, key).await,
        Err(error) => {
            tracing::warn!(%error, "a nonce that nothing names is not erased yet; this will be tried again");
            false
        }
    }
}

/// Erases what is queued, and nonces whose operation ended without telling. Says whether there may be more.
pub(super) async fn sweep(databases: &Databases, now: u64) -> Result<bool, StoreError> {
    let queued = transact!(databases, transaction => transaction.rows(
        "SELECT tenant, account_id, nonce_hash FROM nonce_erasures LIMIT $1",
        &[&PAGE],
    ))?;
    let mut done = 0;
    for row in &queued {
        done += usize::from(erase_queued(databases, &key(row)?).await);
    }
    let old = time(now.saturating_sub(ORPHAN_AGE));
    let unsettled = transact!(on databases.nonces, store => store.rows(
        "SELECT tenant, account_id, nonce_hash FROM nonces WHERE NOT settled AND written_at < $1
         ORDER BY written_at LIMIT $2",
        &[&old, &PAGE],
    ))?;
    for row in &unsettled {
        done += usize::from(take_back(databases, &key(row)?).await);
    }
    let full = usize::try_from(PAGE).unwrap_or_default();
    // Where nothing gets done, there is no point in going on now.
    Ok(done > 0 && (queued.len() >= full || unsettled.len() >= full))
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
        let rows = transact!(on databases.nonces, store => store.rows(
            NEXT,
            &[&old, &tenant, &account, &hash, &PAGE],
        ))?;
        for row in &rows {
            let key = key(row)?;
            let head = transact!(databases, transaction => head(&transaction, &key.tenant, &key.account_id))?;
            if head.is_none_or(|head| head.nonce_hash != Some(key.hash)) {
                erased += u64::from(take_back(databases, &key).await);
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
    let (tenant, account, hash) = columns(key);
    // A damaged one is as good as none.
    transact!(on databases.nonces, store => store.execute(
        "INSERT INTO nonces (tenant, account_id, nonce_hash, sealed, settled, written_at, generation)
         VALUES ($1, $2, $3, $4, true, 0, gen_random_uuid()::text)
         ON CONFLICT (tenant, account_id, nonce_hash) DO UPDATE SET
         sealed = excluded.sealed, settled = true, generation = excluded.generation
         WHERE nonces.sealed <> excluded.sealed",
        &[&tenant, &account, &hash, &sealed.as_bytes()],
    ))
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
