//! Sessions and request ids.

use tokio_postgres::Row;
use trefoil_protocol::bytes::{AccountId, Locator};
use trefoil_protocol::tenant::Tenant;

use super::rows::{array, as_slices};
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::model::{Caller, NewSession, Session, StatementUse};
use crate::values::{from_sql, level_from_sql, level_to_sql, time};

/// For how long an ended session is still told apart from one that never was, in seconds.
pub(super) const ENDED_KEPT: u64 = 3600;

pub(super) const SESSION: &str = "SELECT proven, level, expires FROM sessions
     WHERE tenant = $1 AND account_id = $2 AND token_hash = $3";

/// From the columns of [`SESSION`], if it is good at `now`.
pub(super) fn read(row: &Row, now: u64) -> Result<Session, StoreError> {
    let session = Session {
        proven: row
            .try_get::<_, Vec<&[u8]>>(0)?
            .into_iter()
            .map(|bytes| Locator::try_from(bytes).map_err(|_| DAMAGED))
            .collect::<Result<_, _>>()?,
        level: level_from_sql(row.try_get(1)?)?,
        expires: from_sql(row.try_get(2)?),
    };
    check_end(session.expires, now)?;
    Ok(session)
}

const DAMAGED: StoreError = StoreError::Corrupt { what: "a session" };

fn check_end(expires: u64, now: u64) -> Result<(), StoreError> {
    if now > expires.saturating_add(ENDED_KEPT) {
        Err(StoreError::UnknownSession)
    } else if now > expires {
        Err(StoreError::ExpiredSession)
    } else {
        Ok(())
    }
}

/// The caller's session, if it is good for the account that the request names. In a transaction that writes, the account has
/// to be locked before.
pub(super) async fn check(
    transaction: &Transaction,
    caller: &Caller,
) -> Result<Session, StoreError> {
    let row = transaction
        .row(
            SESSION,
            &[
                &caller.tenant.as_str(),
                &caller.account_id.as_bytes().as_slice(),
                &caller.token.as_bytes().as_slice(),
            ],
        )
        .await?;
    match row {
        Some(row) => read(&row, caller.now),
        None => Err(elsewhere(transaction, caller).await),
    }
}

/// Why the account has no such session.
pub(super) async fn elsewhere(transaction: &Transaction, caller: &Caller) -> StoreError {
    let found = transaction
        .row(
            "SELECT account_id, expires FROM sessions WHERE tenant = $1 AND token_hash = $2 LIMIT 1",
            &[
                &caller.tenant.as_str(),
                &caller.token.as_bytes().as_slice(),
            ],
        )
        .await;
    let other = |row: Row| {
        check_end(from_sql(row.try_get(1)?), caller.now)?;
        let owner = AccountId::from_bytes(array(&row, 0)?);
        // The session that was looked for may have been opened meanwhile.
        Ok(if owner == caller.account_id {
            StoreError::Busy
        } else {
            StoreError::ForeignSession
        })
    };
    match found {
        Ok(None) => StoreError::UnknownSession,
        Ok(Some(row)) => other(row).unwrap_or_else(|error| error),
        Err(error) => error,
    }
}

pub(super) const OPEN: &str =
    "INSERT INTO sessions (tenant, account_id, token_hash, proven, level, expires)
     VALUES ($1, $2, $3, $4, $5, $6)";

pub(super) async fn open(
    transaction: &Transaction,
    tenant: &Tenant,
    account_id: &AccountId,
    proven: &[Locator],
    session: &NewSession,
) -> Result<(), StoreError> {
    transaction
        .execute(
            OPEN,
            &[
                &tenant.as_str(),
                &account_id.as_bytes().as_slice(),
                &session.token.as_bytes().as_slice(),
                &as_slices(proven),
                &level_to_sql(session.level),
                &time(session.expires),
            ],
        )
        .await?;
    Ok(())
}

/// Ends every session of the account but the caller's, which has proven from then on what is given.
pub(super) async fn end_others(
    transaction: &Transaction,
    caller: &Caller,
    proven: &[Locator],
) -> Result<(), StoreError> {
    let (tenant, account) = (
        caller.tenant.as_str(),
        caller.account_id.as_bytes().as_slice(),
    );
    let token = caller.token.as_bytes().as_slice();
    transaction
        .execute(
            "DELETE FROM sessions WHERE tenant = $1 AND account_id = $2 AND token_hash <> $3",
            &[&tenant, &account, &token],
        )
        .await?;
    transaction
        .execute(
            "UPDATE sessions SET proven = $4 WHERE tenant = $1 AND account_id = $2 AND token_hash = $3",
            &[&tenant, &account, &token, &as_slices(proven)],
        )
        .await?;
    Ok(())
}

pub(super) const USE_REQUEST: &str =
    "INSERT INTO request_ids (tenant, request_id, remember_until) VALUES ($1, $2, $3)
     ON CONFLICT (tenant, request_id) DO UPDATE SET remember_until = excluded.remember_until
     WHERE request_ids.remember_until < $4";

/// Uses up the request ids of statements.
pub(super) async fn use_requests(
    transaction: &Transaction,
    tenant: &Tenant,
    statements: &[StatementUse],
    now: u64,
) -> Result<(), StoreError> {
    for statement in statements {
        let used = transaction
            .execute(
                USE_REQUEST,
                &[
                    &tenant.as_str(),
                    &statement.request_id.as_bytes().as_slice(),
                    &time(statement.remember_until),
                    &time(now),
                ],
            )
            .await?;
        if used == 0 {
            return Err(StoreError::ReplayedRequest);
        }
    }
    Ok(())
}
