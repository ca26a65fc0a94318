//! The database files: their tables, their versions and how they are opened.
//!
//! A table's primary key starts with the tenant, but for that of slots. There are no sequences and no foreign keys, so the same layout works on
//! distributed databases; an account's rows are written by one transaction.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::StoreError;

/// How long a connection waits for the file lock of another one.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// More than there are, so that each is prepared once.
const CACHED_STATEMENTS: usize = 128;
/// Pages (of 4 KiB) in the log after which it is copied into the database, at the latest.
const CHECKPOINT_PAGES: u32 = 4000;

/// Of the writer, which alone knows what it has changed and keeps its pages from one commit to the next.
const WRITER_CACHE: u32 = 16 << 20;
/// Of each reader; every commit empties it.
const READER_CACHE: u32 = 16 << 20;

/// One kind of database file.
pub(super) struct Schema {
    /// `PRAGMA application_id`: tells the files apart from each other and from anything else.
    application_id: i32,
    /// Step `i` leads from version `i` to `i + 1`. A landed step never changes.
    steps: &'static [&'static str],
}

#[cfg(test)]
impl Schema {
    /// As it was at an earlier version.
    pub(super) fn up_to(&self, version: usize) -> Self {
        Self {
            application_id: self.application_id,
            steps: self.steps.get(..version).unwrap_or_default(),
        }
    }
}

pub(super) const RECORDS: Schema = Schema {
    application_id: 0x5472_6672,
    steps: &[RECORDS_1, RECORDS_SLOTS, RECORDS_MAILBOXES, RECORDS_RESTORE],
};
pub(super) const NONCES: Schema = Schema {
    application_id: 0x5472_666e,
    steps: &[NONCES_1],
};
pub(super) const NODE: Schema = Schema {
    application_id: 0x5472_666b,
    steps: &[NODE_1, NODE_2],
};

const RECORDS_1: &str = "
-- The small, often written part of an account.
CREATE TABLE accounts (
    tenant TEXT NOT NULL,
    account_id BLOB NOT NULL,
    logins INTEGER NOT NULL,
    event_seq INTEGER NOT NULL,
    event_head BLOB,
    PRIMARY KEY (tenant, account_id)
) WITHOUT ROWID;

-- The large part: one row per account, replaced as a whole.
CREATE TABLE records (
    tenant TEXT NOT NULL,
    account_id BLOB NOT NULL,
    revision INTEGER NOT NULL,
    payload_hash BLOB NOT NULL,
    nonce_hash BLOB,
    actions TEXT NOT NULL,
    signature BLOB NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (tenant, account_id)
);

-- The locator index, with each enrolled factor's envelope. A removed factor keeps its row without one.
CREATE TABLE factors (
    tenant TEXT NOT NULL,
    locator BLOB NOT NULL,
    account_id BLOB NOT NULL,
    share_index INTEGER,
    envelope_hash BLOB,
    envelope BLOB,
    PRIMARY KEY (tenant, locator)
) WITHOUT ROWID;
CREATE INDEX factors_of_account ON factors (tenant, account_id);

CREATE TABLE tombstones (
    tenant TEXT NOT NULL,
    account_id BLOB NOT NULL,
    deleted_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, account_id)
) WITHOUT ROWID;

CREATE TABLE sessions (
    tenant TEXT NOT NULL,
    token_hash BLOB NOT NULL,
    account_id BLOB NOT NULL,
    proven BLOB NOT NULL,
    level INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (tenant, token_hash)
) WITHOUT ROWID;
CREATE INDEX sessions_of_account ON sessions (tenant, account_id);
CREATE INDEX sessions_by_end ON sessions (expires);

CREATE TABLE request_ids (
    tenant TEXT NOT NULL,
    request_id BLOB NOT NULL,
    remember_until INTEGER NOT NULL,
    PRIMARY KEY (tenant, request_id)
) WITHOUT ROWID;
CREATE INDEX request_ids_by_end ON request_ids (remember_until);

CREATE TABLE events (
    tenant TEXT NOT NULL,
    account_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (tenant, account_id, seq)
) WITHOUT ROWID;

-- Outbox: sealed nonces that a committed transaction has ended and that may still lie in the nonce store.
CREATE TABLE nonce_erasures (
    tenant TEXT NOT NULL,
    account_id BLOB NOT NULL,
    nonce_hash BLOB NOT NULL,
    PRIMARY KEY (tenant, account_id, nonce_hash)
) WITHOUT ROWID;

-- One row, rewritten to see whether durable writes work.
CREATE TABLE health (
    id INTEGER PRIMARY KEY,
    checked_at INTEGER NOT NULL
);
";

