//! The trait that a store of an evaluator's slots implements (protocol section 10).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use trefoil_protocol::bytes::SlotId;
use trefoil_protocol::guess::SlotRecord;
use zeroize::Zeroizing;

use crate::error::StoreError;
use crate::store::StoreFuture;

/// One slot as a store sees it: the bytes of a [`trefoil_protocol::guess::SlotRecord`], which a node seals before it stores
/// them.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredSlot {
    /// 1 for the first record; one more with each replacement.
    pub version: u64,
    /// The record.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for StoredSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredSlot")
            .field("version", &self.version)
            .field("bytes", &format_args!("{} bytes", self.bytes.len()))
            .finish()
    }
}

/// A record of the metadata server on its way to the place of an earlier one.
pub(crate) struct SlotReplacement {
    pub(crate) slot: SlotId,
    pub(crate) expected: u64,
    pub(crate) held: bool,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

impl SlotReplacement {
    /// Looks into the record before its turn has come, so that whoever writes it need not.
    pub(crate) fn new(slot: SlotId, expected: u64, bytes: Zeroizing<Vec<u8>>) -> Self {
        // What cannot be read is no deleted slot.
        let held = SlotRecord::from_bytes(&bytes).map_or(true, |record| record.is_held());
        Self {
            slot,
            expected,
            held,
            bytes,
        }
    }

    pub(crate) fn of(record: &SlotRecord, expected: u64) -> Self {
        Self {
            slot: record.slot(),
            expected,
            held: record.is_held(),
            bytes: record.expose_bytes(),
        }
    }
}

/// The slots of an evaluator. A guess is answered only after its count is in here durably, so no two guesses may ever be
/// counted as one: two writers of one slot are told apart by compare-and-set, and the one that loses reads again.
///
/// A replacement is durable before its future resolves with `Ok`; bytes that it replaced are erased in the next quiet moment,
/// since they may hold a key that was destroyed. Dropping a future does not undo the operation.
///
/// Every back end must pass the suite that the feature `conformance` exports.
pub trait SlotStore: Send + Sync + 'static {
    /// The slot, `None` where none was ever enrolled under this id.
    ///
    /// # Errors
    /// A fault.
    fn load_slot(&self, slot: SlotId) -> StoreFuture<'_, Option<StoredSlot>>;

    /// Puts this record in place of the one of version `expected`.
    ///
    /// # Errors
    /// [`crate::StoreError::SlotChanged`] where the current version is another, or there is none; or a fault, after which
    /// nothing has changed.
    fn replace_slot(
        &self,
        slot: SlotId,
        expected: u64,
        bytes: Zeroizing<Vec<u8>>,
    ) -> StoreFuture<'_, ()>;
}

/// A store that takes slots in by itself, as a node's does; the metadata server's belong to accounts.
pub trait NodeSlotStore: SlotStore {
    /// Puts the first record under this id.
    ///
    /// # Errors
    /// [`crate::StoreError::SlotChanged`] where there is one already; or a fault.
    fn create_slot(&self, slot: SlotId, bytes: Zeroizing<Vec<u8>>) -> StoreFuture<'_, ()>;
}

/// [`NodeSlotStore`] in memory: for tests, and for nodes whose shares a dealer made and that nothing has to survive.
///
/// Clones share their slots.
#[derive(Debug, Clone, Default)]
pub struct MemorySlotStore(Arc<Mutex<BTreeMap<SlotId, StoredSlot>>>);

impl MemorySlotStore {
    /// Forgets everything.
    pub fn clear(&self) {
        self.lock().clear();
    }

    // Every change is a single one: nothing is left half done.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<SlotId, StoredSlot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SlotStore for MemorySlotStore {
    fn load_slot(&self, slot: SlotId) -> StoreFuture<'_, Option<StoredSlot>> {
        let found = self.lock().get(&slot).cloned();
        Box::pin(async move { Ok(found) })
    }

    fn replace_slot(
        &self,
        slot: SlotId,
        expected: u64,
        bytes: Zeroizing<Vec<u8>>,
    ) -> StoreFuture<'_, ()> {
        let mut slots = self.lock();
        let held = slots.get_mut(&slot).filter(|held| held.version == expected);
        let replaced = held.map(|held| {
            *held = StoredSlot {
                version: expected.saturating_add(1),
                bytes,
            };
        });
        Box::pin(async move { replaced.ok_or(StoreError::SlotChanged) })
    }
}

impl NodeSlotStore for MemorySlotStore {
    fn create_slot(&self, slot: SlotId, bytes: Zeroizing<Vec<u8>>) -> StoreFuture<'_, ()> {
        let mut slots = self.lock();
        let free = !slots.contains_key(&slot);
        if free {
            slots.insert(slot, StoredSlot { version: 1, bytes });
        }
        Box::pin(async move {
            if free {
                Ok(())
            } else {
                Err(StoreError::SlotChanged)
            }
        })
    }
}
