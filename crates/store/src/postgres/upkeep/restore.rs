//! The mark of a store that is being restored.

use crate::error::StoreError;
use crate::postgres::Databases;
use crate::postgres::rows::array;
use crate::postgres::transaction::{Transaction, transact};

/// SHA-256 of the backup, where a restore is under way.
async fn under_way(transaction: &Transaction) -> Result<Option<[u8; 32]>, StoreError> {
    let row = transaction
        .row("SELECT backup FROM restoring WHERE id = 1", &[])
        .await?;
    row.map(|row| array(&row, 0)).transpose()
}

pub(in crate::postgres) async fn refuse_while_under_way(
    databases: &Databases,
) -> Result<(), StoreError> {
    match transact!(databases, connection => under_way(&connection))? {
        Some(_) => Err(StoreError::Restoring),
        None => Ok(()),
    }
}

/// There must not be nonces without any records that could name them.
pub(in crate::postgres) async fn refuse_without_records(
    databases: &Databases,
) -> Result<(), StoreError> {
    if !transact!(databases, connection => is_empty(&connection))? {
        return Ok(());
    }
    let any = transact!(on databases.nonces, store => store.row(
        "SELECT 1 FROM nonces WHERE settled LIMIT 1",
        &[],
    ))?;
    match any {
        Some(_) => Err(StoreError::RecordsMissing),
        None => Ok(()),
    }
}

/// Whether there is nothing that a backup could run into.
async fn is_empty(transaction: &Transaction) -> Result<bool, StoreError> {
    for any in [
        "SELECT 1 FROM accounts LIMIT 1",
        "SELECT 1 FROM tombstones LIMIT 1",
        "SELECT 1 FROM slots LIMIT 1",
    ] {
        if transaction.row(any, &[]).await?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) async fn begin(databases: &Databases, backup: &[u8; 32]) -> Result<(), StoreError> {
    transact!(databases, transaction => begin_once(&transaction, backup))
}

async fn begin_once(transaction: &Transaction, backup: &[u8; 32]) -> Result<(), StoreError> {
    transaction.begin().await?;
    match under_way(transaction).await? {
        Some(other) if other == *backup => return Ok(()),
        Some(_) => return Err(StoreError::OtherRestore),
        None if is_empty(transaction).await? => {}
        None => return Err(StoreError::NotEmpty),
    }
    let begun = transaction
        .execute(
            "INSERT INTO restoring (id, backup) VALUES (1, $1) ON CONFLICT DO NOTHING",
            &[&backup.as_slice()],
        )
        .await?;
    // Somebody else was faster: see with what.
    if begun == 0 {
        Err(StoreError::Busy)
    } else {
        Ok(())
    }
}

pub(super) async fn finish(databases: &Databases) -> Result<(), StoreError> {
    transact!(databases, connection => async {
        connection.execute("DELETE FROM restoring", &[]).await.map(drop)
    })
}
