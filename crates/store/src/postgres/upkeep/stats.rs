//! Count everything.

use crate::error::StoreError;
use crate::postgres::transaction::{Transaction, transact};
use crate::postgres::{Databases, schema};
use crate::upkeep_store::StoreStats;
use crate::values::from_sql;

const RECORD_BYTES: &str = "SELECT sum(pg_total_relation_size(name::regclass))::bigint FROM unnest(ARRAY[
    'accounts', 'records', 'locators', 'factors', 'tombstones', 'sessions', 'request_ids', 'events', 'slots',
    'mailboxes', 'nonce_erasures', 'limits', 'health', 'restoring']) AS name";
const NONCE_BYTES: &str = "SELECT pg_total_relation_size('nonces'::regclass)::bigint";

pub(super) async fn count(databases: &Databases) -> Result<StoreStats, StoreError> {
    let records = Transaction::on(&databases.records).await?;
    let nonces = Transaction::on(&databases.nonces).await?;
    let counted = count_all(&records, &nonces).await;
    let (counted, _) = (records.end(counted).await?, nonces.end(Ok(())).await?);
    Ok(StoreStats {
        // Not every database that speaks this protocol can say.
        record_bytes: transact!(databases, connection => number(&connection, RECORD_BYTES)).ok(),
        nonce_bytes: transact!(on databases.nonces, store => number(&store, NONCE_BYTES)).ok(),
        ..counted
    })
}

async fn count_all(records: &Transaction, nonces: &Transaction) -> Result<StoreStats, StoreError> {
    records.begin_unhurried().await?;
    nonces.begin_unhurried().await?;
    Ok(StoreStats {
        accounts: number(records, "SELECT count(*) FROM accounts").await?,
        accounts_with_nonce: number(
            records,
            "SELECT count(*) FROM records WHERE nonce_hash IS NOT NULL",
        )
        .await?,
        tombstones: number(records, "SELECT count(*) FROM tombstones").await?,
        factors: number(
            records,
            "SELECT count(*) FROM factors WHERE share_index IS NOT NULL",
        )
        .await?,
        removed_factors: number(
            records,
            "SELECT count(*) FROM factors WHERE share_index IS NULL",
        )
        .await?,
        nonces: number(nonces, "SELECT count(*) FROM nonces").await?,
        nonce_erasures: number(records, "SELECT count(*) FROM nonce_erasures").await?,
        slots: number(records, "SELECT count(*) FROM slots WHERE held").await?,
        events: number(records, "SELECT count(*) FROM events").await?,
        sessions: number(records, "SELECT count(*) FROM sessions").await?,
        request_ids: number(records, "SELECT count(*) FROM request_ids").await?,
        mailboxes: number(records, "SELECT count(*) FROM mailboxes").await?,
        schema: schema::RECORDS.known(),
        record_bytes: None,
        nonce_bytes: None,
    })
}

async fn number(connection: &Transaction, sql: &str) -> Result<u64, StoreError> {
    let row = connection.row(sql, &[]).await?;
    Ok(row
        .map(|row| row.try_get(0))
        .transpose()?
        .map_or(0, from_sql))
}
