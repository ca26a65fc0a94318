//! Sessions and request ids.

use rusqlite::{Connection, OptionalExtension, Row, params};
use trefoil_protocol::bytes::{AccountId, Locator};
use trefoil_protocol::tenant::Tenant;

use crate::error::StoreError;
use crate::model::{Caller, NewSession, Session, StatementUse, TokenHash};
use crate::values::{decode_proven, encode_proven, from_sql, level_from_sql, level_to_sql, time};

/// For how long an ended session is still told apart from one that never was, in seconds.
pub(super) const ENDED_KEPT: u64 = 3600;
/// Rows of ended things that one login clears away at most: more than it adds, so that they never pile up.
const CLEARED_PER_CALL: i64 = 40;

/// The caller's session, if it is good for the account that the request names.
pub(super) fn check(connection: &Connection, caller: &Caller) -> Result<Session, StoreError> {
    let found = connection
        .prepare_cached(
            "SELECT account_id, proven, level, expires FROM sessions WHERE tenant = ?1 AND token_hash = ?2",
        )?
        .query_row(params![caller.tenant.as_str(), caller.token.as_bytes()], SessionRow::read)
        .optional()?;
    found.ok_or(StoreError::UnknownSession)?.check(caller)
}

/// A session as it lies there.
pub(super) struct SessionRow {
    account_id: [u8; 16],
    proven: Vec<u8>,
    level: i64,
    expires: i64,
}

impl SessionRow {
    /// From the first four columns.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            account_id: row.get(0)?,
            proven: row.get(1)?,
            level: row.get(2)?,
            expires: row.get(3)?,
        })
    }

    /// The session, if it is good for the account that the request names.
    pub(super) fn check(self, caller: &Caller) -> Result<Session, StoreError> {
        let session = Session {
            proven: decode_proven(&self.proven)?,
            level: level_from_sql(self.level)?,
            expires: from_sql(self.expires),
        };
        if caller.now > session.expires {
            return Err(StoreError::ExpiredSession);
        }
        if AccountId::from_bytes(self.account_id) != caller.account_id {
            return Err(StoreError::ForeignSession);
        }
        Ok(session)
    }
}

pub(super) fn open(
    connection: &Connection,
    tenant: &Tenant,
    account_id: AccountId,
    proven: &[Locator],
    session: NewSession,
    now: u64,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "DELETE FROM sessions WHERE (tenant, token_hash) IN
             (SELECT tenant, token_hash FROM sessions WHERE expires < ?1 ORDER BY expires LIMIT ?2)",
        )?
        .execute(params![time(now.saturating_sub(ENDED_KEPT)), CLEARED_PER_CALL])?;
    connection
        .prepare_cached(
            "INSERT INTO sessions (tenant, token_hash, account_id, proven, level, expires)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            tenant.as_str(),
            session.token.as_bytes(),
            account_id.as_bytes(),
            encode_proven(proven),
            level_to_sql(session.level),
            time(session.expires)
        ])?;
    Ok(())
}

/// Ends every session of the account but `kept`.
pub(super) fn end_others(
    connection: &Connection,
    tenant: &Tenant,
    account_id: AccountId,
    kept: Option<TokenHash>,
) -> Result<(), StoreError> {
    let kept = kept.map_or(Vec::new(), |token| token.as_bytes().to_vec());
    connection
        .prepare_cached(
            "DELETE FROM sessions INDEXED BY sessions_of_account
             WHERE tenant = ?1 AND account_id = ?2 AND token_hash <> ?3",
        )?
        .execute(params![tenant.as_str(), account_id.as_bytes(), kept])?;
    Ok(())
}

/// Replaces what the caller's session has proven.
pub(super) fn set_proven(
    connection: &Connection,
    caller: &Caller,
    proven: &[Locator],
) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE sessions SET proven = ?3 WHERE tenant = ?1 AND token_hash = ?2")?
        .execute(params![
            caller.tenant.as_str(),
            caller.token.as_bytes(),
            encode_proven(proven)
        ])?;
    Ok(())
}

/// Uses up the request ids of statements.
pub(super) fn use_requests(
    connection: &Connection,
    tenant: &Tenant,
    statements: &[StatementUse],
    now: u64,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "DELETE FROM request_ids WHERE (tenant, request_id) IN
             (SELECT tenant, request_id FROM request_ids WHERE remember_until < ?1 ORDER BY remember_until LIMIT ?2)",
        )?
        .execute(params![time(now), CLEARED_PER_CALL])?;
    for statement in statements {
        let inserted = connection
            .prepare_cached(
                "INSERT INTO request_ids (tenant, request_id, remember_until) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                tenant.as_str(),
                statement.request_id.as_bytes(),
                time(statement.remember_until)
            ])?;
        if inserted == 0 {
            return Err(StoreError::ReplayedRequest);
        }
    }
    Ok(())
}