const RECORDS_SLOTS: &str = "
-- The server's part of counted guesses. A slot's id is refused for ever, by whatever account or tenant it is sent again, so it
-- is the key by itself; its row stays when it is deleted, without its part of the key.
CREATE TABLE slots (
    slot_id BLOB NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    account_id BLOB NOT NULL,
    version INTEGER NOT NULL,
    -- 0 once it is deleted.
    held INTEGER NOT NULL,
    record BLOB NOT NULL
);
CREATE INDEX slots_of_account ON slots (tenant, account_id, held);
";

const RECORDS_MAILBOXES: &str = "
-- Short-lived ciphertexts between devices. A closed or expired mailbox keeps its row for a while without messages, so that its
-- id is not used again.
CREATE TABLE mailboxes (
    tenant TEXT NOT NULL,
    mailbox_id BLOB NOT NULL,
    -- Whose session made it.
    account_id BLOB NOT NULL,
    expires INTEGER NOT NULL,
    open INTEGER NOT NULL,
    old_1 BLOB,
    old_2 BLOB,
    old_3 BLOB,
    new_1 BLOB,
    new_2 BLOB,
    new_3 BLOB,
    PRIMARY KEY (tenant, mailbox_id)
);
CREATE INDEX mailboxes_of_account ON mailboxes (tenant, account_id, open);
CREATE INDEX mailboxes_by_end ON mailboxes (open, expires);
";

const RECORDS_RESTORE: &str = "
-- One row while the store is being restored: SHA-256 of the backup. As long as it is there nobody is served.
CREATE TABLE restoring (
    id INTEGER PRIMARY KEY,
    backup BLOB NOT NULL
);
";

const NONCES_1: &str = "
-- settled = 0: written for a record transaction whose end was not seen yet; looked at again after a crash.
CREATE TABLE nonces (
    tenant TEXT NOT NULL,
    account_id BLOB NOT NULL,
    nonce_hash BLOB NOT NULL,
    sealed BLOB NOT NULL,
    settled INTEGER NOT NULL,
    PRIMARY KEY (tenant, account_id, nonce_hash)
) WITHOUT ROWID;
CREATE INDEX unsettled_nonces ON nonces (tenant, account_id, nonce_hash) WHERE settled = 0;
";

const NODE_1: &str = "
-- One row: everything that a node must not lose, sealed by it.
CREATE TABLE node_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL,
    sealed BLOB NOT NULL
);

-- One row, rewritten to see whether durable writes work.
CREATE TABLE health (
    id INTEGER PRIMARY KEY,
    checked_at INTEGER NOT NULL
);
";

const NODE_2: &str = "
-- One row per slot of counted guesses, sealed by the node.
CREATE TABLE slots (
    slot_id BLOB PRIMARY KEY,
    version INTEGER NOT NULL,
    sealed BLOB NOT NULL
) WITHOUT ROWID;
";

/// Opens the file for writing, creates or upgrades its tables.
pub(super) fn open_writer(
    path: &Path,
    schema: &Schema,
    max_bytes: Option<u64>,
) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection, WRITER_CACHE)?;
    // Overwrite what is deleted: old payloads, envelopes and nonces must not linger in free pages.
    connection.pragma_update(None, "secure_delete", true)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(StoreError::ReadOnly);
    }
    // Pages that many commits touch are copied into the database once for all of them.
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    // FULL: the write-ahead log is synced before a commit is acknowledged.
    connection.pragma_update(None, "synchronous", "FULL")?;
    migrate(&mut connection, schema)?;
    if let Some(max_bytes) = max_bytes {
        let page: u64 = connection
            .query_row("PRAGMA page_size", [], |row| row.get(0))
            .map(i64::cast_unsigned)?;
        let pages = (max_bytes / page.max(1)).clamp(1, u64::from(u32::MAX - 1));
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    }
    Ok(connection)
}

/// Opens an existing file for reading.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    // A read-only handle could not create the shared-memory file of the log; query_only forbids writes instead.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection, READER_CACHE)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// `cache`: bytes of pages that it may keep in memory.
fn prepare(connection: &Connection, cache: u32) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    // Plans do not depend on the values that are bound: else binding one would prepare the statement anew at each use.
    connection.set_db_config(
        rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG,
        true,
    )?;
    // A negative size is in KiB, a positive one in pages.
    connection.pragma_update(None, "cache_size", -i64::from(cache / 1024))?;
    // Old pages that a savepoint must remember stay out of temporary files.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(())
}

/// Opens a file that another process may have open, for whoever reads all of it: only in the newest version.
pub(super) fn open_beside(path: &Path, schema: &Schema) -> Result<Connection, StoreError> {
    let connection = open_reader(path)?;
    let (found, known) = versions(&connection, schema)?;
    if found < known {
        return Err(StoreError::OlderSchema { found, known });
    }
    Ok(connection)
}

