//! Open a session: from proven locators to their account.

use futures::{join, try_join};
use trefoil_protocol::bytes::{AccountId, Locator};
use trefoil_protocol::tenant::Tenant;

use super::rows::{self, array, as_slices};
use super::transaction::{Params, Transaction, transact};
use super::{Databases, nonces, sessions};
use crate::error::StoreError;
use crate::model::{NewSession, OpenSession, OpenedSession};
use crate::values::{from_sql, level_to_sql, time};

const FIND: &str =
    "SELECT locator, account_id FROM locators WHERE tenant = $1 AND locator = ANY ($2)";
const COUNT: &str = "UPDATE accounts SET logins = logins + 1 WHERE tenant = $1 AND account_id = $2
     RETURNING logins";

pub(super) async fn open(
    databases: &Databases,
    open: &OpenSession,
) -> Result<OpenedSession, StoreError> {
    transact!(databases, transaction => attempt(databases, &transaction, open))
}

async fn attempt(
    databases: &Databases,
    transaction: &Transaction,
    open: &OpenSession,
) -> Result<OpenedSession, StoreError> {
    let OpenSession {
        tenant,
        proven,
        statements,
        session,
        now,
    } = open;
    transaction.prepare(&[sessions::USE_REQUEST, FIND]).await?;
    let (name, wanted) = (tenant.as_str(), as_slices(proven));
    let find = async { transaction.rows(FIND, &[&name, &wanted]).await };
    let ((), (), rows) = try_join!(
        transaction.begin(),
        sessions::use_requests(transaction, tenant, statements, *now),
        find,
    )?;
    let mut known = Vec::with_capacity(rows.len());
    for row in &rows {
        let locator = Locator::from_bytes(array(row, 0)?);
        known.push((locator, AccountId::from_bytes(array(row, 1)?)));
    }
    let account_of = |locator: &Locator| {
        let mut known = known.iter();
        known.find_map(|(held, account)| (held == locator).then_some(*account))
    };

    let mut accounts: Vec<AccountId> = known.iter().map(|(_, account)| *account).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let unknown: Vec<Locator> = proven
        .iter()
        .copied()
        .filter(|locator| account_of(locator).is_none())
        .collect();

    // Nearly always one. With several, those in which none of the factors is enrolled any more do not count.
    let mut candidates = Vec::with_capacity(accounts.len());
    for account_id in &accounts {
        let named: Vec<Locator> = proven
            .iter()
            .copied()
            .filter(|locator| account_of(locator) == Some(*account_id))
            .collect();
        candidates.push((*account_id, named));
    }
    let mut removed = Vec::new();
    let mut found: Option<Found> = None;
    for (account_id, named) in candidates {
        let candidate = look(transaction, tenant, account_id, &named).await?;
        removed.extend(
            named
                .into_iter()
                .filter(|locator| !candidate.enrolled.contains(locator)),
        );
        if candidate.enrolled.is_empty() {
            continue;
        }
        if found.replace(candidate).is_some() {
            return Err(StoreError::SeveralAccounts);
        }
    }
    let Some(found) = found else {
        return Err(if removed.is_empty() {
            StoreError::NoAccount
        } else {
            StoreError::FactorRemoved
        });
    };
    let mut opened = finish(databases, transaction, tenant, found, session).await?;
    opened.removed = proven
        .iter()
        .copied()
        .filter(|locator| removed.contains(locator))
        .collect();
    opened.unknown = unknown;
    Ok(opened)
}

/// An account that locators lead to.
struct Found {
    account_id: AccountId,
    /// Those of the locators that are enrolled in it.
    enrolled: Vec<Locator>,
    opened: OpenedSession,
}

/// Locks the account and reads what the factors are given.
async fn look(
    transaction: &Transaction,
    tenant: &Tenant,
    account_id: AccountId,
    locators: &[Locator],
) -> Result<Found, StoreError> {
    transaction
        .prepare(&[rows::LOCK, rows::RECORD, rows::ENVELOPES])
        .await?;
    // Sent in this order: what is read is read under the lock.
    let (locked, record, envelopes) = join!(
        rows::lock(transaction, tenant, &account_id),
        rows::record(transaction, tenant, &account_id),
        rows::envelopes(transaction, tenant, &account_id, locators),
    );
    if locked?.is_none() {
        // Deleted between finding and locking it.
        return Err(StoreError::Busy);
    }
    let (record, envelopes) = (record?, envelopes?);
    let (held, envelopes): (Vec<_>, Vec<_>) = envelopes.into_iter().unzip();
    let mut enrolled = Vec::new();
    for locator in locators {
        if held.contains(locator) && !enrolled.contains(locator) {
            enrolled.push(*locator);
        }
    }
    Ok(Found {
        account_id,
        enrolled,
        opened: OpenedSession {
            account_id,
            record,
            envelopes,
            sealed_nonce: None,
            logins: 0,
            unknown: Vec::new(),
            removed: Vec::new(),
        },
    })
}

/// Brings the nonce, opens the session, counts the login and commits.
async fn finish(
    databases: &Databases,
    transaction: &Transaction,
    tenant: &Tenant,
    found: Found,
    session: &NewSession,
) -> Result<OpenedSession, StoreError> {
    let Found {
        account_id,
        enrolled,
        mut opened,
    } = found;
    if let Some(hash) = opened.record.nonce_hash {
        opened.sealed_nonce = nonces::read(databases, tenant, account_id, hash).await?;
    }
    transaction.prepare(&[COUNT, sessions::OPEN]).await?;
    let (name, account) = (tenant.as_str(), account_id.as_bytes().as_slice());
    let token = session.token.as_bytes().as_slice();
    let proven = as_slices(&enrolled);
    let (level, expires) = (level_to_sql(session.level), time(session.expires));
    let count = async { transaction.row(COUNT, &[&name, &account]).await };
    let open = async {
        let params: Params<'_> = &[&name, &account, &token, &proven, &level, &expires];
        transaction.execute(sessions::OPEN, params).await
    };
    let (counted, ..) = try_join!(count, open, transaction.commit())?;
    opened.logins = from_sql(counted.ok_or(rows::NO_RECORD)?.try_get(0)?);
    Ok(opened)
}

/// What the session that a creation opened is given.
pub(super) async fn opened(
    databases: &Databases,
    transaction: &Transaction,
    tenant: &Tenant,
    account_id: AccountId,
    proven: &[Locator],
) -> Result<OpenedSession, StoreError> {
    let record = rows::record(transaction, tenant, &account_id).await?;
    let sealed_nonce = match record.nonce_hash {
        Some(hash) => nonces::read(databases, tenant, account_id, hash).await?,
        None => None,
    };
    let row = transaction
        .row(
            "SELECT logins FROM accounts WHERE tenant = $1 AND account_id = $2",
            &[&tenant.as_str(), &account_id.as_bytes().as_slice()],
        )
        .await?
        .ok_or(rows::NO_RECORD)?;
    let envelopes = rows::envelopes(transaction, tenant, &account_id, proven).await?;
    Ok(OpenedSession {
        account_id,
        record,
        envelopes: envelopes.into_iter().map(|(_, held)| held).collect(),
        sealed_nonce,
        logins: from_sql(row.try_get(0)?),
        unknown: Vec::new(),
        removed: Vec::new(),
    })
}
