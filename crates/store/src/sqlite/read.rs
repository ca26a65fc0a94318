//! Read the record and the events of the caller's account.

use rusqlite::{Connection, params};
use trefoil_protocol::bytes::{Blob, PayloadHash};

use super::rows::{self, envelopes};
use super::sessions;
use crate::error::StoreError;
use crate::model::{Caller, EventLog, ReadRecord};

pub(super) fn record(connection: &Connection, caller: &Caller) -> Result<ReadRecord, StoreError> {
    let session = sessions::check(connection, caller)?;
    let record = rows::record(connection, &caller.tenant, caller.account_id)?;
    let envelopes = envelopes(
        connection,
        &caller.tenant,
        caller.account_id,
        &session.proven,
    )?;
    Ok(ReadRecord {
        session,
        record,
        envelopes,
    })
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
