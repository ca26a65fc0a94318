//! Isolation of tenants.

use super::Backend;
use super::fixture::{NOW, Owner, login, statement};
use crate::error::StoreError;
use crate::store::MetadataStore;

/// The same ids, locators, nonces and request ids in two tenants have nothing to do with each other.
pub async fn tenants_never_meet<B: Backend>(backend: &B) {
    let store = backend.open();
    let here = Owner::new("acme", "alice");
    let mut there = Owner::new("other", "alice");
    there.variant = "there".to_owned();
    let (create, token) = here.creation(NOW);
    let mut elsewhere = there.creation(NOW).0;
    elsewhere.statement = create.statement;
    elsewhere.session = create.session;
    store.create_account(create).await.unwrap();
    assert!(matches!(
        login(&store, "other", &["alice social"], NOW).await,
        Err(StoreError::NoAccount)
    ));
    store.create_account(elsewhere).await.unwrap();
    let (in_acme, in_other) = (here.caller(token, NOW), there.caller(token, NOW));

    assert_eq!(
        store
            .read_record(in_acme.clone())
            .await
            .unwrap()
            .record
            .hash,
        here.hash()
    );
    assert_eq!(
        store
            .read_record(in_other.clone())
            .await
            .unwrap()
            .record
            .hash,
        there.hash()
    );

    let upgraded = here
        .next(&["alice social", "phone", "phrase"])
        .without_nonce();
    upgraded.commit_over(&here, &in_acme, &store).await.unwrap();
    assert_eq!(
        Some(store.release_nonce(in_other.clone()).await.unwrap()),
        there.nonce
    );
    assert!(matches!(
        login(&store, "other", &["phone"], NOW).await,
        Err(StoreError::NoAccount)
    ));

    store.delete_account(in_acme, statement(NOW)).await.unwrap();
    assert_eq!(
        store
            .read_record(in_other.clone())
            .await
            .unwrap()
            .record
            .hash,
        there.hash()
    );
    assert_eq!(store.read_events(in_other).await.unwrap().events.len(), 2);
}
