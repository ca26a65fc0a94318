//! The back ends of a node's store pass its conformance suite.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

use trefoil_store::conformance::NodeBackend;
use trefoil_store::{MemoryNodeStore, SqliteNodeStore};

struct Directory(tempfile::TempDir);

impl NodeBackend for Directory {
    type Store = SqliteNodeStore;

    fn open(&self) -> SqliteNodeStore {
        SqliteNodeStore::open(self.0.path()).unwrap()
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        let files = std::fs::read_dir(self.0.path()).unwrap();
        let bytes = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
        Some(bytes.collect::<Vec<_>>().concat())
    }
}

struct Memory(MemoryNodeStore);

impl NodeBackend for Memory {
    type Store = MemoryNodeStore;

    fn open(&self) -> MemoryNodeStore {
        self.0.clone()
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        None
    }
}

mod sqlite {
    use super::Directory;

    trefoil_store::node_conformance_tests!(Directory(tempfile::tempdir().unwrap()));
}

mod memory {
    use super::{Memory, MemoryNodeStore};

    trefoil_store::node_conformance_tests!(Memory(MemoryNodeStore::default()));
}
