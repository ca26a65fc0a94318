//! Read the record and the events of the caller's account.

use trefoil_protocol::bytes::{Blob, PayloadHash};

use super::rows::{self, optional_array, read_envelope, read_record};
use super::transaction::{Transaction, transact};
use super::{Databases, sessions};
use crate::error::StoreError;
use crate::model::{Caller, EventLog, ReadRecord};

/// One statement, so one snapshot and one round trip: a row for each envelope, or one without where no factor that was
/// proven is enrolled.
const READ: &str = "SELECT s.proven, s.level, s.expires,
     r.revision, r.payload_hash, r.nonce_hash, r.signature, r.payload,
     f.locator, f.share_index, f.envelope_hash, f.envelope
     FROM sessions s
     JOIN records r ON r.tenant = s.tenant AND r.account_id = s.account_id
     LEFT JOIN factors f ON f.tenant = s.tenant AND f.account_id = s.account_id
         AND f.locator = ANY (s.proven) AND f.share_index IS NOT NULL
     WHERE s.tenant = $1 AND s.account_id = $2 AND s.token_hash = $3";
/// The same for the events.
const EVENTS: &str = "SELECT s.proven, s.level, s.expires, a.event_head, e.body
     FROM sessions s
     JOIN accounts a ON a.tenant = s.tenant AND a.account_id = s.account_id
     LEFT JOIN events e ON e.tenant = s.tenant AND e.account_id = s.account_id
     WHERE s.tenant = $1 AND s.account_id = $2 AND s.token_hash = $3 ORDER BY e.seq";

pub(super) async fn record(
    databases: &Databases,
    caller: &Caller,
) -> Result<ReadRecord, StoreError> {
    let rows = rows_of(databases, READ, caller).await?;
    let first = rows.first().ok_or(rows::NO_RECORD)?;
    let session = sessions::read(first, caller.now)?;
    let record = read_record(first, 3)?;
    let mut envelopes = Vec::with_capacity(rows.len());
    for row in &rows {
        if row.try_get::<_, Option<&[u8]>>(8)?.is_some() {
            envelopes.push(read_envelope(row, 8)?.1);
        }
    }
    envelopes.sort_by_key(|held| held.index);
    Ok(ReadRecord {
        session,
        record,
        envelopes,
    })
}

pub(super) async fn events(databases: &Databases, caller: &Caller) -> Result<EventLog, StoreError> {
    let rows = rows_of(databases, EVENTS, caller).await?;
    let first = rows.first().ok_or(rows::NO_RECORD)?;
    sessions::read(first, caller.now)?;
    let head = optional_array(first, 3)?.ok_or(StoreError::Corrupt {
        what: "an account without events",
    })?;
    let mut events = Vec::with_capacity(rows.len());
    for row in &rows {
        events.extend(row.try_get::<_, Option<Vec<u8>>>(4)?.map(Blob::new));
    }
    Ok(EventLog {
        events,
        head: PayloadHash::from_bytes(head),
    })
}

/// At least one row, or why there is none.
async fn rows_of(
    databases: &Databases,
    sql: &str,
    caller: &Caller,
) -> Result<Vec<tokio_postgres::Row>, StoreError> {
    transact!(databases, connection => rows_once(&connection, sql, caller))
}

/// No transaction is begun: a single statement is one.
async fn rows_once(
    connection: &Transaction,
    sql: &str,
    caller: &Caller,
) -> Result<Vec<tokio_postgres::Row>, StoreError> {
    let rows = connection
        .rows(
            sql,
            &[
                &caller.tenant.as_str(),
                &caller.account_id.as_bytes().as_slice(),
                &caller.token.as_bytes().as_slice(),
            ],
        )
        .await?;
    if rows.is_empty() {
        return Err(sessions::elsewhere(connection, caller).await);
    }
    Ok(rows)
}
