//! The tables and their versions.

use deadpool_postgres::{Object, Pool};
use tokio_postgres::error::SqlState;

use crate::error::StoreError;

/// The tables of one kind of database.
pub(super) struct Schema {
    name: &'static str,
    /// Step `i` leads from version `i` to `i + 1`. A landed step never changes.
    steps: &'static [&'static str],
}

pub(super) const RECORDS: Schema = Schema {
    name: "records",
    steps: &[RECORDS_1],
};
pub(super) const NONCES: Schema = Schema {
    name: "nonces",
    steps: &[NONCES_1],
};

const RECORDS_1: &str = "
-- The small, often written part of an account. Whoever writes to an account locks its row here first.
CREATE TABLE accounts (
    tenant TEXT NOT NULL,
    account_id BYTEA NOT NULL,
    logins BIGINT NOT NULL,
    event_seq BIGINT NOT NULL,
    event_head BYTEA,
    PRIMARY KEY (tenant, account_id)
);

-- The large part: one row per account, replaced as a whole.
CREATE TABLE records (
    tenant TEXT NOT NULL,
    account_id BYTEA NOT NULL,
    revision BIGINT NOT NULL,
    payload_hash BYTEA NOT NULL,
    nonce_hash BYTEA,
    actions TEXT NOT NULL,
    signature BYTEA NOT NULL,
    payload BYTEA NOT NULL,
    PRIMARY KEY (tenant, account_id)
);

-- From a locator to its account: the one row of a factor that does not lie with its account.
CREATE TABLE locators (
    tenant TEXT NOT NULL,
    locator BYTEA NOT NULL,
    account_id BYTEA NOT NULL,
    PRIMARY KEY (tenant, locator)
);

-- A removed factor keeps its row without an envelope.
CREATE TABLE factors (
    tenant TEXT NOT NULL,
    account_id BYTEA NOT NULL,
    locator BYTEA NOT NULL,
    share_index BIGINT,
    envelope_hash BYTEA,
    envelope BYTEA,
    PRIMARY KEY (tenant, account_id, locator)
);

CREATE TABLE tombstones (
    tenant TEXT NOT NULL,
    account_id BYTEA NOT NULL,
    deleted_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, account_id)
);

CREATE TABLE sessions (
    tenant TEXT NOT NULL,
    account_id BYTEA NOT NULL,
    token_hash BYTEA NOT NULL,
    proven BYTEA[] NOT NULL,
    level BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    PRIMARY KEY (tenant, account_id, token_hash)
);
-- To say of a session that it belongs to another account.
CREATE INDEX sessions_by_token ON sessions (tenant, token_hash);
CREATE INDEX sessions_by_end ON sessions (expires);

CREATE TABLE request_ids (
    tenant TEXT NOT NULL,
    request_id BYTEA NOT NULL,
    remember_until BIGINT NOT NULL,
    PRIMARY KEY (tenant, request_id)
);
CREATE INDEX request_ids_by_end ON request_ids (remember_until);

CREATE TABLE events (
    tenant TEXT NOT NULL,
    account_id BYTEA NOT NULL,
    seq BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (tenant, account_id, seq)
);

-- The server's part of counted guesses. A slot's id is refused for ever, by whatever account or tenant it is sent again, so it
-- is the key by itself; its row stays when it is deleted, without its part of the key.
CREATE TABLE slots (
    slot_id BYTEA NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    account_id BYTEA NOT NULL,
    version BIGINT NOT NULL,
    held BOOLEAN NOT NULL,
    record BYTEA NOT NULL
);
CREATE INDEX slots_of_account ON slots (tenant, account_id);

-- Short-lived ciphertexts between devices.
CREATE TABLE mailboxes (
    tenant TEXT NOT NULL,
    mailbox_id BYTEA NOT NULL,
    account_id BYTEA NOT NULL,
    expires BIGINT NOT NULL,
    open BOOLEAN NOT NULL,
    old_1 BYTEA,
    old_2 BYTEA,
    old_3 BYTEA,
    new_1 BYTEA,
    new_2 BYTEA,
    new_3 BYTEA,
    PRIMARY KEY (tenant, mailbox_id)
);
CREATE INDEX mailboxes_of_account ON mailboxes (tenant, account_id);
CREATE INDEX mailboxes_by_end ON mailboxes (expires);

-- Outbox: sealed nonces that nothing names any more and that may still lie in the nonce store. A transaction that names a nonce
-- puts its row and takes it away again, so that naming and erasing wait for each other.
CREATE TABLE nonce_erasures (
    tenant TEXT NOT NULL,
    account_id BYTEA NOT NULL,
    nonce_hash BYTEA NOT NULL,
    PRIMARY KEY (tenant, account_id, nonce_hash)
);

