//! The SQLite back end passes the conformance suite.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

use std::path::Path;

use rand_chacha::ChaCha20Rng;
use trefoil_store::conformance::{Backend, UpkeepBackend};
use trefoil_store::{
    MetadataStore as _, SealingKeys, SqliteOptions, SqliteStore, StoreError, StoreReader,
    conformance_tests,
};

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

impl UpkeepBackend for Directory {
    fn open_sealed(&self, keys: SealingKeys, rng: ChaCha20Rng) -> SqliteStore {
        let options = SqliteOptions::new(self.0.path()).sealing(keys, rng);
        options.open().unwrap()
    }

    fn open_to_restore(&self) -> SqliteStore {
        SqliteOptions::new(self.0.path()).open_to_restore().unwrap()
    }

    async fn try_serving(&self) -> Result<(), StoreError> {
        let store = SqliteOptions::new(self.0.path()).open()?;
        store.check_ready(1).await
    }

    fn lose_records(&self) {
        for file in ["records.db", "records.db-wal", "records.db-shm"] {
            let _ = std::fs::remove_file(self.0.path().join(file));
        }
    }

    fn open_reader(&self) -> impl StoreReader {
        SqliteOptions::new(self.0.path()).open_reader().unwrap()
    }
}

conformance_tests!(Directory::new());
trefoil_store::upkeep_conformance_tests!(Directory::new());

mod slots {
    use trefoil_store::conformance::AccountSlots;

    use super::Directory;

    trefoil_store::slot_conformance_tests!(AccountSlots(Directory::new()));
}
