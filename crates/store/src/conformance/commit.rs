//! Replacing records.

use std::collections::BTreeSet;
use std::sync::Arc;

use trefoil_protocol::policy::Action;

use super::Backend;
use super::fixture::{NOW, Owner, SESSION, assert_erased, assert_held, login};
use crate::error::StoreError;
use crate::store::MetadataStore;

const CLIENTS: usize = 24;

/// Many devices commit over the same revision: one wins, the others learn the revision that is current.
pub async fn one_of_many_committers_wins<B: Backend>(backend: &B) {
    let store = Arc::new(backend.open());
    let first = Owner::new("acme", "alice");
    first.create(&*store).await;
    let mut tasks = Vec::new();
    for number in 0..CLIENTS {
        let (_, caller) = login(&*store, "acme", &["alice social"], NOW)
            .await
            .unwrap();
        let (base, next) = (first.clone(), first.update(&format!("by {number}")));
        let store = Arc::clone(&store);
        tasks.push(tokio::spawn(async move {
            next.commit_over(&base, &caller, &*store)
                .await
                .map(|_| next.hash())
        }));
    }
    let mut winners = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            Ok(hash) => winners.push(hash),
            Err(error) => assert!(
                matches!(error, StoreError::Stale { revision: 2 }),
                "{error}"
            ),
        }
    }
    assert_eq!(winners.len(), 1);
    let (opened, _) = login(&*store, "acme", &["alice social"], NOW)
        .await
        .unwrap();
    assert_eq!(
        (opened.record.hash, opened.record.revision),
        (winners[0], 2)
    );
}

/// The answer of the first time, however often, and no second event.
pub async fn a_repeated_commit_succeeds_again<B: Backend>(backend: &B) {
    let store = backend.open();
    let first = Owner::new("acme", "alice");
    let caller = first.create(&store).await;
    let second = first
        .next(&["alice social", "alice phone", "alice phrase"])
        .without_nonce();
    let mut commit = second.commit(&first, &caller);
    commit.actions = BTreeSet::from([Action::AddFactor, Action::ChangePolicy, Action::Reshare]);
    let answer = store.commit_record(commit.clone()).await.unwrap();
    assert_eq!(answer.actions, commit.actions);
    assert_eq!(store.commit_record(commit.clone()).await.unwrap(), answer);

    // Another session that only knows the record it sends gets the same answer.
    let (_, other) = login(&store, "acme", &["alice phone"], NOW).await.unwrap();
    let mut again = second.commit(&first, &other);
    again.actions.clear();
    assert_eq!(store.commit_record(again).await.unwrap(), answer);
    assert_eq!(
        store
            .read_events(caller.clone())
            .await
            .unwrap()
            .events
            .len(),
        2
    );

    let third = second.update("third");
    third.commit_over(&second, &caller, &store).await.unwrap();
    let error = store.commit_record(commit).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Stale { revision: 3 }),
        "{error}"
    );
}

/// Afterwards an envelope of exactly the stated hash is held for every entry, or nothing was changed.
pub async fn a_commit_needs_every_envelope<B: Backend>(backend: &B) {
    let store = backend.open();
    let first = Owner::new("acme", "alice");
    let caller = first.create(&store).await;
    let second = first
        .next(&["alice social", "alice phone", "alice phrase"])
        .without_nonce();
    for missing in 0..3 {
        let mut commit = second.commit(&first, &caller);
        let index = second.factors[missing].0;
        commit.envelopes.remove(missing);
        let error = store.commit_record(commit).await.unwrap_err();
        assert!(
            matches!(error, StoreError::MissingEnvelope { index: at } if at == index),
            "{error}"
        );
    }
    let read = store.read_record(caller.clone()).await.unwrap();
    assert_eq!(read.record.hash, first.hash());
    assert_eq!(read.envelopes[0].envelope, first.envelope(1));
    second.commit_over(&first, &caller, &store).await.unwrap();

    // Within an epoch nothing has to be sent again.
    let third = second.update("third");
    third.commit_over(&second, &caller, &store).await.unwrap();
    let (opened, _) = login(&store, "acme", &["alice phrase"], NOW).await.unwrap();
    assert_eq!(opened.envelopes[0].envelope, second.envelope(3));
}

