//! The factors of an account and the locator index.

use std::collections::BTreeMap;

use trefoil_protocol::bytes::{AccountId, Envelope, Locator};
use trefoil_protocol::tenant::Tenant;

use super::rows::{FactorRow, factors_of};
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::model::NewEntry;

/// Makes the account's factors those of a new record and gives the locators that were removed. The account must be locked, or
/// new.
///
/// An envelope is taken from `given` unless one of exactly the stated hash is held for that factor. What is replaced is
/// erased; a removed locator stays reserved to the account.
pub(super) async fn replace(
    transaction: &Transaction,
    tenant: &Tenant,
    account_id: &AccountId,
    entries: &[NewEntry],
    given: &[Envelope],
) -> Result<Vec<Locator>, StoreError> {
    let held: BTreeMap<Locator, FactorRow> = factors_of(transaction, tenant, account_id)
        .await?
        .into_iter()
        .map(|row| (row.locator, row))
        .collect();
    let given: BTreeMap<_, _> = given
        .iter()
        .map(|envelope| (envelope.hash(), envelope))
        .collect();
    let (name, account) = (tenant.as_str(), account_id.as_bytes().as_slice());

    // In the order of the locators, so that two that want the same ones do not wait for each other.
    let mut sorted: Vec<&NewEntry> = entries.iter().collect();
    sorted.sort_by_key(|entry| entry.locator);
    for entry in sorted {
        let own = held.get(&entry.locator);
        if own.and_then(|row| row.enrolled) == Some((entry.index, entry.envelope_hash)) {
            continue;
        }
        let locator = entry.locator.as_bytes().as_slice();
        if own.is_none() {
            // Waits for whoever is taking it, and then sees that it is taken.
            let taken = transaction
                .execute(
                    "INSERT INTO locators (tenant, locator, account_id) VALUES ($1, $2, $3)
                     ON CONFLICT DO NOTHING",
                    &[&name, &locator, &account],
                )
                .await?;
            if taken == 0 {
                return Err(StoreError::LocatorTaken);
            }
        }
        let envelope = given
            .get(&entry.envelope_hash)
            .ok_or(StoreError::MissingEnvelope { index: entry.index })?;
        transaction
            .execute(
                "INSERT INTO factors (tenant, account_id, locator, share_index, envelope_hash, envelope)
                 VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (tenant, account_id, locator) DO UPDATE SET
                 share_index = excluded.share_index, envelope_hash = excluded.envelope_hash,
                 envelope = excluded.envelope",
                &[
                    &name,
                    &account,
                    &locator,
                    &i64::from(entry.index),
                    &entry.envelope_hash.as_bytes().as_slice(),
                    &envelope.as_bytes(),
                ],
            )
            .await?;
    }

    let mut removed = Vec::new();
    for row in held.values().filter(|row| row.enrolled.is_some()) {
        if entries.iter().any(|entry| entry.locator == row.locator) {
            continue;
        }
        transaction
            .execute(
                "UPDATE factors SET share_index = NULL, envelope_hash = NULL, envelope = NULL
                 WHERE tenant = $1 AND account_id = $2 AND locator = $3",
                &[&name, &account, &row.locator.as_bytes().as_slice()],
            )
            .await?;
        removed.push(row.locator);
    }
    Ok(removed)
}
