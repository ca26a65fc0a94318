//! The nonce store.

use trefoil_protocol::bytes::SealedNonce;

use super::Backend;
use super::fixture::{NOW, Owner, assert_erased, assert_held, login, statement};
use crate::error::StoreError;
use crate::store::MetadataStore;

/// From the commit on it is not released, and it leaves the files.
pub async fn a_nonce_ends_with_the_upgrade<B: Backend>(backend: &B) {
    let store = backend.open();
    let first = Owner::new("acme", "alice");
    let caller = first.create(&store).await;
    let nonce = first.nonce.clone().unwrap();
    assert_eq!(store.release_nonce(caller.clone()).await.unwrap(), nonce);
    assert_held(backend.nonce_bytes(), nonce.as_bytes());
    assert_erased(|| backend.record_bytes(), nonce.as_bytes()).await;

    let second = first
        .next(&["alice social", "phone", "phrase"])
        .without_nonce();
    second.commit_over(&first, &caller, &store).await.unwrap();
    assert!(matches!(
        store.release_nonce(caller.clone()).await,
        Err(StoreError::NoNonce)
    ));
    let (opened, _) = login(&store, "acme", &["alice social"], NOW).await.unwrap();
    assert_eq!(opened.sealed_nonce, None);
    assert_erased(|| backend.nonce_bytes(), nonce.as_bytes()).await;
    assert_eq!(
        store
            .export_kit(caller, statement(NOW))
            .await
            .unwrap()
            .sealed_nonce,
        None
    );
}

/// A new nonce takes the place of the old one in one commit.
pub async fn a_replaced_nonce_is_gone<B: Backend>(backend: &B) {
    let store = backend.open();
    let first = Owner::new("acme", "alice");
    let caller = first.create(&store).await;
    let mut second = first.next(&["alice social", "phone", "phrase"]);
    second.nonce = Some(SealedNonce::new(
        b"a fresh nonce, sealed for the threshold".to_vec(),
    ));
    second.commit_over(&first, &caller, &store).await.unwrap();
    assert_eq!(
        Some(store.release_nonce(caller.clone()).await.unwrap()),
        second.nonce
    );
    assert_erased(
        || backend.nonce_bytes(),
        first.nonce.as_ref().unwrap().as_bytes(),
    )
    .await;

    // There and back again: a nonce that a later record names anew is not erased by the earlier commit's leftovers.
    let third = second
        .next(&["alice social", "phone", "phrase"])
        .without_nonce();
    third.commit_over(&second, &caller, &store).await.unwrap();
    let mut fourth = third.next(&["alice social", "phone", "phrase"]);
    fourth.nonce = second.nonce.clone();
    fourth.commit_over(&third, &caller, &store).await.unwrap();
    drop(store);
    let store = backend.open();
    assert_eq!(
        Some(store.release_nonce(caller).await.unwrap()),
        second.nonce
    );
}

/// A refused commit brings no nonce in and ends none.
pub async fn only_the_named_nonce_is_released<B: Backend>(backend: &B) {
    let store = backend.open();
    let first = Owner::new("acme", "alice");
    let caller = first.create(&store).await;
    let newer = first.update("newer");
    newer.commit_over(&first, &caller, &store).await.unwrap();
    let mut stale = first.update("stale");
    stale.nonce = Some(SealedNonce::new(
        b"the nonce of a commit that came too late".to_vec(),
    ));
    assert!(matches!(
        stale.commit_over(&first, &caller, &store).await,
        Err(StoreError::Stale { revision: 2 })
    ));
    assert_eq!(
        Some(store.release_nonce(caller.clone()).await.unwrap()),
        first.nonce
    );
    assert_erased(|| backend.nonce_bytes(), stale.nonce.unwrap().as_bytes()).await;

    // A record cannot name a nonce that nobody sent.
    let mut unsent = newer.update("unsent");
    unsent.nonce = Some(SealedNonce::new(b"never sent".to_vec()));
    let mut commit = unsent.commit(&newer, &caller);
    commit.sealed_nonce = None;
    assert!(matches!(
        store.commit_record(commit).await,
        Err(StoreError::MissingNonce)
    ));
    assert_eq!(
        Some(store.release_nonce(caller).await.unwrap()),
        first.nonce
    );
}

/// All envelopes and the nonce, and a statement that is good once.
pub async fn a_kit_holds_everything<B: Backend>(backend: &B) {
    let store = backend.open();
    let first = Owner::new("acme", "alice");
    let caller = first.create(&store).await;
    let mut second = first.next(&["alice social", "phone", "phrase"]);
    second.nonce = Some(SealedNonce::new(b"sealed for the threshold".to_vec()));
    second.commit_over(&first, &caller, &store).await.unwrap();
    let once = statement(NOW);
    let kit = store.export_kit(caller.clone(), once).await.unwrap();
    assert_eq!(kit.record.payload, second.payload());
    assert_eq!(
        kit.envelopes
            .iter()
            .map(|held| held.index)
            .collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert_eq!(kit.sealed_nonce, second.nonce);
    assert!(matches!(
        store.export_kit(caller, once).await,
        Err(StoreError::ReplayedRequest)
    ));
}