/// A factor of another account of the tenant cannot be enrolled, also not one that was removed there.
pub async fn a_taken_locator_is_refused<B: Backend>(backend: &B) {
    let store = backend.open();
    let alice = Owner::new("acme", "alice");
    let caller = alice.create(&store).await;
    let alice_2 = alice
        .next(&["alice social", "phone", "phrase"])
        .without_nonce();
    alice_2.commit_over(&alice, &caller, &store).await.unwrap();
    let alice_3 = alice_2.next(&["alice social", "phone"]);
    alice_3
        .commit_over(&alice_2, &caller, &store)
        .await
        .unwrap();

    let bob = Owner::new("acme", "bob");
    let caller = bob.create(&store).await;
    for taken in ["phone", "phrase", "alice social"] {
        let bob_2 = bob
            .next(&["bob social", taken, "bob phrase"])
            .without_nonce();
        let error = bob_2.commit_over(&bob, &caller, &store).await.unwrap_err();
        assert!(
            matches!(error, StoreError::LocatorTaken),
            "{taken}: {error}"
        );
        let mut creation = Owner::new("acme", "carol");
        creation.factors = vec![(1, taken.to_owned())];
        let (create, _) = creation.creation(NOW);
        assert!(matches!(
            store.create_account(create).await,
            Err(StoreError::LocatorTaken)
        ));
    }
    assert_eq!(
        store.read_record(caller).await.unwrap().record.hash,
        bob.hash()
    );
}

/// Login answers that the factor was removed; its own account may enrol it again.
pub async fn a_removed_locator_stays_with_its_account<B: Backend>(backend: &B) {
    let store = backend.open();
    let first = Owner::new("acme", "alice");
    let caller = first.create(&store).await;
    let second = first
        .next(&["alice social", "phone", "phrase"])
        .without_nonce();
    second.commit_over(&first, &caller, &store).await.unwrap();
    let third = second.next(&["alice social", "phrase"]);
    third.commit_over(&second, &caller, &store).await.unwrap();
    assert!(matches!(
        login(&store, "acme", &["phone"], NOW).await,
        Err(StoreError::FactorRemoved)
    ));

    let fourth = third.next(&["alice social", "phrase", "phone"]);
    fourth.commit_over(&third, &caller, &store).await.unwrap();
    let (opened, _) = login(&store, "acme", &["phone"], NOW).await.unwrap();
    let index = fourth.factors[2].0;
    assert_eq!(opened.envelopes.len(), 1);
    assert_eq!(opened.envelopes[0].envelope, fourth.envelope(index));
}

/// A dump taken later must not hold what was replaced.
pub async fn old_payloads_and_envelopes_are_erased<B: Backend>(backend: &B) {
    let store = backend.open();
    let first = Owner::new("acme", "alice");
    let caller = first.create(&store).await;
    let second = first
        .next(&["alice social", "phone", "phrase"])
        .without_nonce();
    second.commit_over(&first, &caller, &store).await.unwrap();
    assert_held(
        backend.record_bytes(),
        second.payload().as_bytes().last_chunk::<100>().unwrap(),
    );
    assert_held(backend.record_bytes(), second.envelope(2).as_bytes());
    let third = second.next(&["alice social", "phrase"]);
    third.commit_over(&second, &caller, &store).await.unwrap();
    for old in [&first, &second] {
        assert_erased(|| backend.record_bytes(), &old.payload().as_bytes()[..100]).await;
        assert_erased(
            || backend.record_bytes(),
            old.payload().as_bytes().last_chunk::<100>().unwrap(),
        )
        .await;
        for envelope in old.envelopes() {
            assert_erased(|| backend.record_bytes(), envelope.as_bytes()).await;
        }
    }
    let read = store.read_record(caller).await.unwrap();
    assert_eq!(read.record.payload, third.payload());
}

/// The session is looked at in the commit's own transaction.
pub async fn a_session_that_ends_before_the_commit_commits_nothing<B: Backend>(backend: &B) {
    let store = backend.open();
    let first = Owner::new("acme", "alice");
    let mut caller = first.create(&store).await;
    caller.now = NOW + SESSION + 1;
    let error = first
        .update("late")
        .commit_over(&first, &caller, &store)
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::ExpiredSession), "{error}");
    caller.now = NOW + SESSION;
    assert_eq!(
        store.read_record(caller).await.unwrap().record.hash,
        first.hash()
    );
}
