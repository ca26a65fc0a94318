//! The locator index and the envelopes, brought in line with a record's entries.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use trefoil_protocol::bytes::{AccountId, Envelope, Locator};
use trefoil_protocol::tenant::Tenant;

use super::rows::{self, FactorRow};
use crate::error::StoreError;
use crate::model::NewEntry;

/// Makes the account's rows those of `entries` and returns the locators that were removed.
///
/// An envelope is taken from `given` unless one of exactly the stated hash is held for that factor. What is replaced is
/// erased; a removed locator stays reserved to the account.
pub(super) fn replace(
    records: &Connection,
    tenant: &Tenant,
    account_id: AccountId,
    entries: &[NewEntry],
    given: &[Envelope],
) -> Result<Vec<Locator>, StoreError> {
    let held: BTreeMap<Locator, FactorRow> = rows::factors_of(records, tenant, account_id)?
        .into_iter()
        .map(|row| (row.locator, row))
        .collect();
    let given: BTreeMap<_, _> = given
        .iter()
        .map(|envelope| (envelope.hash(), envelope))
        .collect();

    for entry in entries {
        let own = held.get(&entry.locator);
        if own.and_then(|row| row.enrolled) == Some((entry.index, entry.envelope_hash)) {
            continue;
        }
        if own.is_none() && rows::factor(records, tenant, &entry.locator)?.is_some() {
            return Err(StoreError::LocatorTaken);
        }
        let envelope = given
            .get(&entry.envelope_hash)
            .ok_or(StoreError::MissingEnvelope { index: entry.index })?;
        records
            .prepare_cached(
                "INSERT INTO factors (tenant, locator, account_id, share_index, envelope_hash, envelope)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (tenant, locator) DO UPDATE SET
                 share_index = excluded.share_index, envelope_hash = excluded.envelope_hash,
                 envelope = excluded.envelope",
            )?
            .execute(params![
                tenant.as_str(),
                entry.locator.as_bytes(),
                account_id.as_bytes(),
                entry.index,
                entry.envelope_hash.as_bytes(),
                envelope.as_bytes()
            ])?;
    }

    let mut removed = Vec::new();
    for row in held.values().filter(|row| row.enrolled.is_some()) {
        if entries.iter().any(|entry| entry.locator == row.locator) {
            continue;
        }
        records
            .prepare_cached(
                "UPDATE factors SET share_index = NULL, envelope_hash = NULL, envelope = NULL
                 WHERE tenant = ?1 AND locator = ?2",
            )?
            .execute(params![tenant.as_str(), row.locator.as_bytes()])?;
        removed.push(row.locator);
    }
    Ok(removed)
}
