use trefoil_protocol::bytes::SlotId;
use trefoil_protocol::guess::SlotRecord;

use super::SlotBackend;
use super::owner::{Dealt, first_record, guess};
use crate::error::StoreError;
use crate::slot_store::SlotStore;

/// An unknown slot is none and cannot be replaced; a slot is created once, and another of its id leaves it alone.
pub async fn a_slot_is_there_once_it_is_created<B: SlotBackend>(backend: &B) {
    let store = backend.open();
    let slot = Dealt::new(1, 1, &[1], 10);
    assert!(store.load_slot(slot.id).await.unwrap().is_none());
    for version in [0, 1] {
        let bytes = first_record(&slot.enrolment());
        assert_changed(store.replace_slot(slot.id, version, bytes).await);
    }
    assert!(store.load_slot(slot.id).await.unwrap().is_none());
    backend.create(&store, slot.enrolment()).await.unwrap();
    let created = store.load_slot(slot.id).await.unwrap().unwrap();
    assert_eq!(created.version, 1);
    assert_eq!(created.bytes, first_record(&slot.enrolment()));

    let other = Dealt::new(1, 2, &[1], 10);
    let refused = backend.create(&store, other.enrolment()).await.unwrap_err();
    assert!(!refused.is_fault(), "{refused}");
    assert_eq!(store.load_slot(slot.id).await.unwrap(), Some(created));
    assert!(store.load_slot(id(2)).await.unwrap().is_none());
}

/// Only the current version can be replaced; a refusal changes nothing; other slots stay as they are.
pub async fn a_record_is_replaced_by_compare_and_set<B: SlotBackend>(backend: &B) {
    let store = backend.open();
    let (slot, other) = (Dealt::new(1, 1, &[1], 10), Dealt::new(2, 2, &[1], 10));
    backend.create(&store, slot.enrolment()).await.unwrap();
    backend.create(&store, other.enrolment()).await.unwrap();
    let untouched = store.load_slot(other.id).await.unwrap();
    let first = store.load_slot(slot.id).await.unwrap().unwrap();
    guess(&store, &slot.guess(1)).await.unwrap();
    let second = store.load_slot(slot.id).await.unwrap();
    assert_eq!(second.as_ref().unwrap().version, 2);
    assert_ne!(second.as_ref().unwrap().bytes, first.bytes);
    for wrong in [0, 1, 3, u64::MAX] {
        assert_changed(
            store
                .replace_slot(slot.id, wrong, first.bytes.clone())
                .await,
        );
        assert_eq!(store.load_slot(slot.id).await.unwrap(), second, "{wrong}");
    }
    assert_eq!(store.load_slot(other.id).await.unwrap(), untouched);
}

/// A record and its version are there after the store was dropped, also where nobody awaited the answer.
pub async fn a_record_survives_reopening<B: SlotBackend>(backend: &B) {
    let store = backend.open();
    let slot = Dealt::new(1, 1, &[1], 10);
    backend.create(&store, slot.enrolment()).await.unwrap();
    let first = store.load_slot(slot.id).await.unwrap().unwrap();
    guess(&store, &slot.guess(1)).await.unwrap();
    let second = store.load_slot(slot.id).await.unwrap().unwrap();
    drop(store.replace_slot(slot.id, 2, second.bytes.clone()));
    drop(store);

    let store = backend.open();
    let third = store.load_slot(slot.id).await.unwrap().unwrap();
    assert_eq!((third.version, &third.bytes), (3, &second.bytes));
    assert_changed(store.replace_slot(slot.id, 1, first.bytes).await);
    let record = SlotRecord::from_bytes(&third.bytes).unwrap();
    assert!(record.is_held() && record.slot() == slot.id);
}

fn id(number: u8) -> SlotId {
    SlotId::try_from([number; 16].as_slice()).unwrap()
}

fn assert_changed(result: Result<(), StoreError>) {
    assert!(
        matches!(&result, Err(error @ StoreError::SlotChanged) if !error.is_fault()),
        "{result:?}"
    );
}
