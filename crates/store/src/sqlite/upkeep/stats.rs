//! Count everything.

use rusqlite::Connection;

use crate::error::StoreError;
use crate::sqlite::schema;
use crate::upkeep_store::StoreStats;
use crate::values::from_sql;

/// Without the sizes of files.
pub(in crate::sqlite) fn count(
    records: &Connection,
    nonces: &Connection,
) -> Result<StoreStats, StoreError> {
    let snapshot = records.unchecked_transaction()?;
    let count = |sql: &str| -> Result<u64, StoreError> {
        Ok(from_sql(snapshot.query_row(sql, [], |row| row.get(0))?))
    };
    Ok(StoreStats {
        accounts: count("SELECT count(*) FROM accounts")?,
        accounts_with_nonce: count("SELECT count(*) FROM records WHERE nonce_hash IS NOT NULL")?,
        tombstones: count("SELECT count(*) FROM tombstones")?,
        factors: count("SELECT count(*) FROM factors WHERE share_index IS NOT NULL")?,
        removed_factors: count("SELECT count(*) FROM factors WHERE share_index IS NULL")?,
        nonces: from_sql(nonces.query_row("SELECT count(*) FROM nonces", [], |row| row.get(0))?),
        nonce_erasures: count("SELECT count(*) FROM nonce_erasures")?,
        slots: count("SELECT count(*) FROM slots WHERE held = 1")?,
        events: count("SELECT count(*) FROM events")?,
        sessions: count("SELECT count(*) FROM sessions")?,
        request_ids: count("SELECT count(*) FROM request_ids")?,
        mailboxes: count("SELECT count(*) FROM mailboxes")?,
        schema: schema::newest(&schema::RECORDS),
        record_bytes: None,
        nonce_bytes: None,
    })
}
