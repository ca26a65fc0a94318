//! The device factor: 32 random bytes that a device keeps, and what else it must remember to notice a server that
//! rolls back or swaps accounts.
//!
//! | store | secrets | the rest |
//! | --- | --- | --- |
//! | [`FileDeviceStore`] | a 0600 file | the same file |
//! | `KeychainDeviceStore` (feature `keychain`) | the operating system's keychain | an index file |
//! | [`MemoryDeviceStore`] | memory | memory |

mod codec;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod file;
#[cfg(feature = "keychain")]
mod keychain;
mod memory;
mod state;
mod state_file;
mod store;
#[cfg(test)]
mod tests;

pub use codec::{FormatError, MAX_FILE};
pub use file::FileDeviceStore;
#[cfg(feature = "keychain")]
pub use keychain::KeychainDeviceStore;
pub use memory::MemoryDeviceStore;
pub use state::{
    DeviceAccount, DeviceSecret, DeviceState, LostSecret, PinConflict, Remembered, Settled,
};
pub use store::{Change, DeviceStore, DeviceStoreError, DeviceStoreExt, PreviousCopy, UpdateError};
