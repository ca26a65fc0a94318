//! The audit log.

use trefoil_protocol::event::{EventBody, verify_chain};

use super::Backend;
use super::fixture::{NOW, Owner, statement};
use crate::model::EVENTS_KEPT;
use crate::store::MetadataStore;

/// Each event names the one before; the newest are kept and still end at the head.
pub async fn events_are_chained_and_bounded<B: Backend>(backend: &B) {
    let store = backend.open();
    let mut owner = Owner::new("acme", "alice");
    let caller = owner.create(&store).await;
    let mut pinned = store.read_events(caller.clone()).await.unwrap().head;
    for number in 0..EVENTS_KEPT + 5 {
        let next = owner.update(&format!("update {number}"));
        next.commit_over(&owner, &caller, &store).await.unwrap();
        owner = next;
        let log = store.read_events(caller.clone()).await.unwrap();
        let events = verify_chain(&log.events, &log.head).unwrap();
        // A device that pinned the head before sees it as the last but one.
        assert_eq!(events.last().unwrap().previous, Some(pinned));
        assert_eq!(events.last().unwrap().sequence, number + 2);
        assert_eq!(events.len() as u64, EVENTS_KEPT.min(number + 2));
        pinned = log.head;
    }
    store.release_nonce(caller.clone()).await.unwrap();
    store
        .export_kit(caller.clone(), statement(NOW))
        .await
        .unwrap();
    let log = store.read_events(caller).await.unwrap();
    let events = verify_chain(&log.events, &log.head).unwrap();
    let bodies: Vec<_> = events
        .iter()
        .rev()
        .take(3)
        .map(|event| &event.body)
        .collect();
    assert!(matches!(
        bodies.as_slice(),
        [
            EventBody::KitExported {},
            EventBody::NonceReleased {},
            EventBody::Committed { .. }
        ]
    ));
    assert_eq!(events.last().unwrap().time, NOW);
}
