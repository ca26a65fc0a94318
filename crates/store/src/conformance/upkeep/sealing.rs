//! Sealing at rest.

use std::sync::Arc;

use super::{UpkeepBackend, dumped, keys, rng};
use crate::conformance::account_slots::OwnSlot;
use crate::conformance::fixture::{NOW, Owner, assert_erased, assert_held, login};
use crate::error::StoreError;
use crate::model::Caller;
use crate::slot_store::SlotStore;
use crate::store::MetadataStore;
use crate::upkeep_store::{DumpEntry, UpkeepStore};

fn slots(count: u16) -> Vec<OwnSlot> {
    (1..=count)
        .map(|number| OwnSlot::new("acme", number))
        .collect()
}

async fn enrolled<S: MetadataStore>(store: &S, slots: &[OwnSlot]) -> Caller {
    let caller = Owner::new("acme", "alice").create(store).await;
    for slot in slots {
        slot.enrol(store, &caller).await.unwrap();
    }
    caller
}

fn shows(bytes: Option<&[u8]>, needle: &[u8]) -> bool {
    bytes.is_some_and(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
}

/// Whoever has the database, or its backup, finds no server's part of a key. Each use of a slot works as before.
pub async fn a_sealed_store_shows_no_slot<B: UpkeepBackend>(backend: &B, _: &B) {
    let store = backend.open_sealed(keys(&["first"]), rng(1));
    let slots = slots(2);
    let caller = enrolled(&store, &slots).await;
    let (kept, ended) = (&slots[0], &slots[1]);
    let (version, record) = kept.record(&store).await;
    store
        .replace_slot(kept.id, version, record.expose_bytes())
        .await
        .unwrap();
    kept.enrol(&store, &caller).await.unwrap();
    ended.end(&store).await;
    assert_eq!(store.list_slots(caller.clone()).await.unwrap().len(), 1);
    let again = Owner::new("acme", "alice");
    let mut commit = again.update("with a list").commit(&again, &caller);
    commit.guess_lists = vec![kept.list(2, &[2])];
    store.commit_record(commit).await.unwrap();
    assert_eq!(*kept.record(&store).await.1.list(), kept.list(2, &[2]));

    let bytes = backend.record_bytes();
    assert!(!shows(bytes.as_deref(), &kept.share));
    assert!(!shows(bytes.as_deref(), &ended.share));
    for entry in dumped(&store).await {
        let DumpEntry::Account(account) = entry else {
            continue;
        };
        assert_eq!(account.slots.len(), 2);
        for slot in account.slots {
            assert!(!shows(Some(slot.record.as_bytes()), &kept.share));
            // Neither the counters nor the lists.
            assert!(!shows(Some(slot.record.as_bytes()), b"\"list\""));
        }
    }
}

/// Rows from before there were keys, and rows under an earlier key, go on working and are moved, while others write.
pub async fn slots_move_to_the_current_key_while_guesses_go_on<B: UpkeepBackend>(
    backend: &B,
    _: &B,
) {
    let slots = Arc::new(slots(60));
    let store = backend.open();
    enrolled(&store, &slots).await;
    assert_held(backend.record_bytes(), &slots[0].share);
    let error = store.reseal().await.unwrap_err();
    assert!(matches!(error, StoreError::NoSealingKeys), "{error}");
    drop(store);

    let store = backend.open_sealed(keys(&["first"]), rng(1));
    let before = slots[7].record(&store).await;
    let done = store.reseal().await.unwrap();
    assert_eq!((done.rows, done.resealed), (60, 60));
    let done = store.reseal().await.unwrap();
    assert_eq!((done.rows, done.resealed), (60, 0));
    assert_eq!(slots[7].record(&store).await, before);
    for slot in slots.iter() {
        assert_erased(|| backend.record_bytes(), &slot.share).await;
    }
    drop(store);

    let store = Arc::new(backend.open_sealed(keys(&["second", "first"]), rng(2)));
    // As a guess does: read, count, replace by compare-and-set. None may be lost or meet a row it cannot read.
    let guesses = {
        let (store, slots) = (Arc::clone(&store), Arc::clone(&slots));
        tokio::spawn(async move {
            for round in 0..4_u64 {
                for slot in slots.iter() {
                    let (version, record) = slot.record(&*store).await;
                    assert_eq!(version, round + 1);
                    store
                        .replace_slot(slot.id, version, record.expose_bytes())
                        .await
                        .unwrap();
                }
            }
        })
    };
    let mut moved = 0;
    for _ in 0..4 {
        moved += store.reseal().await.unwrap().resealed;
    }
    guesses.await.unwrap();
    moved += store.reseal().await.unwrap().resealed;
    assert!(moved <= 60, "a row moves once: {moved}");
    drop(store);

    // The first key may go.
    let store = backend.open_sealed(keys(&["second"]), rng(3));
    for slot in slots.iter() {
        assert_eq!(slot.record(&store).await.0, 5);
    }
    assert_eq!(store.reseal().await.unwrap().resealed, 0);
}

/// No key, another key, the key back again.
pub async fn a_missing_key_is_named_and_nothing_is_lost<B: UpkeepBackend>(backend: &B, _: &B) {
    let store = backend.open_sealed(keys(&["first"]), rng(1));
    let slots = slots(2);
    enrolled(&store, &slots).await;
    let before = slots[0].record(&store).await;
    drop(store);
    for without in [None, Some(keys(&["second"]))] {
        let store = match without {
            Some(keys) => backend.open_sealed(keys, rng(2)),
            None => backend.open(),
        };
        let (_, caller) = login(&store, "acme", &["alice social"], NOW).await.unwrap();
        let refused = [
            store.load_slot(slots[0].id).await.map(drop),
            store.list_slots(caller.clone()).await.map(drop),
            slots[0].enrol(&store, &caller).await,
        ];
        for error in refused.map(Result::unwrap_err) {
            assert!(
                matches!(&error, StoreError::UnknownSealingKey { id } if id == "first"),
                "{error}"
            );
        }
    }
    let store = backend.open_sealed(keys(&["second"]), rng(2));
    let error = store.reseal().await.unwrap_err();
    assert!(
        matches!(&error, StoreError::UnknownSealingKey { id } if id == "first"),
        "{error}"
    );
    drop(store);
    let store = backend.open_sealed(keys(&["second", "first"]), rng(3));
    assert_eq!(slots[0].record(&store).await, before);
}

/// Rows that were exchanged do not open: a backup in which somebody did that is of no use.
pub async fn a_sealed_row_opens_in_its_place_only<B: UpkeepBackend>(backend: &B, target: &B) {
    let store = backend.open_sealed(keys(&["first"]), rng(1));
    let slots = slots(2);
    enrolled(&store, &slots).await;
    let mut entries = dumped(&store).await;
    let DumpEntry::Account(account) = &mut entries[0] else {
        panic!("the account comes first");
    };
    let [one, two] = &mut account.slots[..] else {
        panic!("two slots");
    };
    std::mem::swap(&mut one.record, &mut two.record);
    let restored = target.open_sealed(keys(&["first"]), rng(2));
    restored.load(entries).await.unwrap();
    for slot in &slots {
        let error = restored.load_slot(slot.id).await.unwrap_err();
        assert!(matches!(error, StoreError::Unsealable { .. }), "{error}");
    }
    assert!(restored.reseal().await.is_err());
}
