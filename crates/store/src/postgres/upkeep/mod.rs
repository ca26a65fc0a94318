//! What an operator does to a store: one file per verb.

pub(super) mod dump;
pub(super) mod load;
pub(super) mod prune;
pub(super) mod reseal;
pub(super) mod restore;
pub(super) mod stats;

use tokio::sync::mpsc;
use trefoil_protocol::bytes::{AccountId, NonceHash};
use trefoil_protocol::tenant::Tenant;

use super::PostgresStore;
use crate::store::StoreFuture;
use crate::upkeep_store::{
    DumpEntry, DumpedNonce, Pruned, Resealed, StoreReader, StoreStats, UpkeepStore,
};

impl StoreReader for PostgresStore {
    fn stats(&self) -> StoreFuture<'_, StoreStats> {
        self.detached(|databases| async move { stats::count(&databases).await })
    }

    fn dump(&self, entries: mpsc::Sender<DumpEntry>) -> StoreFuture<'_, ()> {
        self.detached(|databases| async move { dump::entries(&databases, &entries).await })
    }

    fn dump_nonces(&self, nonces: mpsc::Sender<DumpedNonce>) -> StoreFuture<'_, ()> {
        self.detached(|databases| async move { dump::nonces(&databases, &nonces).await })
    }

    fn hold_nonces(
        &self,
        named: Vec<(Tenant, AccountId, NonceHash)>,
    ) -> StoreFuture<'_, Vec<bool>> {
        self.detached(|databases| async move { dump::hold_nonces(&databases, named).await })
    }
}

impl UpkeepStore for PostgresStore {
    fn begin_restore(&self, backup: [u8; 32]) -> StoreFuture<'_, ()> {
        self.detached(move |databases| async move { restore::begin(&databases, &backup).await })
    }

    fn load(&self, entries: Vec<DumpEntry>) -> StoreFuture<'_, ()> {
        self.detached(|databases| async move { load::entries(&databases, &entries).await })
    }

    fn load_nonces(&self, nonces: Vec<DumpedNonce>) -> StoreFuture<'_, u64> {
        self.detached(|databases| async move { load::nonces(&databases, nonces).await })
    }

    fn finish_restore(&self) -> StoreFuture<'_, ()> {
        self.detached(|databases| async move { restore::finish(&databases).await })
    }

    fn prune(&self, now: u64) -> StoreFuture<'_, Pruned> {
        self.detached(move |databases| async move { prune::all(&databases, now).await })
    }

    fn reseal(&self) -> StoreFuture<'_, Resealed> {
        self.detached(|databases| async move { reseal::all(&databases).await })
    }
}
