//! Rows in and out, and the statements that several operations share.

use futures::try_join;
use sha2::{Digest, Sha256};
use tokio_postgres::Row;
use tokio_postgres::row::RowIndex;
use trefoil_protocol::bytes::{
    AccountId, Blob, Envelope, EnvelopeHash, Locator, NonceHash, PayloadHash, Signature,
};
use trefoil_protocol::event::EventBody;
use trefoil_protocol::tenant::Tenant;

use super::transaction::{Params, Transaction};
use crate::error::StoreError;
use crate::model::{EVENTS_KEPT, HeldEnvelope, StoredRecord};
use crate::values::{NextEvent, from_sql, next_event, to_sql};

/// A column of fixed length.
pub(super) fn array<const N: usize>(
    row: &Row,
    column: impl RowIndex + std::fmt::Display,
) -> Result<[u8; N], StoreError> {
    let bytes: &[u8] = row.try_get(column)?;
    bytes.try_into().map_err(|_| LENGTH)
}

pub(super) fn optional_array<const N: usize>(
    row: &Row,
    column: impl RowIndex + std::fmt::Display,
) -> Result<Option<[u8; N]>, StoreError> {
    let bytes: Option<&[u8]> = row.try_get(column)?;
    bytes
        .map(|bytes| bytes.try_into().map_err(|_| LENGTH))
        .transpose()
}

const LENGTH: StoreError = StoreError::Corrupt {
    what: "a column has the wrong type or length",
};

/// A session or a locator leads to an account that has no record.
pub(super) const NO_RECORD: StoreError = StoreError::Corrupt {
    what: "an account without a record",
};

/// The part of an account's row that events need. Whoever has read it holds the account's lock.
pub(super) struct Locked {
    pub(super) event_seq: u64,
    pub(super) event_head: Option<PayloadHash>,
}

pub(super) const LOCK: &str = "SELECT event_seq, event_head FROM accounts
     WHERE tenant = $1 AND account_id = $2 FOR UPDATE";

impl Locked {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            event_seq: from_sql(row.try_get(0)?),
            event_head: optional_array(row, 1)?.map(PayloadHash::from_bytes),
        })
    }
}

/// Locks the account; `None` where there is none.
pub(super) async fn lock(
    transaction: &Transaction,
    tenant: &Tenant,
    account_id: &AccountId,
) -> Result<Option<Locked>, StoreError> {
    let row = transaction
        .row(LOCK, &[&tenant.as_str(), &account_id.as_bytes().as_slice()])
        .await?;
    row.as_ref().map(Locked::read).transpose()
}

/// What a compare-and-set needs to know of the current record: everything but its bytes.
pub(super) struct Head {
    pub(super) revision: u64,
    pub(super) hash: PayloadHash,
    pub(super) nonce_hash: Option<NonceHash>,
    /// The answer of the commit that wrote it.
    pub(super) actions: String,
}

pub(super) const HEAD: &str = "SELECT revision, payload_hash, nonce_hash, actions FROM records
     WHERE tenant = $1 AND account_id = $2";

pub(super) async fn head(
    transaction: &Transaction,
    tenant: &Tenant,
    account_id: &AccountId,
) -> Result<Option<Head>, StoreError> {
    let row = transaction
        .row(HEAD, &[&tenant.as_str(), &account_id.as_bytes().as_slice()])
        .await?;
    let read = |row: Row| {
        Ok(Head {
            revision: from_sql(row.try_get(0)?),
            hash: PayloadHash::from_bytes(array(&row, 1)?),
            nonce_hash: optional_array(&row, 2)?.map(NonceHash::from_bytes),
            actions: row.try_get(3)?,
        })
    };
    row.map(read).transpose()
}

pub(super) const RECORD: &str =
    "SELECT revision, payload_hash, nonce_hash, signature, payload FROM records
     WHERE tenant = $1 AND account_id = $2";

/// From the columns of [`RECORD`], beginning at `first`.
pub(super) fn read_record(row: &Row, first: usize) -> Result<StoredRecord, StoreError> {
    let record = StoredRecord {
        revision: from_sql(row.try_get(first)?),
        hash: PayloadHash::from_bytes(array(row, first + 1)?),
        nonce_hash: optional_array(row, first + 2)?.map(NonceHash::from_bytes),
        signature: Signature::from_bytes(array(row, first + 3)?),
        payload: Blob::new(row.try_get(first + 4)?),
    };
    if Sha256::digest(record.payload.as_bytes()).as_slice() != record.hash.as_bytes() {
        return Err(StoreError::Corrupt { what: "a payload" });
    }
    Ok(record)
}

/// The current record of an account that a session or a locator leads to.
pub(super) async fn record(
    transaction: &Transaction,
    tenant: &Tenant,
    account_id: &AccountId,
) -> Result<StoredRecord, StoreError> {
    let row = transaction
        .row(
            RECORD,
            &[&tenant.as_str(), &account_id.as_bytes().as_slice()],
        )
        .await?;
    read_record(&row.ok_or(NO_RECORD)?, 0)
}

/// A factor's row. One that was removed has no `enrolled` part.
pub(super) struct FactorRow {
    pub(super) locator: Locator,
    pub(super) enrolled: Option<(u32, EnvelopeHash)>,
}

const FACTORS: &str = "SELECT locator, share_index, envelope_hash FROM factors
     WHERE tenant = $1 AND account_id = $2";

