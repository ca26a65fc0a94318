//! Open a session: from proven locators to their account.

use rusqlite::params;
use trefoil_protocol::bytes::{AccountId, Locator};
use trefoil_protocol::tenant::Tenant;

use super::rows::{self, envelopes, factor};
use super::writer::Transaction;
use super::{mailboxes, nonce, sessions};
use crate::error::StoreError;
use crate::model::{OpenSession, OpenedSession};
use crate::values::from_sql;

pub(super) fn open(
    transaction: &mut Transaction<'_>,
    open: &OpenSession,
) -> Result<OpenedSession, StoreError> {
    let OpenSession {
        tenant,
        proven,
        now,
        ..
    } = open;
    let records = transaction.records;
    sessions::use_requests(records, tenant, &open.statements, *now)?;
    mailboxes::erase_expired(records, *now)?;

    let (mut account_id, mut enrolled) = (None, Vec::new());
    let (mut unknown, mut removed) = (Vec::new(), Vec::new());
    for locator in proven {
        match factor(records, tenant, locator)? {
            None => unknown.push(*locator),
            Some(row) if row.enrolled.is_none() => removed.push(*locator),
            Some(row) => {
                if account_id.is_some_and(|found| found != row.account_id) {
                    return Err(StoreError::SeveralAccounts);
                }
                account_id = Some(row.account_id);
                if !enrolled.contains(locator) {
                    enrolled.push(*locator);
                }
            }
        }
    }
    let Some(account_id) = account_id else {
        return Err(if removed.is_empty() {
            StoreError::NoAccount
        } else {
            StoreError::FactorRemoved
        });
    };

    records
        .prepare_cached(
            "UPDATE accounts SET logins = logins + 1 WHERE tenant = ?1 AND account_id = ?2",
        )?
        .execute(params![tenant.as_str(), account_id.as_bytes()])?;
    sessions::open(records, tenant, account_id, &enrolled, open.session, *now)?;
    let mut opened = opened(transaction, tenant, account_id, &enrolled)?;
    opened.unknown = unknown;
    opened.removed = removed;
    Ok(opened)
}

/// What an opened session is given.
pub(super) fn opened(
    transaction: &Transaction<'_>,
    tenant: &Tenant,
    account_id: AccountId,
    proven: &[Locator],
) -> Result<OpenedSession, StoreError> {
    let records = transaction.records;
    let record = rows::record(records, tenant, account_id)?;
    let sealed_nonce = match record.nonce_hash {
        Some(hash) => nonce::read(transaction, tenant, account_id, hash)?,
        None => None,
    };
    let logins: i64 = records
        .prepare_cached("SELECT logins FROM accounts WHERE tenant = ?1 AND account_id = ?2")?
        .query_row(params![tenant.as_str(), account_id.as_bytes()], |row| {
            row.get(0)
        })?;
    Ok(OpenedSession {
        account_id,
        record,
        envelopes: envelopes(records, tenant, account_id, proven)?,
        sealed_nonce,
        logins: from_sql(logins),
        unknown: Vec::new(),
        removed: Vec::new(),
    })
}
