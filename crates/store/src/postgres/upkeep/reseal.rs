//! Seal every row anew under the current key.

use trefoil_protocol::bytes::SlotId;

use crate::at_rest::Place;
use crate::error::StoreError;
use crate::postgres::Databases;
use crate::postgres::rows::array;
use crate::postgres::transaction::{Transaction, transact};
use crate::upkeep_store::Resealed;

/// Rows in one transaction, so that guesses are answered between two.
const AT_ONCE: i64 = 100;

pub(super) async fn all(databases: &Databases) -> Result<Resealed, StoreError> {
    if !databases.at_rest.is_sealing() {
        return Err(StoreError::NoSealingKeys);
    }
    let mut all = Resealed::default();
    let mut last = Vec::new();
    loop {
        let (some, next) =
            transact!(databases, transaction => slots(databases, &transaction, &last))?;
        all.rows += some.rows;
        all.resealed += some.resealed;
        match next {
            Some(next) => last = next.as_bytes().to_vec(),
            None => return Ok(all),
        }
    }
}

async fn slots(
    databases: &Databases,
    transaction: &Transaction,
    last: &[u8],
) -> Result<(Resealed, Option<SlotId>), StoreError> {
    transaction.begin().await?;
    let rows = transaction
        .rows(
            "SELECT slot_id, record FROM slots WHERE slot_id > $1 ORDER BY slot_id LIMIT $2 FOR UPDATE",
            &[&last, &AT_ONCE],
        )
        .await?;
    let mut done = Resealed::default();
    let mut next = None;
    for row in &rows {
        let slot = SlotId::from_bytes(array(row, 0)?);
        next = Some(slot);
        done.rows += 1;
        let stored: &[u8] = row.try_get(1)?;
        if let Some(sealed) = databases.at_rest.reseal(Place::Slot(slot), stored)? {
            // It is the same record as before: whoever counts a guess on it meanwhile need not read it again.
            transaction
                .execute(
                    "UPDATE slots SET record = $2 WHERE slot_id = $1",
                    &[&slot.as_bytes().as_slice(), &sealed],
                )
                .await?;
            done.resealed += 1;
        }
    }
    Ok((done, next))
}
