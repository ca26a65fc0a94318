//! Creating accounts.

use std::sync::Arc;

use trefoil_protocol::bytes::SealedNonce;

use super::Backend;
use super::fixture::{NOW, Owner, assert_erased, login};
use crate::error::StoreError;
use crate::store::MetadataStore;

const CLIENTS: usize = 24;

/// Devices that race with one factor and different keys: one account, the others are told that the factor is in use.
pub async fn one_of_many_creators_wins_the_locator<B: Backend>(backend: &B) {
    let store = Arc::new(backend.open());
    let racers = (0..CLIENTS).map(|number| {
        let mut owner = Owner::new("acme", &format!("racer {number}"));
        owner.factors = vec![(1, "shared social".to_owned())];
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let (create, _) = owner.creation(NOW);
            store
                .create_account(create)
                .await
                .map(|opened| opened.account_id)
        })
    });
    let mut winners = Vec::new();
    for racer in racers.collect::<Vec<_>>() {
        match racer.await.unwrap() {
            Ok(account_id) => winners.push(account_id),
            Err(error) => assert!(matches!(error, StoreError::LocatorTaken), "{error}"),
        }
    }
    assert_eq!(winners.len(), 1);
    let (opened, _) = login(&*store, "acme", &["shared social"], NOW)
        .await
        .unwrap();
    assert_eq!(opened.account_id, winners[0]);
    assert!(opened.sealed_nonce.is_some());
}

/// The same key imported by several clients under different factors.
pub async fn one_of_many_creators_wins_the_account<B: Backend>(backend: &B) {
    let store = Arc::new(backend.open());
    let racers = (0..CLIENTS).map(|number| {
        let mut owner = Owner::new("acme", "imported");
        owner.factors = vec![(1, format!("social {number}"))];
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let (create, _) = owner.creation(NOW);
            store
                .create_account(create)
                .await
                .map(|opened| opened.record.hash == owner.hash())
        })
    });
    let mut winners = 0;
    for racer in racers.collect::<Vec<_>>() {
        match racer.await.unwrap() {
            Ok(own) => {
                assert!(own);
                winners += 1;
            }
            Err(error) => assert!(matches!(error, StoreError::AccountExists), "{error}"),
        }
    }
    assert_eq!(winners, 1);
}

/// A client that lost the answer sends the same record with a new statement.
pub async fn a_repeated_create_succeeds_again<B: Backend>(backend: &B) {
    let store = backend.open();
    let owner = Owner::new("acme", "alice");
    owner.create(&store).await;
    let (again, token) = owner.creation(NOW + 1);
    let opened = store.create_account(again).await.unwrap();
    assert_eq!(opened.record.hash, owner.hash());
    assert_eq!(opened.logins, 1);
    assert_eq!(opened.sealed_nonce, owner.nonce);
    let caller = owner.caller(token, NOW + 1);
    assert_eq!(
        store
            .read_events(caller.clone())
            .await
            .unwrap()
            .events
            .len(),
        1
    );
    assert_eq!(
        store.release_nonce(caller).await.unwrap(),
        owner.nonce.unwrap()
    );
}

/// Every entry's envelope of exactly the stated hash, and the stated nonce, or nothing.
pub async fn a_create_without_its_envelopes_or_nonce_changes_nothing<B: Backend>(backend: &B) {
    let store = backend.open();
    let owner = Owner::new("acme", "alice");

    let (mut create, _) = owner.creation(NOW);
    create.envelopes.clear();
    let error = store.create_account(create).await.unwrap_err();
    assert!(
        matches!(error, StoreError::MissingEnvelope { index: 1 }),
        "{error}"
    );

    let (mut create, _) = owner.creation(NOW);
    create.envelopes = owner.next(&["other"]).envelopes();
    assert!(matches!(
        store.create_account(create).await,
        Err(StoreError::MissingEnvelope { index: 1 })
    ));

    let (mut create, _) = owner.creation(NOW);
    create.sealed_nonce = None;
    assert!(matches!(
        store.create_account(create).await,
        Err(StoreError::MissingNonce)
    ));

    let (mut create, _) = owner.creation(NOW);
    create.sealed_nonce = Some(SealedNonce::new(b"another".to_vec()));
    assert!(matches!(
        store.create_account(create).await,
        Err(StoreError::MissingNonce)
    ));

    assert!(matches!(
        login(&store, "acme", &["alice social"], NOW).await,
        Err(StoreError::NoAccount)
    ));
    owner.create(&store).await;
}

/// The nonce is written before the record; where the record is refused it must not stay.
pub async fn a_refused_create_leaves_no_nonce<B: Backend>(backend: &B) {
    let store = backend.open();
    let first = Owner::new("acme", "alice");
    let caller = first.create(&store).await;
    let mut second = Owner::new("acme", "bob");
    second.factors = first.factors.clone();
    let (create, _) = second.creation(NOW);
    assert!(matches!(
        store.create_account(create).await,
        Err(StoreError::LocatorTaken)
    ));
    assert_erased(|| backend.nonce_bytes(), second.nonce.unwrap().as_bytes()).await;

    // The same account again with another record and another nonce: the nonce in use stays.
    let mut third = first.clone();
    third.variant = "third".to_owned();
    third.nonce = Some(SealedNonce::new(b"a nonce that nobody asked for".to_vec()));
    let (create, _) = third.creation(NOW);
    assert!(store.create_account(create).await.is_err());
    assert_erased(|| backend.nonce_bytes(), third.nonce.unwrap().as_bytes()).await;
    assert_eq!(
        store.release_nonce(caller).await.unwrap(),
        first.nonce.unwrap()
    );
}
