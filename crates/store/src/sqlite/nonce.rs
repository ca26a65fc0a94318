//! Release a sealed nonce: only one that the current record names.

use trefoil_protocol::bytes::{AccountId, NonceHash, SealedNonce};
use trefoil_protocol::event::EventBody;
use trefoil_protocol::tenant::Tenant;

use super::rows::{append_event, current_nonce};
use super::sessions;
use super::writer::Transaction;
use crate::error::StoreError;
use crate::model::Caller;
use crate::values::NonceKey;

pub(super) fn release(
    transaction: &mut Transaction<'_>,
    caller: &Caller,
) -> Result<SealedNonce, StoreError> {
    let Caller {
        tenant,
        account_id,
        now,
        ..
    } = caller;
    sessions::check(transaction.records, caller)?;
    let hash =
        current_nonce(transaction.records, tenant, *account_id)?.ok_or(StoreError::NoNonce)?;
    let sealed = read(transaction, tenant, *account_id, hash)?.ok_or(StoreError::NoNonce)?;
    append_event(
        transaction.records,
        tenant,
        *account_id,
        *now,
        EventBody::NonceReleased {},
    )?;
    Ok(sealed)
}

/// The nonce of this hash, which the caller has read from the current record.
pub(super) fn read(
    transaction: &Transaction<'_>,
    tenant: &Tenant,
    account_id: AccountId,
    hash: NonceHash,
) -> Result<Option<SealedNonce>, StoreError> {
    let sealed = transaction.nonces.read(&NonceKey {
        tenant: tenant.clone(),
        account_id,
        hash,
    })?;
    if sealed.is_none() {
        tracing::error!(
            "a record names a nonce that the nonce store lacks; restore it from a backup"
        );
    }
    Ok(sealed)
}

/// A record may name only a nonce that is already durable.
pub(super) fn require_held(
    transaction: &Transaction<'_>,
    tenant: &Tenant,
    account_id: AccountId,
    hash: NonceHash,
) -> Result<(), StoreError> {
    let key = NonceKey {
        tenant: tenant.clone(),
        account_id,
        hash,
    };
    transaction
        .nonces
        .read(&key)?
        .map(drop)
        .ok_or(StoreError::MissingNonce)
}
