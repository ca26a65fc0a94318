//! A user's device: a store that survives its processes, and a wire that can be cut.

use std::path::Path;

use tempfile::TempDir;
use trefoil::device::FileDeviceStore;
use trefoil::{HttpTransport, Trefoil};
use trefoil_testkit::faults::FaultyTransport;
use trefoil_testkit::servers::World;

/// The transport of all phones.
pub(crate) type Wire = FaultyTransport<HttpTransport>;

/// A device. Each [`app`](Self::app) is a new process on it.
pub(crate) struct Phone {
    files: TempDir,
    pub(crate) wire: Wire,
}

impl Phone {
    /// A factory-new device.
    pub(crate) fn new() -> Self {
        Self {
            files: TempDir::new().unwrap(),
            wire: FaultyTransport::new(HttpTransport::new().unwrap()),
        }
    }

    /// Starts the wallet app of tenant `acme`.
    pub(crate) fn app(&self, world: &World) -> Trefoil {
        self.app_with(world, |builder| builder)
    }

    /// Starts a wallet app that is set up differently.
    pub(crate) fn app_with(
        &self,
        world: &World,
        settings: impl FnOnce(trefoil::TrefoilBuilder) -> trefoil::TrefoilBuilder,
    ) -> Trefoil {
        let builder = Trefoil::builder(world.metadata_url(), world.manifest().clone())
            .tenant("acme")
            .device_store(FileDeviceStore::in_directory(self.files.path()))
            .transport(self.wire.clone());
        settings(builder).build().unwrap()
    }

    /// Where its store is: what a thief of the unlocked device copies.
    pub(crate) fn directory(&self) -> &Path {
        self.files.path()
    }
}
