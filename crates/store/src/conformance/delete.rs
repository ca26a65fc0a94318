//! Deleting accounts.

use super::Backend;
use super::fixture::{NOW, Owner, assert_erased, login, statement};
use crate::error::StoreError;
use crate::store::MetadataStore;

/// Everything goes but the id; the user may start over with the same factor and another key.
pub async fn deletion_leaves_a_tombstone_and_frees_the_locators<B: Backend>(backend: &B) {
    let store = backend.open();
    let alice = Owner::new("acme", "alice");
    let caller = alice.create(&store).await;
    let (_, other) = login(&store, "acme", &["alice social"], NOW).await.unwrap();
    store
        .delete_account(caller.clone(), statement(NOW))
        .await
        .unwrap();

    for gone in [caller, other] {
        assert!(matches!(
            store.read_record(gone.clone()).await,
            Err(StoreError::UnknownSession)
        ));
        assert!(matches!(
            store.release_nonce(gone).await,
            Err(StoreError::UnknownSession)
        ));
    }
    assert!(matches!(
        login(&store, "acme", &["alice social"], NOW).await,
        Err(StoreError::NoAccount)
    ));
    assert_erased(
        || backend.nonce_bytes(),
        alice.nonce.as_ref().unwrap().as_bytes(),
    )
    .await;
    assert_erased(
        || backend.record_bytes(),
        &alice.payload().as_bytes()[..100],
    )
    .await;
    assert_erased(|| backend.record_bytes(), alice.envelope(1).as_bytes()).await;

    let (create, _) = alice.creation(NOW);
    assert!(matches!(
        store.create_account(create).await,
        Err(StoreError::AccountDeleted)
    ));
    let mut fresh = Owner::new("acme", "alice again");
    fresh.factors = alice.factors;
    fresh.create(&store).await;
    let (opened, _) = login(&store, "acme", &["alice social"], NOW).await.unwrap();
    assert_eq!(opened.account_id, fresh.account_id);
}

/// A client that lost the answer asks again; the session went with the account.
pub async fn a_repeated_deletion_succeeds_again<B: Backend>(backend: &B) {
    let store = backend.open();
    let alice = Owner::new("acme", "alice");
    let caller = alice.create(&store).await;
    let first = statement(NOW);
    store.delete_account(caller.clone(), first).await.unwrap();
    store
        .delete_account(caller.clone(), statement(NOW))
        .await
        .unwrap();
    assert!(matches!(
        store.delete_account(caller, first).await,
        Err(StoreError::ReplayedRequest)
    ));

    // Without a tombstone a session is needed.
    let bob = Owner::new("acme", "bob");
    bob.create(&store).await;
    let stranger = bob.caller(super::fixture::token(), NOW);
    assert!(matches!(
        store.delete_account(stranger, statement(NOW)).await,
        Err(StoreError::UnknownSession)
    ));
}
