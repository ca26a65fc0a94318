//! The slots of a node, beside its state in `node.db`.

use rusqlite::{Connection, OptionalExtension as _, params};
use trefoil_protocol::bytes::SlotId;
use zeroize::Zeroizing;

use super::node::{Db, SqliteNodeStore};
use crate::error::StoreError;
use crate::slot_store::{NodeSlotStore, SlotStore, StoredSlot};
use crate::store::StoreFuture;
use crate::values::{from_sql, to_sql};

impl SlotStore for SqliteNodeStore {
    fn load_slot(&self, slot: SlotId) -> StoreFuture<'_, Option<StoredSlot>> {
        Box::pin(self.worker.submit(move |db| load(&db.connection, slot)))
    }

    fn replace_slot(
        &self,
        slot: SlotId,
        expected: u64,
        bytes: Zeroizing<Vec<u8>>,
    ) -> StoreFuture<'_, ()> {
        Box::pin(
            self.worker
                .submit(move |db| replace(db, slot, expected, &bytes)),
        )
    }
}

impl NodeSlotStore for SqliteNodeStore {
    fn create_slot(&self, slot: SlotId, bytes: Zeroizing<Vec<u8>>) -> StoreFuture<'_, ()> {
        Box::pin(self.worker.submit(move |db| {
            let created = db
                .connection
                .prepare_cached(
                    "INSERT INTO slots (slot_id, version, sealed) VALUES (?1, 1, ?2) ON CONFLICT DO NOTHING",
                )?
                .execute(params![slot.as_bytes(), bytes.as_slice()])?;
            changed(created)
        }))
    }
}

fn load(connection: &Connection, slot: SlotId) -> Result<Option<StoredSlot>, StoreError> {
    let row: Option<(i64, Vec<u8>)> = connection
        .prepare_cached("SELECT version, sealed FROM slots WHERE slot_id = ?1")?
        .query_row([slot.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(row.map(|(version, bytes)| StoredSlot {
        version: from_sql(version),
        bytes: Zeroizing::new(bytes),
    }))
}

/// One statement is one transaction. What it replaces may hold a key that is destroyed now. Its page is overwritten at once
/// (`secure_delete`); the log that still has the old page is cut in a quiet moment and not at each guess, which would cost two
/// more disk syncs. What lies there meanwhile is sealed by the node.
fn replace(db: &mut Db, slot: SlotId, expected: u64, bytes: &[u8]) -> Result<(), StoreError> {
    let replaced = db
        .connection
        .prepare_cached(
            "UPDATE slots SET version = version + 1, sealed = ?3 WHERE slot_id = ?1 AND version = ?2",
        )?
        .execute(params![slot.as_bytes(), to_sql(expected), bytes])?;
    changed(replaced)?;
    db.note_replaced();
    Ok(())
}

const fn changed(rows: usize) -> Result<(), StoreError> {
    if rows == 1 {
        Ok(())
    } else {
        Err(StoreError::SlotChanged)
    }
}
