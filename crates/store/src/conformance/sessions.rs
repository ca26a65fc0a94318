//! Sessions.

use super::Backend;
use super::fixture::{NOW, Owner, SESSION, locator, login, statement, tenant, token};
use crate::error::StoreError;
use crate::model::Caller;
use crate::store::MetadataStore;

/// The refusal of every operation that needs a session.
async fn refusals(store: &impl MetadataStore, caller: &Caller, owner: &Owner) -> Vec<StoreError> {
    let commit = owner.update("by a stranger").commit(owner, caller);
    vec![
        store.read_record(caller.clone()).await.unwrap_err(),
        store.read_events(caller.clone()).await.unwrap_err(),
        store.release_nonce(caller.clone()).await.unwrap_err(),
        store
            .export_kit(caller.clone(), statement(caller.now))
            .await
            .unwrap_err(),
        store
            .delete_account(caller.clone(), statement(caller.now))
            .await
            .unwrap_err(),
        store.commit_record(commit).await.unwrap_err(),
    ]
}

/// A session is good for one account of one tenant until it ends.
pub async fn sessions_know_tenant_account_and_end<B: Backend>(backend: &B) {
    let store = backend.open();
    let (alice, bob) = (Owner::new("acme", "alice"), Owner::new("acme", "bob"));
    let caller = alice.create(&store).await;
    bob.create(&store).await;

    let nobody = alice.caller(token(), NOW);
    for error in refusals(&store, &nobody, &alice).await {
        assert!(matches!(error, StoreError::UnknownSession), "{error}");
    }
    let of_bob = Caller {
        account_id: bob.account_id,
        ..caller.clone()
    };
    for error in refusals(&store, &of_bob, &bob).await {
        assert!(matches!(error, StoreError::ForeignSession), "{error}");
    }
    let elsewhere = Caller {
        tenant: tenant("other"),
        ..caller.clone()
    };
    for error in refusals(&store, &elsewhere, &alice).await {
        assert!(matches!(error, StoreError::UnknownSession), "{error}");
    }
    let late = Caller {
        now: NOW + SESSION + 1,
        ..caller.clone()
    };
    for error in refusals(&store, &late, &alice).await {
        assert!(matches!(error, StoreError::ExpiredSession), "{error}");
    }
    // Long afterwards it is cleared away.
    let much_later = NOW + 100 * SESSION;
    login(&store, "acme", &["alice social"], much_later)
        .await
        .unwrap();
    let forgotten = Caller {
        now: much_later,
        ..caller
    };
    for error in refusals(&store, &forgotten, &alice).await {
        assert!(matches!(error, StoreError::UnknownSession), "{error}");
    }
}

/// What a stolen factor has opened ends with its removal; the session that removed it goes on without it.
pub async fn a_removed_factor_ends_the_other_sessions<B: Backend>(backend: &B) {
    let store = backend.open();
    let first = Owner::new("acme", "alice");
    let caller = first.create(&store).await;
    let second = first
        .next(&["alice social", "phone", "phrase"])
        .without_nonce();
    second.commit_over(&first, &caller, &store).await.unwrap();

    let (_, owner) = login(&store, "acme", &["alice social", "phone"], NOW)
        .await
        .unwrap();
    let (_, thief) = login(&store, "acme", &["phone"], NOW).await.unwrap();
    assert_eq!(
        store
            .read_record(thief.clone())
            .await
            .unwrap()
            .envelopes
            .len(),
        1
    );
    let third = second.next(&["alice social", "phrase"]);
    third.commit_over(&second, &owner, &store).await.unwrap();
    for error in refusals(&store, &thief, &third).await {
        assert!(matches!(error, StoreError::UnknownSession), "{error}");
    }
    let read = store.read_record(owner.clone()).await.unwrap();
    assert_eq!(read.session.proven, [locator("alice social")]);
    assert_eq!(read.envelopes.len(), 1);

    // A commit that removes nothing ends nothing.
    let (_, other) = login(&store, "acme", &["phrase"], NOW).await.unwrap();
    third
        .update("fourth")
        .commit_over(&third, &owner, &store)
        .await
        .unwrap();
    assert_eq!(store.read_record(other).await.unwrap().record.revision, 4);

    // Enrolled again under the same locator, the factor is not proven by the session that lost it.
    let fourth = third.update("fourth");
    let fifth = fourth.next(&["alice social", "phrase", "phone"]);
    fifth.commit_over(&fourth, &owner, &store).await.unwrap();
    assert_eq!(store.read_record(owner).await.unwrap().envelopes.len(), 1);
}
