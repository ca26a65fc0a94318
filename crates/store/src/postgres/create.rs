//! Create an account.

use std::collections::BTreeSet;

use trefoil_protocol::bytes::{NonceHash, SealedNonce};
use trefoil_protocol::event::EventBody;

use super::login::opened;
use super::rows::{self, Locked, append_event, head, is_buried};
use super::transaction::{Transaction, transact};
use super::{Databases, factors, nonces, sessions};
use crate::error::StoreError;
use crate::model::{CreateAccount, OpenedSession};
use crate::values::{NonceKey, actions_to_text, to_sql};

pub(super) async fn create(
    databases: &Databases,
    create: &CreateAccount,
) -> Result<OpenedSession, StoreError> {
    let key = create.sealed_nonce.as_ref().map(|sealed| NonceKey {
        tenant: create.tenant.clone(),
        account_id: create.account_id,
        hash: sealed.hash(),
    });
    let created =
        transact!(databases, transaction => attempt(databases, &transaction, create, key.as_ref()));
    if let Some(key) = &key {
        match &created {
            Ok(_) => nonces::settle(databases, key).await,
            // Also where it is not known whether the record was committed: the nonce is kept if it was.
            Err(_) => {
                nonces::take_back(databases, key).await;
            }
        }
    }
    created
}

async fn attempt(
    databases: &Databases,
    transaction: &Transaction,
    create: &CreateAccount,
    key: Option<&NonceKey>,
) -> Result<OpenedSession, StoreError> {
    let CreateAccount {
        tenant,
        account_id,
        record,
        now,
        ..
    } = create;
    if let (Some(key), Some(sealed)) = (key, &create.sealed_nonce) {
        nonces::write(databases, key, sealed, *now).await?;
    }
    transaction.begin().await?;
    sessions::use_requests(transaction, tenant, &[create.statement], *now).await?;
    if is_buried(transaction, tenant, account_id).await? {
        return Err(StoreError::AccountDeleted);
    }
    // Locked, since the session that a repeat opens must not outlive its factor.
    rows::lock(transaction, tenant, account_id).await?;
    let existing = head(transaction, tenant, account_id).await?;
    let is_repeat = existing
        .as_ref()
        .is_some_and(|existing| existing.hash == record.hash);
    if !is_repeat {
        insert(databases, transaction, create, existing.is_some()).await?;
    }
    let proven = [create.proven];
    sessions::open(transaction, tenant, account_id, &proven, &create.session).await?;
    opened(databases, transaction, tenant, *account_id, &proven).await
}

async fn insert(
    databases: &Databases,
    transaction: &Transaction,
    create: &CreateAccount,
    exists: bool,
) -> Result<(), StoreError> {
    let CreateAccount {
        tenant,
        account_id,
        record,
        now,
        ..
    } = create;
    let (name, account) = (tenant.as_str(), account_id.as_bytes().as_slice());
    // First the locators: who loses a race learns that the factor is in use and opens the winner's account.
    for entry in &record.entries {
        let taken = transaction
            .row(
                "SELECT 1 FROM locators WHERE tenant = $1 AND locator = $2",
                &[&name, &entry.locator.as_bytes().as_slice()],
            )
            .await?;
        if taken.is_some() {
            return Err(StoreError::LocatorTaken);
        }
    }
    if exists {
        return Err(StoreError::AccountExists);
    }
    // Waits for whoever is creating it, and then sees that it is there.
    let created = transaction
        .execute(
            "INSERT INTO accounts (tenant, account_id, logins, event_seq) VALUES ($1, $2, 1, 0)
             ON CONFLICT DO NOTHING",
            &[&name, &account],
        )
        .await?;
    if created == 0 {
        return Err(StoreError::Busy);
    }
    if is_buried(transaction, tenant, account_id).await? {
        return Err(StoreError::AccountDeleted);
    }
    factors::replace(
        transaction,
        tenant,
        account_id,
        &record.entries,
        &create.envelopes,
    )
    .await?;
    if let Some(hash) = record.nonce_hash {
        let key = NonceKey {
            tenant: tenant.clone(),
            account_id: *account_id,
            hash,
        };
        let given = create.sealed_nonce.as_ref().map(SealedNonce::hash) == Some(hash);
        nonces::name(databases, transaction, &key, given).await?;
    }
    transaction
        .execute(
            "INSERT INTO records (tenant, account_id, revision, payload_hash, nonce_hash, actions, signature, payload)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            &[
                &name,
                &account,
                &to_sql(record.revision),
                &record.hash.as_bytes().as_slice(),
                &record.nonce_hash.as_ref().map(|hash| NonceHash::as_bytes(hash).as_slice()),
                &actions_to_text(&BTreeSet::new())?,
                &record.signature.as_bytes().as_slice(),
                &record.payload.as_bytes(),
            ],
        )
        .await?;
    let locked = rows::lock(transaction, tenant, account_id)
        .await?
        .unwrap_or(Locked {
            event_seq: 0,
            event_head: None,
        });
    let body = EventBody::Created {
        payload_hash: record.hash,
    };
    append_event(transaction, tenant, account_id, &locked, *now, body).await
}
