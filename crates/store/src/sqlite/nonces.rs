//! The nonce store: a database file of its own with one connection, used by the writer thread alone.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use trefoil_protocol::bytes::{AccountId, SealedNonce};
use trefoil_protocol::tenant::Tenant;

use super::schema::BUSY_TIMEOUT;
use crate::error::StoreError;
use crate::values::NonceKey;

/// A sealed nonce to be written before the record that names it.
#[derive(Debug, Clone)]
pub(super) struct NewNonce {
    pub(super) key: NonceKey,
    pub(super) sealed: SealedNonce,
}

impl NewNonce {
    pub(super) fn new(tenant: &Tenant, account_id: AccountId, sealed: SealedNonce) -> Self {
        let key = NonceKey {
            tenant: tenant.clone(),
            account_id,
            hash: sealed.hash(),
        };
        Self { key, sealed }
    }
}

pub(super) struct NonceDb {
    connection: Connection,
}

impl NonceDb {
    pub(super) const fn new(connection: Connection) -> Self {
        Self { connection }
    }

    /// Writes all of them durably, in one transaction.
    pub(super) fn write<'a>(
        &self,
        nonces: impl Iterator<Item = &'a NewNonce>,
    ) -> Result<(), StoreError> {
        let transaction = self.connection.unchecked_transaction()?;
        for NewNonce { key, sealed } in nonces {
            transaction
                .prepare_cached(
                    "INSERT INTO nonces (tenant, account_id, nonce_hash, sealed, settled) VALUES (?1, ?2, ?3, ?4, 0)
                     ON CONFLICT DO NOTHING",
                )?
                .execute(params![
                    key.tenant.as_str(),
                    key.account_id.as_bytes(),
                    key.hash.as_bytes(),
                    sealed.as_bytes()
                ])?;
        }
        transaction.commit()?;
        Ok(())
    }

    pub(super) fn read(&self, key: &NonceKey) -> Result<Option<SealedNonce>, StoreError> {
        let sealed: Option<Vec<u8>> = self
            .connection
            .prepare_cached("SELECT sealed FROM nonces WHERE tenant = ?1 AND account_id = ?2 AND nonce_hash = ?3")?
            .query_row(params![key.tenant.as_str(), key.account_id.as_bytes(), key.hash.as_bytes()], |row| row.get(0))
            .optional()?;
        let Some(sealed) = sealed.map(SealedNonce::new) else {
            return Ok(None);
        };
        if sealed.hash() != key.hash {
            return Err(StoreError::Corrupt {
                what: "a sealed nonce",
            });
        }
        Ok(Some(sealed))
    }

    /// Notes that the records which name these nonces are committed.
    pub(super) fn settle(&self, keys: &[NonceKey]) -> Result<(), StoreError> {
        let transaction = self.connection.unchecked_transaction()?;
        for key in keys {
            transaction
                .prepare_cached(
                    "UPDATE nonces SET settled = 1
                     WHERE tenant = ?1 AND account_id = ?2 AND nonce_hash = ?3 AND settled = 0",
                )?
                .execute(params![
                    key.tenant.as_str(),
                    key.account_id.as_bytes(),
                    key.hash.as_bytes()
                ])?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Erases them from the tables, the free pages and the log. Returns only when nothing of them is left in the files.
    pub(super) fn erase(&self, keys: &[NonceKey]) -> Result<(), StoreError> {
        let transaction = self.connection.unchecked_transaction()?;
        for key in keys {
            transaction
                .prepare_cached(
                    "DELETE FROM nonces WHERE tenant = ?1 AND account_id = ?2 AND nonce_hash = ?3",
                )?
                .execute(params![
                    key.tenant.as_str(),
                    key.account_id.as_bytes(),
                    key.hash.as_bytes()
                ])?;
        }
        transaction.commit()?;
        truncate_log_soon(&self.connection)
    }

    /// Writes, as already settled, those that are not held; gives how many.
    pub(super) fn write_settled(&self, nonces: &[NewNonce]) -> Result<u64, StoreError> {
        let transaction = self.connection.unchecked_transaction()?;
        let mut written = 0;
        for NewNonce { key, sealed } in nonces {
            // One that is damaged is replaced: the hash says what it has to be.
            let held = matches!(self.read(key), Ok(Some(_)));
            if held {
                continue;
            }
            transaction
                .prepare_cached(
                    "INSERT INTO nonces (tenant, account_id, nonce_hash, sealed, settled) VALUES (?1, ?2, ?3, ?4, 1)
                     ON CONFLICT (tenant, account_id, nonce_hash) DO UPDATE SET sealed = excluded.sealed, settled = 1",
                )?
                .execute(params![
                    key.tenant.as_str(),
                    key.account_id.as_bytes(),
                    key.hash.as_bytes(),
                    sealed.as_bytes()
                ])?;
            written += 1;
        }
        transaction.commit()?;
        Ok(written)
    }

    /// The names that follow `last`, at most so many, in order.
    pub(super) fn names_after(
        &self,
        last: Option<&NonceKey>,
        limit: u32,
    ) -> Result<Vec<NonceKey>, StoreError> {
        let (tenant, account, hash) = match last {
            Some(last) => (
                last.tenant.as_str(),
                last.account_id.as_bytes().to_vec(),
                last.hash.as_bytes().to_vec(),
            ),
            None => ("", Vec::new(), Vec::new()),
        };
        let mut statement = self.connection.prepare_cached(
            "SELECT tenant, account_id, nonce_hash FROM nonces
             WHERE (tenant, account_id, nonce_hash) > (?1, ?2, ?3)
             ORDER BY tenant, account_id, nonce_hash LIMIT ?4",
        )?;
        let mut rows = statement.query(params![tenant, account, hash, limit])?;
        let mut keys = Vec::new();
        while let Some(row) = rows.next()? {
            keys.push(super::rows::nonce_key(row)?);
        }
        Ok(keys)
    }

    /// Whether there is a nonce, or one that a record has named.
    pub(super) fn holds_any(&self, only_settled: bool) -> Result<bool, StoreError> {
        let any = match only_settled {
            true => "SELECT 1 FROM nonces WHERE settled = 1 LIMIT 1",
            false => "SELECT 1 FROM nonces LIMIT 1",
        };
        Ok(self.connection.prepare_cached(any)?.exists([])?)
    }

    /// Nonces of transactions whose end was not seen.
    pub(super) fn unsettled(&self) -> Result<Vec<NonceKey>, StoreError> {
        let mut statement = self
            .connection
            .prepare("SELECT tenant, account_id, nonce_hash FROM nonces WHERE settled = 0")?;
        let mut rows = statement.query([])?;
        let mut keys = Vec::new();
        while let Some(row) = rows.next()? {
            keys.push(super::rows::nonce_key(row)?);
        }
        Ok(keys)
    }
}

/// How long the writer waits for readers to cut its log. A backup reads for long, and everybody waits for the writer: rather
/// try again later.
const SHORT_WAIT: Duration = Duration::from_millis(100);

/// As [`truncate_log`], without waiting long for readers.
pub(super) fn truncate_log_soon(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(SHORT_WAIT)?;
    let cut = truncate_log(connection);
    connection.busy_timeout(BUSY_TIMEOUT)?;
    cut
}

/// Copies the write-ahead log into the database and cuts it to nothing, so that old pages are gone from it.
pub(super) fn truncate_log(connection: &Connection) -> Result<(), StoreError> {
    let blocked: bool =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if blocked {
        Err(StoreError::Busy)
    } else {
        Ok(())
    }
}
