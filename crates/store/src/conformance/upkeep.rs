//! What an operator does to a store: counting, dumping, restoring, pruning, sealing anew.

mod dumping;
mod history;
mod pruning;
mod restoring;
mod sealing;

pub use dumping::*;
pub use history::*;
pub use pruning::*;
pub use restoring::*;
pub use sealing::*;

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::Backend;
use super::account_slots::OwnSlot;
use super::fixture::{NOW, Owner, login, statement};
use crate::at_rest::SealingKeys;
use crate::model::Caller;
use crate::store::MetadataStore;
use crate::upkeep_store::{DumpEntry, DumpedNonce, StoreReader, UpkeepStore};

/// A [`Backend`] as its operator sees it.
pub trait UpkeepBackend: Backend<Store: UpkeepStore> {
    /// Opens the store with keys to seal under, and a source of nonces.
    fn open_sealed(&self, keys: SealingKeys, rng: ChaCha20Rng) -> Self::Store;

    /// Opens a store that is empty or whose restore was cut off.
    fn open_to_restore(&self) -> Self::Store;

    /// Opens it as a server does and asks whether it may serve.
    fn try_serving(&self) -> impl Future<Output = Result<(), crate::StoreError>> + Send;

    /// Loses every record, and keeps the nonces. The store is closed.
    fn lose_records(&self);

    /// A reader beside whoever has the store open.
    fn open_reader(&self) -> impl StoreReader;
}

/// Makes one `#[tokio::test]` of every check. The argument is an expression for a fresh [`UpkeepBackend`], which is evaluated
/// twice: for a store and for the one that its backup goes into. `together NAME, PLACE, FUNCTION` makes a single test, as
/// [`conformance_tests!`](crate::conformance_tests) does.
#[macro_export]
macro_rules! upkeep_conformance_tests {
    (together $test:ident, $place:expr, $backend:expr) => {
        $crate::upkeep_conformance_checks! { upkeep_conformance_together, ($test, $place, $backend) }
    };
    ($backend:expr) => {
        $crate::upkeep_conformance_checks! { upkeep_conformance_each, ($backend) }
    };
}

/// Every check, handed to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! upkeep_conformance_checks {
    ($then:ident, $arguments:tt) => {
        $crate::$then! { $arguments;
            everything_is_counted
            a_dump_restores_every_answer
            a_dump_is_one_snapshot
            a_year_of_history_leaves_an_account_its_size
            a_dump_that_nobody_listens_to_ends
            a_load_is_whole_and_repeatable
            a_load_refuses_what_is_there
            only_named_nonces_are_loaded
            nonces_that_are_held_are_told
            a_store_that_is_being_restored_serves_nobody
            a_restore_needs_an_empty_store
            live_nonces_outlive_their_records
            pruning_takes_only_what_is_over
            a_sealed_store_shows_no_slot
            slots_move_to_the_current_key_while_guesses_go_on
            a_missing_key_is_named_and_nothing_is_lost
            a_sealed_row_opens_in_its_place_only
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! upkeep_conformance_each {
    (($backend:expr); $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::conformance::$name(&$backend, &$backend).await;
            }
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! upkeep_conformance_together {
    (($test:ident, $place:expr, $backend:expr); $($name:ident)*) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            let place = $place;
            $(
                // Shown where the test fails.
                println!("{}", stringify!($name));
                $crate::conformance::$name(&$backend(&place), &$backend(&place)).await;
            )*
        }
    };
}

/// Keys by id; the first is current.
pub(super) fn keys(ids: &[&str]) -> SealingKeys {
    let all = ids.iter().map(|id| {
        let mut key = Zeroizing::new([7; 32]);
        key[..id.len()].copy_from_slice(id.as_bytes());
        ((*id).to_owned(), key)
    });
    SealingKeys::new(ids[0], all).unwrap()
}

pub(super) fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

pub(super) async fn dumped(store: &impl StoreReader) -> Vec<DumpEntry> {
    let (sender, mut receiver) = mpsc::channel(4);
    let gather = async {
        let mut entries = Vec::new();
        while let Some(entry) = receiver.recv().await {
            entries.push(entry);
        }
        entries
    };
    let (done, entries) = tokio::join!(store.dump(sender), gather);
    done.unwrap();
    entries
}

pub(super) async fn dumped_nonces(store: &impl StoreReader) -> Vec<DumpedNonce> {
    let (sender, mut receiver) = mpsc::channel(4);
    let gather = async {
        let mut nonces = Vec::new();
        while let Some(nonce) = receiver.recv().await {
            nonces.push(nonce);
        }
        nonces
    };
    let (done, nonces) = tokio::join!(store.dump_nonces(sender), gather);
    done.unwrap();
    nonces
}

/// Three accounts, one of each kind: one-click with a slot that was ended, two of three with a removed factor and a slot,
/// deleted.
pub(super) struct World {
    pub(super) alice: Owner,
    pub(super) alice_caller: Caller,
    pub(super) bob: Owner,
    pub(super) slots: BTreeMap<&'static str, OwnSlot>,
}

pub(super) async fn world(store: &impl MetadataStore) -> World {
    let alice = Owner::new("acme", "alice");
    let alice_caller = alice.create(store).await;
    let mut slots = BTreeMap::new();
    for (name, number) in [
        ("of alice", 1),
        ("ended", 2),
        ("of bob", 3),
        ("of carol", 4),
    ] {
        slots.insert(name, OwnSlot::new("acme", number));
    }
    slots["of alice"].enrol(store, &alice_caller).await.unwrap();
    slots["ended"].enrol(store, &alice_caller).await.unwrap();
    slots["ended"].end(store).await;

    let first = Owner::new("acme", "bob");
    let caller = first.create(store).await;
    let second = first
        .next(&["bob social", "bob phone", "bob phrase"])
        .without_nonce();
    second.commit_over(&first, &caller, store).await.unwrap();
    let bob = second.next(&["bob social", "bob phrase"]);
    bob.commit_over(&second, &caller, store).await.unwrap();
    let (_, caller) = login(store, "acme", &["bob phrase"], NOW).await.unwrap();
    slots["of bob"].enrol(store, &caller).await.unwrap();

    let carol = Owner::new("acme", "carol");
    let caller = carol.create(store).await;
    slots["of carol"].enrol(store, &caller).await.unwrap();
    store.delete_account(caller, statement(NOW)).await.unwrap();
    // The same account id in another name space is another account.
    Owner::new("other", "alice").create(store).await;
    World {
        alice,
        alice_caller,
        bob,
        slots,
    }
}
