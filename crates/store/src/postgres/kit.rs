//! Hand out everything that a recovery kit holds.

use trefoil_protocol::event::EventBody;

use super::rows::{self, append_event, envelopes, factors_of};
use super::transaction::{Transaction, transact};
use super::{Databases, nonces, sessions};
use crate::error::StoreError;
use crate::model::{Caller, Kit, StatementUse};

pub(super) async fn export(
    databases: &Databases,
    caller: &Caller,
    statement: StatementUse,
) -> Result<Kit, StoreError> {
    transact!(databases, transaction => attempt(databases, &transaction, caller, statement))
}

async fn attempt(
    databases: &Databases,
    transaction: &Transaction,
    caller: &Caller,
    statement: StatementUse,
) -> Result<Kit, StoreError> {
    let Caller {
        tenant,
        account_id,
        now,
        ..
    } = caller;
    transaction.begin().await?;
    let locked = rows::lock(transaction, tenant, account_id).await?;
    sessions::check(transaction, caller).await?;
    let locked = locked.ok_or(rows::NO_RECORD)?;
    sessions::use_requests(transaction, tenant, &[statement], *now).await?;
    let record = rows::record(transaction, tenant, account_id).await?;
    let locators: Vec<_> = factors_of(transaction, tenant, account_id)
        .await?
        .into_iter()
        .map(|row| row.locator)
        .collect();
    let envelopes = envelopes(transaction, tenant, account_id, &locators).await?;
    let sealed_nonce = match record.nonce_hash {
        Some(hash) => nonces::read(databases, tenant, *account_id, hash).await?,
        None => None,
    };
    let body = EventBody::KitExported {};
    append_event(transaction, tenant, account_id, &locked, *now, body).await?;
    Ok(Kit {
        record,
        envelopes: envelopes.into_iter().map(|(_, held)| held).collect(),
        sealed_nonce,
    })
}
