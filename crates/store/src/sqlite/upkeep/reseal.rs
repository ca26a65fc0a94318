//! Seal every row anew under the current key.

use rusqlite::params;
use trefoil_protocol::bytes::SlotId;

use crate::at_rest::Place;
use crate::error::StoreError;
use crate::sqlite::writer::{Transaction, Writer};
use crate::upkeep_store::Resealed;

/// Rows in one transaction, so that guesses are answered between two.
const AT_ONCE: u32 = 100;

pub(in crate::sqlite) async fn all(writer: &Writer) -> Result<Resealed, StoreError> {
    let mut all = Resealed::default();
    let mut last: Option<SlotId> = None;
    loop {
        let from = last;
        let (some, next) = writer
            .submit(None, move |transaction| slots(transaction, from))
            .await?;
        all.rows += some.rows;
        all.resealed += some.resealed;
        match next {
            Some(next) => last = Some(next),
            None => return Ok(all),
        }
    }
}

fn slots(
    transaction: &Transaction<'_>,
    last: Option<SlotId>,
) -> Result<(Resealed, Option<SlotId>), StoreError> {
    if !transaction.at_rest.is_sealing() {
        return Err(StoreError::NoSealingKeys);
    }
    let records = transaction.records;
    let last = last.map_or(Vec::new(), |last| last.as_bytes().to_vec());
    let rows: Vec<([u8; 16], Vec<u8>)> = records
        .prepare_cached(
            "SELECT slot_id, record FROM slots WHERE slot_id > ?1 ORDER BY slot_id LIMIT ?2",
        )?
        .query_map(params![last, AT_ONCE], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut done = Resealed::default();
    let mut next = None;
    for (slot, stored) in rows {
        let slot = SlotId::from_bytes(slot);
        next = Some(slot);
        done.rows += 1;
        if let Some(sealed) = transaction.at_rest.reseal(Place::Slot(slot), &stored)? {
            // It is the same record as before: whoever counts a guess on it meanwhile need not read it again.
            records
                .prepare_cached("UPDATE slots SET record = ?2 WHERE slot_id = ?1")?
                .execute(params![slot.as_bytes(), sealed])?;
            done.resealed += 1;
        }
    }
    Ok((done, next))
}
