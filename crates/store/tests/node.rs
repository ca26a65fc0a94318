//! The back ends of a node's store pass its conformance suite.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

use trefoil_protocol::guess::OpenedEnrolment;
use trefoil_store::conformance::{NodeBackend, SlotBackend, first_record};
use trefoil_store::{
    MemoryNodeStore, MemorySlotStore, NodeSlotStore as _, SqliteNodeStore, StoreError,
};

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

impl SlotBackend for Directory {
    type Store = SqliteNodeStore;

    fn open(&self) -> SqliteNodeStore {
        NodeBackend::open(self)
    }

    async fn create(
        &self,
        store: &SqliteNodeStore,
        enrolment: OpenedEnrolment,
    ) -> Result<(), StoreError> {
        let slot = enrolment.content().slot;
        store.create_slot(slot, first_record(&enrolment)).await
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        NodeBackend::bytes(self)
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

struct MemorySlots(MemorySlotStore);

impl SlotBackend for MemorySlots {
    type Store = MemorySlotStore;

    fn open(&self) -> MemorySlotStore {
        self.0.clone()
    }

    async fn create(
        &self,
        store: &MemorySlotStore,
        enrolment: OpenedEnrolment,
    ) -> Result<(), StoreError> {
        let slot = enrolment.content().slot;
        store.create_slot(slot, first_record(&enrolment)).await
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        None
    }
}

mod sqlite {
    use super::Directory;

    trefoil_store::node_conformance_tests!(Directory(tempfile::tempdir().unwrap()));
    trefoil_store::slot_conformance_tests!(Directory(tempfile::tempdir().unwrap()));
}

mod memory {
    use super::{Memory, MemoryNodeStore, MemorySlotStore, MemorySlots};

    trefoil_store::node_conformance_tests!(Memory(MemoryNodeStore::default()));
    trefoil_store::slot_conformance_tests!(MemorySlots(MemorySlotStore::default()));
}
