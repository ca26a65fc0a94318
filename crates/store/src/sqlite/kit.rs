//! Hand out everything that a recovery kit holds.

use trefoil_protocol::event::EventBody;

use super::rows::{self, append_event, envelopes, factors_of};
use super::writer::Transaction;
use super::{nonce, sessions};
use crate::error::StoreError;
use crate::model::{Caller, Kit, StatementUse};

pub(super) fn export(
    transaction: &mut Transaction<'_>,
    caller: &Caller,
    statement: StatementUse,
) -> Result<Kit, StoreError> {
    let Caller {
        tenant,
        account_id,
        now,
        ..
    } = caller;
    let records = transaction.records;
    sessions::check(records, caller)?;
    sessions::use_requests(records, tenant, &[statement], *now)?;
    let record = rows::record(records, tenant, *account_id)?;
    let locators: Vec<_> = factors_of(records, tenant, *account_id)?
        .into_iter()
        .map(|row| row.locator)
        .collect();
    let sealed_nonce = match record.nonce_hash {
        Some(hash) => nonce::read(transaction, tenant, *account_id, hash)?,
        None => None,
    };
    append_event(
        records,
        tenant,
        *account_id,
        *now,
        EventBody::KitExported {},
    )?;
    Ok(Kit {
        record,
        envelopes: envelopes(records, tenant, *account_id, &locators)?,
        sealed_nonce,
    })
}
