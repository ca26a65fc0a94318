//! Read the record and the events of the caller's account.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, params};
use trefoil_protocol::bytes::{Blob, PayloadHash};

use super::readers::Readers;
use super::rows::{self, NO_RECORD};
use super::sessions::{self, SessionRow};
use crate::error::StoreError;
use crate::model::{Caller, EventLog, ReadRecord};

/// Session, record and the envelope of the only factor that most sessions have proven. One statement reads one state without a
/// transaction around it.
const RECORD: &str = "
SELECT s.account_id, s.proven, s.level, s.expires,
       r.revision, r.payload_hash, r.nonce_hash, r.signature, r.payload,
       f.share_index, f.envelope_hash, f.envelope
FROM sessions s
LEFT JOIN records r ON r.tenant = s.tenant AND r.account_id = s.account_id
LEFT JOIN factors f ON f.tenant = s.tenant AND f.locator = s.proven AND +f.account_id = s.account_id
                   AND f.share_index IS NOT NULL
WHERE s.tenant = ?1 AND s.token_hash = ?2";

pub(super) async fn record(readers: &Readers, caller: &Caller) -> Result<ReadRecord, StoreError> {
    let read = readers
        .read_one(|connection| record_at_once(connection, caller))
        .await?;
    if read.session.proven.len() <= 1 {
        return Ok(read);
    }
    readers
        .read(|connection| {
            let session = sessions::check(connection, caller)?;
            let (tenant, account_id) = (&caller.tenant, caller.account_id);
            Ok(ReadRecord {
                record: rows::record(connection, tenant, account_id)?,
                envelopes: rows::envelopes(connection, tenant, account_id, &session.proven)?,
                session,
            })
        })
        .await
}

/// Without envelopes where the session has proven several factors.
fn record_at_once(connection: &Connection, caller: &Caller) -> Result<ReadRecord, StoreError> {
    connection
        .prepare_cached(RECORD)?
        .query_row(
            params![caller.tenant.as_str(), caller.token.as_bytes()],
            |row| {
                let session = SessionRow::read(row)?.check(caller);
                // Other accounts' records are not looked at.
                Ok(match session {
                    Err(error) => Err(error),
                    Ok(_) if row.get_ref(4)? == ValueRef::Null => Err(NO_RECORD),
                    Ok(session) => {
                        let envelope = match row.get_ref(9)? {
                            ValueRef::Null => None,
                            _ => Some(rows::held_envelope(row, 9)?),
                        };
                        rows::stored_record(row, 4)?.and_then(|record| {
                            Ok(ReadRecord {
                                session,
                                record,
                                envelopes: envelope.transpose()?.into_iter().collect(),
                            })
                        })
                    }
                })
            },
        )
        .optional()?
        .ok_or(StoreError::UnknownSession)?
}

pub(super) fn events(connection: &Connection, caller: &Caller) -> Result<EventLog, StoreError> {
    sessions::check(connection, caller)?;
    let account = params![caller.tenant.as_str(), caller.account_id.as_bytes()];
    let head: Option<[u8; 32]> = connection
        .prepare_cached("SELECT event_head FROM accounts WHERE tenant = ?1 AND account_id = ?2")?
        .query_row(account, |row| row.get(0))?;
    let head = head.ok_or(StoreError::Corrupt {
        what: "an account without events",
    })?;
    let events = connection
        .prepare_cached(
            "SELECT body FROM events WHERE tenant = ?1 AND account_id = ?2 ORDER BY seq",
        )?
        .query_map(account, |row| row.get(0).map(Blob::new))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(EventLog {
        events,
        head: PayloadHash::from_bytes(head),
    })
}
