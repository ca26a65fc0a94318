//! Where the buckets are kept: as many as fit, and a few that all others share.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;

/// Keys with a bucket of their own, 24 bytes each.
pub(super) const CAPACITY: usize = 1 << 16;
/// Buckets for the keys that find no room.
const SHARED: u64 = 1 << 10;

/// Theoretical arrival times by key. Whoever comes with ever new keys fills the table and no more than that: keys
/// beyond it share buckets, chosen by a hash that nobody can foresee, and keys that are in it notice nothing.
#[derive(Default)]
pub(super) struct Buckets {
    table: Mutex<Table>,
    hasher: RandomState,
}

#[derive(Default)]
struct Table {
    own: HashMap<u128, Nanos>,
    shared: HashMap<u64, Nanos>,
}

impl StateStore for Buckets {
    type Key = u128;

    fn measure_and_replace<T, F, E>(&self, key: &u128, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let before = table.own.get(key).copied();
        if before.is_some() || table.own.len() < CAPACITY {
            let (decision, after) = decide(before)?;
            table.own.insert(*key, after);
            Ok(decision)
        } else {
            let slot = self.hasher.hash_one(key) % SHARED;
            let (decision, after) = decide(table.shared.get(&slot).copied())?;
            table.shared.insert(slot, after);
            Ok(decision)
        }
    }
}

impl ShrinkableKeyedStateStore<u128> for Buckets {
    fn retain_recent(&self, drop_below: Nanos) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.own.retain(|_, arrival| *arrival > drop_below);
        table.shared.retain(|_, arrival| *arrival > drop_below);
    }

    fn shrink_to_fit(&self) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.own.shrink_to_fit();
        table.shared.shrink_to_fit();
    }

    fn len(&self) -> usize {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.own.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
