//! Rows in and out: conversions and the statements that several operations share.

use rusqlite::{Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};
use trefoil_protocol::bytes::{
    AccountId, Blob, Envelope, EnvelopeHash, Locator, NonceHash, PayloadHash, Signature,
};
use trefoil_protocol::event::EventBody;
use trefoil_protocol::tenant::Tenant;

use crate::error::StoreError;
use crate::model::{EVENTS_KEPT, HeldEnvelope, StoredRecord};
use crate::values::{NextEvent, NonceKey, from_sql, next_event, tenant_from_text, to_sql};

pub(super) fn nonce_key(row: &Row<'_>) -> Result<NonceKey, StoreError> {
    let tenant: String = row.get(0)?;
    Ok(NonceKey {
        tenant: tenant_from_text(&tenant)?,
        account_id: AccountId::from_bytes(row.get(1)?),
        hash: NonceHash::from_bytes(row.get(2)?),
    })
}

/// What a compare-and-set needs to know of the current record: everything but its bytes.
pub(super) struct Head {
    pub(super) revision: u64,
    pub(super) hash: PayloadHash,
    pub(super) nonce_hash: Option<NonceHash>,
    /// The answer of the commit that wrote it.
    pub(super) actions: String,
}

pub(super) fn head(
    connection: &Connection,
    tenant: &Tenant,
    account_id: AccountId,
) -> Result<Option<Head>, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT revision, payload_hash, nonce_hash, actions FROM records
             WHERE tenant = ?1 AND account_id = ?2",
        )?
        .query_row(params![tenant.as_str(), account_id.as_bytes()], |row| {
            Ok(Head {
                revision: from_sql(row.get(0)?),
                hash: PayloadHash::from_bytes(row.get(1)?),
                nonce_hash: row.get::<_, Option<_>>(2)?.map(NonceHash::from_bytes),
                actions: row.get(3)?,
            })
        })
        .optional()?)
}

/// The current record of an account that a session or a locator leads to.
pub(super) fn record(
    connection: &Connection,
    tenant: &Tenant,
    account_id: AccountId,
) -> Result<StoredRecord, StoreError> {
    connection
        .prepare_cached(
            "SELECT revision, payload_hash, nonce_hash, signature, payload FROM records
             WHERE tenant = ?1 AND account_id = ?2",
        )?
        .query_row(params![tenant.as_str(), account_id.as_bytes()], |row| {
            stored_record(row, 0)
        })
        .optional()?
        .ok_or(NO_RECORD)?
}

/// From the five columns that begin at this one.
pub(super) fn stored_record(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Result<StoredRecord, StoreError>> {
    let found = StoredRecord {
        revision: from_sql(row.get(column)?),
        hash: PayloadHash::from_bytes(row.get(column + 1)?),
        nonce_hash: row
            .get::<_, Option<_>>(column + 2)?
            .map(NonceHash::from_bytes),
        signature: Signature::from_bytes(row.get(column + 3)?),
        payload: Blob::new(row.get(column + 4)?),
    };
    let hash = Sha256::digest(found.payload.as_bytes());
    Ok(if hash.as_slice() == found.hash.as_bytes() {
        Ok(found)
    } else {
        Err(StoreError::Corrupt { what: "a payload" })
    })
}

/// A session or a locator leads to an account that has no record.
pub(super) const NO_RECORD: StoreError = StoreError::Corrupt {
    what: "an account without a record",
};

/// The nonce that the current record names.
pub(super) fn current_nonce(
    connection: &Connection,
    tenant: &Tenant,
    account_id: AccountId,
) -> Result<Option<NonceHash>, StoreError> {
    let hash: Option<Option<[u8; 32]>> = connection
        .prepare_cached("SELECT nonce_hash FROM records WHERE tenant = ?1 AND account_id = ?2")?
        .query_row(params![tenant.as_str(), account_id.as_bytes()], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(hash.flatten().map(NonceHash::from_bytes))
}

/// A factor's row. One that was removed has no `enrolled` part.
pub(super) struct FactorRow {
    pub(super) account_id: AccountId,
    pub(super) locator: Locator,
    pub(super) enrolled: Option<(u32, EnvelopeHash)>,
}

fn factor_row(row: &Row<'_>) -> rusqlite::Result<FactorRow> {
    let index: Option<u32> = row.get(2)?;
    let hash: Option<[u8; 32]> = row.get(3)?;
    Ok(FactorRow {
        account_id: AccountId::from_bytes(row.get(0)?),
        locator: Locator::from_bytes(row.get(1)?),
        enrolled: index.zip(hash.map(EnvelopeHash::from_bytes)),
    })
}

pub(super) fn factor(
    connection: &Connection,
    tenant: &Tenant,
    locator: &Locator,
) -> Result<Option<FactorRow>, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT account_id, locator, share_index, envelope_hash FROM factors WHERE tenant = ?1 AND locator = ?2",
        )?
        .query_row(params![tenant.as_str(), locator.as_bytes()], factor_row)
        .optional()?)
}

