//! The SQLite back end passes the conformance suite.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

use std::path::Path;

use trefoil_store::conformance::Backend;
use trefoil_store::{SqliteOptions, SqliteStore, conformance_tests};

struct Directory(tempfile::TempDir);

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The file with its log.
    fn bytes(&self, name: &str) -> Vec<u8> {
        let read =
            |name: String| std::fs::read(self.0.path().join(Path::new(&name))).unwrap_or_default();
        [read(name.to_owned()), read(format!("{name}-wal"))].concat()
    }
}

impl Backend for Directory {
    type Store = SqliteStore;

    fn open(&self) -> SqliteStore {
        SqliteOptions::new(self.0.path()).open().unwrap()
    }

    fn record_bytes(&self) -> Option<Vec<u8>> {
        Some(self.bytes("records.db"))
    }

    fn nonce_bytes(&self) -> Option<Vec<u8>> {
        Some(self.bytes("nonces.db"))
    }
}

conformance_tests!(Directory::new());

mod slots {
    use trefoil_store::conformance::AccountSlots;

    use super::Directory;

    trefoil_store::slot_conformance_tests!(AccountSlots(Directory::new()));
}
