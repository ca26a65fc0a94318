//! Put entries of a backup into the store.

use trefoil_protocol::bytes::{AccountId, EnvelopeHash, NonceHash, PayloadHash};
use trefoil_protocol::tenant::Tenant;

use super::dump;
use crate::error::StoreError;
use crate::postgres::rows::{head, is_buried};
use crate::postgres::transaction::{Transaction, transact};
use crate::postgres::{Databases, nonces as nonce_store};
use crate::upkeep_store::{DumpEntry, DumpedAccount, DumpedFactor, DumpedNonce, DumpedSlot};
use crate::values::{NonceKey, actions_to_text, time, to_sql};

pub(super) async fn entries(
    databases: &Databases,
    entries: &[DumpEntry],
) -> Result<(), StoreError> {
    transact!(databases, transaction => all(&transaction, entries))
}

async fn all(transaction: &Transaction, entries: &[DumpEntry]) -> Result<(), StoreError> {
    transaction.begin().await?;
    for entry in entries {
        match entry {
            DumpEntry::Account(loaded) => account(transaction, loaded).await?,
            DumpEntry::Tombstone {
                tenant,
                account_id,
                deleted_at,
                slots,
            } => tombstone(transaction, tenant, account_id, *deleted_at, slots).await?,
        }
    }
    Ok(())
}

async fn account(transaction: &Transaction, loaded: &DumpedAccount) -> Result<(), StoreError> {
    let (tenant, account_id) = (&loaded.tenant, &loaded.account_id);
    if is_buried(transaction, tenant, account_id).await? {
        return Err(StoreError::AccountDeleted);
    }
    if let Some(held) = dump::held(transaction, tenant, account_id).await? {
        return if held == *loaded {
            Ok(())
        } else {
            Err(StoreError::AccountExists)
        };
    }
    let (name, account) = (tenant.as_str(), account_id.as_bytes().as_slice());
    let head = loaded.event_head.as_ref().map(PayloadHash::as_bytes);
    transaction
        .execute(
            "INSERT INTO accounts (tenant, account_id, logins, event_seq, event_head) VALUES ($1, $2, $3, $4, $5)",
            &[
                &name,
                &account,
                &to_sql(loaded.logins),
                &to_sql(loaded.event_seq),
                &head.map(<[u8; 32]>::as_slice),
            ],
        )
        .await?;
    let nonce_hash = loaded.nonce_hash.as_ref().map(NonceHash::as_bytes);
    transaction
        .execute(
            "INSERT INTO records (tenant, account_id, revision, payload_hash, nonce_hash, actions, signature, payload)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            &[
                &name,
                &account,
                &to_sql(loaded.revision),
                &loaded.payload_hash.as_bytes().as_slice(),
                &nonce_hash.map(<[u8; 32]>::as_slice),
                &actions_to_text(&loaded.actions)?,
                &loaded.signature.as_bytes().as_slice(),
                &loaded.payload.as_bytes(),
            ],
        )
        .await?;
    for factor in &loaded.factors {
        put_factor(transaction, name, account, factor).await?;
    }
    // The kept events are the newest, without gaps.
    let count = u64::try_from(loaded.events.len()).map_err(StoreError::backend)?;
    let before = loaded
        .event_seq
        .checked_sub(count)
        .ok_or(StoreError::Corrupt {
            what: "the events of a backup",
        })?;
    for (seq, body) in (before..).skip(1).zip(&loaded.events) {
        transaction
            .execute(
                "INSERT INTO events (tenant, account_id, seq, body) VALUES ($1, $2, $3, $4)",
                &[&name, &account, &to_sql(seq), &body.as_bytes()],
            )
            .await?;
    }
    put_slots(transaction, tenant, account_id, &loaded.slots).await
}

async fn put_factor(
    transaction: &Transaction,
    tenant: &str,
    account: &[u8],
    factor: &DumpedFactor,
) -> Result<(), StoreError> {
    let locator = factor.locator.as_bytes().as_slice();
    let taken = transaction
        .execute(
            "INSERT INTO locators (tenant, locator, account_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            &[&tenant, &locator, &account],
        )
        .await?;
    if taken == 0 {
        return Err(StoreError::LocatorTaken);
    }
    let enrolled = factor.enrolled.as_ref();
    let hash = enrolled.map(|held| &held.hash).map(EnvelopeHash::as_bytes);
    transaction
        .execute(
            "INSERT INTO factors (tenant, account_id, locator, share_index, envelope_hash, envelope)
             VALUES ($1, $2, $3, $4, $5, $6)",
            &[
                &tenant,
                &account,
                &locator,
                &enrolled.map(|held| i64::from(held.index)),
                &hash.map(<[u8; 32]>::as_slice),
                &enrolled.map(|held| held.envelope.as_bytes()),
            ],
        )
        .await?;
    Ok(())
}

async fn tombstone(
    transaction: &Transaction,
    tenant: &Tenant,
    account_id: &AccountId,
    deleted_at: u64,
    ended: &[DumpedSlot],
) -> Result<(), StoreError> {
    if head(transaction, tenant, account_id).await?.is_some() {
        return Err(StoreError::AccountExists);
    }
    if is_buried(transaction, tenant, account_id).await? {
        return if dump::slots(transaction, tenant, account_id).await? == ended {
            Ok(())
        } else {
            Err(StoreError::SlotChanged)
        };
    }
    transaction
        .execute(
            "INSERT INTO tombstones (tenant, account_id, deleted_at) VALUES ($1, $2, $3)",
            &[
                &tenant.as_str(),
                &account_id.as_bytes().as_slice(),
                &time(deleted_at),
            ],
        )
        .await?;
    put_slots(transaction, tenant, account_id, ended).await
}

async fn put_slots(
    transaction: &Transaction,
    tenant: &Tenant,
    account_id: &AccountId,
    slots: &[DumpedSlot],
) -> Result<(), StoreError> {
    for slot in slots {
        let inserted = transaction
            .execute(
                "INSERT INTO slots (slot_id, tenant, account_id, version, held, record)
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
                &[
                    &slot.slot_id.as_bytes().as_slice(),
                    &tenant.as_str(),
                    &account_id.as_bytes().as_slice(),
                    &to_sql(slot.version),
                    &slot.held,
                    &slot.record.as_bytes(),
                ],
            )
            .await?;
        if inserted == 0 {
            return Err(StoreError::SlotChanged);
        }
    }
    Ok(())
}

/// Those that a current record names; gives how many were not held.
pub(super) async fn nonces(
    databases: &Databases,
    nonces: Vec<DumpedNonce>,
) -> Result<u64, StoreError> {
    let mut loaded = 0;
    for nonce in nonces {
        let key = NonceKey {
            tenant: nonce.tenant,
            account_id: nonce.account_id,
            hash: nonce.sealed.hash(),
        };
        let head =
            transact!(databases, transaction => head(&transaction, &key.tenant, &key.account_id))?;
        if head.is_some_and(|head| head.nonce_hash == Some(key.hash)) {
            loaded += nonce_store::put_back(databases, &key, &nonce.sealed).await?;
        }
    }
    Ok(loaded)
}
