//! The device store of an app that keeps nothing.

use std::sync::{Arc, Mutex, PoisonError};

use super::state::DeviceState;
use super::store::{Change, DeviceStore, DeviceStoreError};

/// Lives as long as its last clone: nothing survives the process, so a device factor made with it is lost with it.
/// Rollback detection works within the process only.
#[derive(Debug, Clone, Default)]
pub struct MemoryDeviceStore {
    state: Arc<Mutex<DeviceState>>,
}

impl MemoryDeviceStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl DeviceStore for MemoryDeviceStore {
    fn read(&self) -> Result<DeviceState, DeviceStoreError> {
        Ok(self
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone())
    }

    fn update_dyn(
        &self,
        change: &mut dyn FnMut(&mut DeviceState) -> Change,
    ) -> Result<(), DeviceStoreError> {
        let mut current = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // On a copy, so that neither a refusal nor a panic leaves half a change.
        let mut changed = current.clone();
        if change(&mut changed) == Change::Keep {
            changed.erase.clear();
            *current = changed;
        }
        Ok(())
    }

    fn restore_previous(&self) -> Result<(), DeviceStoreError> {
        Err(DeviceStoreError::NoPrevious)
    }
}
