//! Create an account.

use std::collections::BTreeSet;

use rusqlite::params;
use trefoil_protocol::bytes::{Envelope, NonceHash};
use trefoil_protocol::event::EventBody;

use super::login::opened;
use super::rows::{append_event, head};
use super::writer::Transaction;
use super::{factors, rows, sessions};
use crate::error::StoreError;
use crate::model::{CreateAccount, NewRecord, OpenedSession};
use crate::values::{actions_to_text, to_sql};

pub(super) fn create(
    transaction: &mut Transaction<'_>,
    create: &CreateAccount,
) -> Result<OpenedSession, StoreError> {
    let CreateAccount {
        tenant,
        account_id,
        record,
        now,
        ..
    } = create;
    let (records, account_id, now) = (transaction.records, *account_id, *now);
    sessions::use_requests(records, tenant, &[create.statement], now)?;
    let buried = records
        .prepare_cached("SELECT 1 FROM tombstones WHERE tenant = ?1 AND account_id = ?2")?
        .exists(params![tenant.as_str(), account_id.as_bytes()])?;
    if buried {
        return Err(StoreError::AccountDeleted);
    }

    let existing = head(records, tenant, account_id)?;
    let is_repeat = existing
        .as_ref()
        .is_some_and(|existing| existing.hash == record.hash);
    if !is_repeat {
        // First the locators: who loses a race learns that the factor is in use and opens the winner's account.
        for entry in &record.entries {
            if rows::factor(records, tenant, &entry.locator)?.is_some() {
                return Err(StoreError::LocatorTaken);
            }
        }
        if existing.is_some() {
            return Err(StoreError::AccountExists);
        }
        insert(transaction, create, record, &create.envelopes)?;
    }
    sessions::open(
        records,
        tenant,
        account_id,
        &[create.proven],
        create.session,
        now,
    )?;
    opened(transaction, tenant, account_id, &[create.proven])
}

fn insert(
    transaction: &Transaction<'_>,
    create: &CreateAccount,
    record: &NewRecord,
    envelopes: &[Envelope],
) -> Result<(), StoreError> {
    let CreateAccount {
        tenant,
        account_id,
        now,
        ..
    } = create;
    let records = transaction.records;
    if let Some(hash) = record.nonce_hash {
        super::nonce::require_held(transaction, tenant, *account_id, hash)?;
    }
    records
        .prepare_cached(
            "INSERT INTO accounts (tenant, account_id, logins, event_seq) VALUES (?1, ?2, 1, 0)",
        )?
        .execute(params![tenant.as_str(), account_id.as_bytes()])?;
    records
        .prepare_cached(
            "INSERT INTO records (tenant, account_id, revision, payload_hash, nonce_hash, actions, signature, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            tenant.as_str(),
            account_id.as_bytes(),
            to_sql(record.revision),
            record.hash.as_bytes(),
            record.nonce_hash.as_ref().map(NonceHash::as_bytes),
            actions_to_text(&BTreeSet::new())?,
            record.signature.as_bytes(),
            record.payload.as_bytes()
        ])?;
    factors::replace(records, tenant, *account_id, &record.entries, envelopes)?;
    let body = EventBody::Created {
        payload_hash: record.hash,
    };
    append_event(records, tenant, *account_id, *now, body)
}