/// Every factor of the account, also the removed ones.
pub(super) fn factors_of(
    connection: &Connection,
    tenant: &Tenant,
    account_id: AccountId,
) -> Result<Vec<FactorRow>, StoreError> {
    let mut statement = connection.prepare_cached(
        // Left to itself the planner goes through all factors of the tenant.
        "SELECT account_id, locator, share_index, envelope_hash FROM factors INDEXED BY factors_of_account
         WHERE tenant = ?1 AND account_id = ?2",
    )?;
    let rows = statement.query_map(params![tenant.as_str(), account_id.as_bytes()], factor_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Envelopes of those of the locators that are enrolled in this account.
pub(super) fn envelopes(
    connection: &Connection,
    tenant: &Tenant,
    account_id: AccountId,
    locators: &[Locator],
) -> Result<Vec<HeldEnvelope>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT share_index, envelope_hash, envelope FROM factors
         WHERE tenant = ?1 AND locator = ?2 AND account_id = ?3 AND share_index IS NOT NULL",
    )?;
    let mut found = Vec::with_capacity(locators.len());
    for locator in locators {
        let held = statement
            .query_row(
                params![tenant.as_str(), locator.as_bytes(), account_id.as_bytes()],
                |row| held_envelope(row, 0),
            )
            .optional()?;
        found.extend(held.transpose()?);
    }
    found.sort_by_key(|held| held.index);
    Ok(found)
}

/// From the three columns that begin at this one.
pub(super) fn held_envelope(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Result<HeldEnvelope, StoreError>> {
    let held = HeldEnvelope {
        index: row.get(column)?,
        envelope: Envelope::new(row.get(column + 2)?),
    };
    let hash = EnvelopeHash::from_bytes(row.get(column + 1)?);
    Ok(if held.envelope.hash() == hash {
        Ok(held)
    } else {
        Err(StoreError::Corrupt {
            what: "an envelope",
        })
    })
}

/// Appends to the account's log and drops what is older than the newest [`EVENTS_KEPT`].
pub(super) fn append_event(
    connection: &Connection,
    tenant: &Tenant,
    account_id: AccountId,
    now: u64,
    body: EventBody,
) -> Result<(), StoreError> {
    let (seq, head): (i64, Option<[u8; 32]>) = connection
        .prepare_cached(
            "SELECT event_seq, event_head FROM accounts WHERE tenant = ?1 AND account_id = ?2",
        )?
        .query_row(params![tenant.as_str(), account_id.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let NextEvent { seq, bytes, head } =
        next_event(from_sql(seq), head.map(PayloadHash::from_bytes), now, body);
    connection
        .prepare_cached(
            "INSERT INTO events (tenant, account_id, seq, body) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            tenant.as_str(),
            account_id.as_bytes(),
            to_sql(seq),
            bytes
        ])?;
    connection
        .prepare_cached("UPDATE accounts SET event_seq = ?3, event_head = ?4 WHERE tenant = ?1 AND account_id = ?2")?
        .execute(params![tenant.as_str(), account_id.as_bytes(), to_sql(seq), head.as_bytes()])?;
    if seq > EVENTS_KEPT {
        connection
            .prepare_cached(
                "DELETE FROM events WHERE tenant = ?1 AND account_id = ?2 AND seq <= ?3",
            )?
            .execute(params![
                tenant.as_str(),
                account_id.as_bytes(),
                to_sql(seq - EVENTS_KEPT)
            ])?;
    }
    Ok(())
}