/// Version of the tables, as this software writes them.
pub(super) fn newest(schema: &Schema) -> u32 {
    u32::try_from(schema.steps.len()).unwrap_or(u32::MAX)
}

/// Whether the open file is one of this kind, in a version that is known.
pub(super) fn check(connection: &Connection, schema: &Schema) -> Result<(), StoreError> {
    versions(connection, schema).map(drop)
}

fn migrate(connection: &mut Connection, schema: &Schema) -> Result<(), StoreError> {
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let (version, known) = versions(&transaction, schema)?;
    for step in schema
        .steps
        .iter()
        .skip(usize::try_from(version).map_err(StoreError::backend)?)
    {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", schema.application_id)?;
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

/// The file's schema version, 0 where it is new, and the newest one known.
fn versions(connection: &Connection, schema: &Schema) -> Result<(u32, u32), StoreError> {
    let application_id: i32 =
        connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let version: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = u32::try_from(schema.steps.len()).map_err(StoreError::backend)?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let is_new = application_id == 0 && version == 0 && tables == 0;
    if !is_new && application_id != schema.application_id {
        return Err(StoreError::ForeignFile);
    }
    if version > known {
        return Err(StoreError::NewerSchema {
            found: version,
            known,
        });
    }
    Ok((version, known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_file_and_a_newer_schema_are_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let foreign = dir.path().join("foreign.db");
        Connection::open(&foreign)
            .unwrap()
            .execute_batch("CREATE TABLE t (a)")
            .unwrap();
        assert!(matches!(
            open_writer(&foreign, &RECORDS, None),
            Err(StoreError::ForeignFile)
        ));

        let path = dir.path().join("records.db");
        drop(open_writer(&path, &RECORDS, None).unwrap());
        assert!(matches!(
            open_writer(&path, &NONCES, None),
            Err(StoreError::ForeignFile)
        ));
        Connection::open(&path)
            .unwrap()
            .pragma_update(None, "user_version", 99)
            .unwrap();
        let error = open_writer(&path, &RECORDS, None).unwrap_err();
        assert!(
            matches!(
                error,
                StoreError::NewerSchema { found: 99, known } if known as usize == RECORDS.steps.len()
            ),
            "{error}"
        );

        let text = dir.path().join("text.db");
        std::fs::write(
            &text,
            "this is no database, only a long enough text to look at ".repeat(20),
        )
        .unwrap();
        assert!(matches!(
            open_writer(&text, &RECORDS, None),
            Err(StoreError::Corrupt { .. })
        ));
    }

    #[test]
    fn a_file_of_an_earlier_version_keeps_its_data_and_gets_the_new_tables() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("records.db");
        let earlier = Schema {
            steps: &[RECORDS_1],
            ..RECORDS
        };
        open_writer(&path, &earlier, None)
            .unwrap()
            .execute("INSERT INTO tombstones VALUES ('t', x'00', 1)", [])
            .unwrap();
        let upgraded = open_writer(&path, &RECORDS, None).unwrap();
        for (table, rows) in [
            ("tombstones", 1),
            ("slots", 0),
            ("mailboxes", 0),
            ("restoring", 0),
        ] {
            let count: i64 = upgraded
                .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
                    row.get(0)
                })
                .unwrap();
            assert_eq!(count, rows, "{table}");
        }
    }

    #[test]
    fn whoever_reads_beside_a_server_upgrades_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("records.db");
        let earlier = RECORDS.up_to(RECORDS.steps.len() - 1);
        drop(open_writer(&path, &earlier, None).unwrap());
        let error = open_beside(&path, &RECORDS).unwrap_err();
        assert!(
            matches!(error, StoreError::OlderSchema { found, known } if found + 1 == known),
            "{error}"
        );
        drop(open_beside(&path, &earlier).unwrap());
        assert!(matches!(
            open_beside(&path, &NONCES),
            Err(StoreError::ForeignFile)
        ));
        drop(open_writer(&path, &RECORDS, None).unwrap());
        let reader = open_beside(&path, &RECORDS).unwrap();
        assert!(reader.execute("DELETE FROM tombstones", []).is_err());
    }

    #[test]
    fn opening_again_keeps_the_data() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("records.db");
        let first = open_writer(&path, &RECORDS, None).unwrap();
        first
            .execute("INSERT INTO tombstones VALUES ('t', x'00', 1)", [])
            .unwrap();
        drop(first);
        let second = open_writer(&path, &RECORDS, None).unwrap();
        let count: i64 = second
            .query_row("SELECT count(*) FROM tombstones", [], |row| row.get(0))
            .unwrap();
        assert_eq!(count, 1);
    }
}