-- Buckets of rate limits that are not full: when they will be, in unix milliseconds.
CREATE TABLE limits (
    subject BYTEA NOT NULL PRIMARY KEY,
    full_at BIGINT NOT NULL
);
CREATE INDEX limits_by_end ON limits (full_at);

-- One row while a backup is being restored, with the backup's SHA-256.
CREATE TABLE restoring (
    id BIGINT NOT NULL PRIMARY KEY,
    backup BYTEA NOT NULL
);

-- Rewritten to see whether durable writes work: a row for each process that looked lately.
CREATE TABLE IF NOT EXISTS health (
    process BYTEA NOT NULL PRIMARY KEY,
    checked_at BIGINT NOT NULL
);
";

const NONCES_1: &str = "
-- settled = false: written for a record transaction whose end was not seen yet.
CREATE TABLE nonces (
    tenant TEXT NOT NULL,
    account_id BYTEA NOT NULL,
    nonce_hash BYTEA NOT NULL,
    sealed BYTEA NOT NULL,
    settled BOOLEAN NOT NULL,
    written_at BIGINT NOT NULL,
    -- Of this writing: an erasure names the one it means.
    generation TEXT NOT NULL,
    PRIMARY KEY (tenant, account_id, nonce_hash)
);
CREATE INDEX unsettled_nonces ON nonces (written_at) WHERE NOT settled;

-- Where records and nonces are in one database there is one table for both.
CREATE TABLE IF NOT EXISTS health (
    process BYTEA NOT NULL PRIMARY KEY,
    checked_at BIGINT NOT NULL
);
";

const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS trefoil_schema (
    name TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL
)";

impl Schema {
    pub(super) fn known(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX)
    }

    /// Whether the tables are those that this version knows.
    pub(super) async fn check(&self, pool: &Pool) -> Result<(), StoreError> {
        let known = self.known();
        match self.found(&*pool.get().await?).await? {
            found if found == known => Ok(()),
            found if found > known => Err(StoreError::NewerSchema { found, known }),
            found => Err(StoreError::OlderSchema { found, known }),
        }
    }

    /// Makes the steps that are missing, each in a transaction of its own, and gives the version it started from.
    pub(super) async fn migrate(&self, pool: &Pool) -> Result<u32, StoreError> {
        let mut connection = pool.get().await?;
        // Two at once may both find that it is missing.
        if let Err(error) = connection.batch_execute(VERSIONS).await
            && !matches!(
                error.code(),
                Some(
                    &SqlState::UNIQUE_VIOLATION
                        | &SqlState::DUPLICATE_TABLE
                        | &SqlState::DUPLICATE_OBJECT
                )
            )
        {
            return Err(error.into());
        }
        connection
            .execute(
                "INSERT INTO trefoil_schema (name, version) VALUES ($1, 0) ON CONFLICT DO NOTHING",
                &[&self.name],
            )
            .await?;
        let began = self.found(&connection).await?;
        if began > self.known() {
            return Err(StoreError::NewerSchema {
                found: began,
                known: self.known(),
            });
        }
        while self.step(&mut connection).await? {}
        Ok(began)
    }

    /// Makes one step; gives whether there was one to make.
    async fn step(&self, connection: &mut Object) -> Result<bool, StoreError> {
        let transaction = connection.transaction().await?;
        transaction
            .batch_execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
            .await?;
        let row = transaction
            .query_one(
                "SELECT version FROM trefoil_schema WHERE name = $1 FOR UPDATE",
                &[&self.name],
            )
            .await?;
        let version: i64 = row.try_get(0)?;
        let step = usize::try_from(version)
            .ok()
            .and_then(|at| self.steps.get(at));
        let Some(step) = step else {
            return Ok(false);
        };
        transaction.batch_execute(step).await?;
        transaction
            .execute(
                "UPDATE trefoil_schema SET version = version + 1 WHERE name = $1",
                &[&self.name],
            )
            .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// The version that is there, 0 for none.
    pub(super) async fn found(
        &self,
        connection: &tokio_postgres::Client,
    ) -> Result<u32, StoreError> {
        let found = connection
            .query_opt(
                "SELECT version FROM trefoil_schema WHERE name = $1",
                &[&self.name],
            )
            .await;
        let version: i64 = match found {
            Ok(Some(row)) => row.try_get(0)?,
            Ok(None) => 0,
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => 0,
            Err(error) => return Err(error.into()),
        };
        u32::try_from(version).map_err(|_| StoreError::Corrupt {
            what: "the version of the tables",
        })
    }
}