/// Every factor of the account, also the removed ones.
pub(super) async fn factors_of(
    transaction: &Transaction,
    tenant: &Tenant,
    account_id: &AccountId,
) -> Result<Vec<FactorRow>, StoreError> {
    let rows = transaction
        .rows(
            FACTORS,
            &[&tenant.as_str(), &account_id.as_bytes().as_slice()],
        )
        .await?;
    let read = |row: &Row| {
        let index = row
            .try_get::<_, Option<i64>>(1)?
            .map(share_index)
            .transpose()?;
        let hash = optional_array(row, 2)?.map(EnvelopeHash::from_bytes);
        Ok(FactorRow {
            locator: Locator::from_bytes(array(row, 0)?),
            enrolled: index.zip(hash),
        })
    };
    rows.iter().map(read).collect()
}

pub(super) fn share_index(index: i64) -> Result<u32, StoreError> {
    u32::try_from(index).map_err(|_| LENGTH)
}

pub(super) const ENVELOPES: &str =
    "SELECT locator, share_index, envelope_hash, envelope FROM factors
     WHERE tenant = $1 AND account_id = $2 AND locator = ANY ($3) AND share_index IS NOT NULL";

/// From the columns of [`ENVELOPES`], beginning at `first`.
pub(super) fn read_envelope(
    row: &Row,
    first: usize,
) -> Result<(Locator, HeldEnvelope), StoreError> {
    let held = HeldEnvelope {
        index: share_index(row.try_get(first + 1)?)?,
        envelope: Envelope::new(row.try_get(first + 3)?),
    };
    if held.envelope.hash().as_bytes() != &array::<32>(row, first + 2)? {
        return Err(StoreError::Corrupt {
            what: "an envelope",
        });
    }
    Ok((Locator::from_bytes(array(row, first)?), held))
}

/// Envelopes of those of the locators that are enrolled in this account, by index.
pub(super) async fn envelopes(
    transaction: &Transaction,
    tenant: &Tenant,
    account_id: &AccountId,
    locators: &[Locator],
) -> Result<Vec<(Locator, HeldEnvelope)>, StoreError> {
    let rows = transaction
        .rows(
            ENVELOPES,
            &[
                &tenant.as_str(),
                &account_id.as_bytes().as_slice(),
                &as_slices(locators),
            ],
        )
        .await?;
    let mut found: Vec<_> = rows
        .iter()
        .map(|row| read_envelope(row, 0))
        .collect::<Result<_, _>>()?;
    found.sort_by_key(|(_, held)| held.index);
    Ok(found)
}

pub(super) fn as_slices(locators: &[Locator]) -> Vec<&[u8]> {
    locators
        .iter()
        .map(|locator| locator.as_bytes().as_slice())
        .collect()
}

/// Whether the account was deleted.
pub(super) async fn is_buried(
    transaction: &Transaction,
    tenant: &Tenant,
    account_id: &AccountId,
) -> Result<bool, StoreError> {
    let row = transaction
        .row(
            "SELECT 1 FROM tombstones WHERE tenant = $1 AND account_id = $2",
            &[&tenant.as_str(), &account_id.as_bytes().as_slice()],
        )
        .await?;
    Ok(row.is_some())
}

const INSERT_EVENT: &str =
    "INSERT INTO events (tenant, account_id, seq, body) VALUES ($1, $2, $3, $4)";
const MOVE_HEAD: &str =
    "UPDATE accounts SET event_seq = $3, event_head = $4 WHERE tenant = $1 AND account_id = $2";
const TRIM_EVENTS: &str = "DELETE FROM events WHERE tenant = $1 AND account_id = $2 AND seq <= $3";

/// What [`write_event`] sends.
pub(super) const WRITE_EVENT: [&str; 3] = [INSERT_EVENT, MOVE_HEAD, TRIM_EVENTS];

/// Appends to the log of an account that is locked.
pub(super) async fn append_event(
    transaction: &Transaction,
    tenant: &Tenant,
    account_id: &AccountId,
    locked: &Locked,
    now: u64,
    body: EventBody,
) -> Result<(), StoreError> {
    let next = next_event(locked.event_seq, locked.event_head, now, body);
    write_event(transaction, tenant, account_id, &next).await
}

/// Writes an event and drops what is older than the newest [`EVENTS_KEPT`], in one round trip.
pub(super) async fn write_event(
    transaction: &Transaction,
    tenant: &Tenant,
    account_id: &AccountId,
    next: &NextEvent,
) -> Result<(), StoreError> {
    let (tenant, account) = (tenant.as_str(), account_id.as_bytes().as_slice());
    let (number, oldest) = (
        to_sql(next.seq),
        to_sql(next.seq.saturating_sub(EVENTS_KEPT)),
    );
    let head = next.head.as_bytes().as_slice();
    let log = async {
        let params: Params<'_> = &[&tenant, &account, &number, &next.bytes];
        transaction.execute(INSERT_EVENT, params).await
    };
    let move_head = async {
        let params: Params<'_> = &[&tenant, &account, &number, &head];
        transaction.execute(MOVE_HEAD, params).await
    };
    let trim = async {
        let params: Params<'_> = &[&tenant, &account, &oldest];
        transaction.execute(TRIM_EVENTS, params).await
    };
    try_join!(log, move_head, trim)?;
    Ok(())
}
