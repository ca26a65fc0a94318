//! The mark of a store that is being restored.

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::error::StoreError;

/// SHA-256 of the backup, where a restore is under way.
pub(in crate::sqlite) fn under_way(records: &Connection) -> Result<Option<[u8; 32]>, StoreError> {
    Ok(records
        .prepare_cached("SELECT backup FROM restoring WHERE id = 1")?
        .query_row([], |row| row.get(0))
        .optional()?)
}

/// Whether there is nothing that a backup could run into.
pub(in crate::sqlite) fn is_empty(records: &Connection) -> Result<bool, StoreError> {
    for any in [
        "SELECT 1 FROM accounts LIMIT 1",
        "SELECT 1 FROM tombstones LIMIT 1",
        "SELECT 1 FROM slots LIMIT 1",
    ] {
        if records.prepare_cached(any)?.exists([])? {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(in crate::sqlite) fn begin(records: &Connection, backup: &[u8; 32]) -> Result<(), StoreError> {
    match under_way(records)? {
        Some(other) if other == *backup => return Ok(()),
        Some(_) => return Err(StoreError::OtherRestore),
        None if is_empty(records)? => {}
        None => return Err(StoreError::NotEmpty),
    }
    records
        .prepare_cached("INSERT INTO restoring (id, backup) VALUES (1, ?1)")?
        .execute(params![backup])?;
    Ok(())
}

pub(in crate::sqlite) fn finish(records: &Connection) -> Result<(), StoreError> {
    records
        .prepare_cached("DELETE FROM restoring")?
        .execute([])?;
    Ok(())
}
