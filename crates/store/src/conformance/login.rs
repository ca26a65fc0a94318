//! Logging in.

use trefoil_protocol::statement::WINDOW;

use super::Backend;
use super::fixture::{NOW, Owner, SESSION, locator, login, statement, tenant, token};
use crate::error::StoreError;
use crate::model::{NewSession, OpenSession};
use crate::store::MetadataStore;

/// The creation is the first.
pub async fn logins_are_counted<B: Backend>(backend: &B) {
    let store = backend.open();
    let alice = Owner::new("acme", "alice");
    alice.create(&store).await;
    for expected in 2..6 {
        let (opened, _) = login(&store, "acme", &["alice social"], NOW).await.unwrap();
        assert_eq!(opened.logins, expected);
        assert_eq!(opened.record.hash, alice.hash());
        assert_eq!(opened.sealed_nonce, alice.nonce);
    }
}

/// Each case has an answer of its own and a refused login counts nothing.
pub async fn unknown_removed_and_mixed_factors_are_told_apart<B: Backend>(backend: &B) {
    let store = backend.open();
    let first = Owner::new("acme", "alice");
    let caller = first.create(&store).await;
    let second = first
        .next(&["alice social", "phone", "phrase"])
        .without_nonce();
    second.commit_over(&first, &caller, &store).await.unwrap();
    let third = second.next(&["alice social", "phrase"]);
    third.commit_over(&second, &caller, &store).await.unwrap();
    Owner::new("acme", "bob").create(&store).await;

    assert!(matches!(
        login(&store, "acme", &["x", "y"], NOW).await,
        Err(StoreError::NoAccount)
    ));
    assert!(matches!(
        login(&store, "acme", &["x", "phone"], NOW).await,
        Err(StoreError::FactorRemoved)
    ));
    let mixed = login(&store, "acme", &["phrase", "bob social"], NOW).await;
    assert!(matches!(mixed, Err(StoreError::SeveralAccounts)));

    let (opened, caller) = login(&store, "acme", &["x", "phone", "phrase", "phrase"], NOW)
        .await
        .unwrap();
    assert_eq!(opened.logins, 2);
    assert_eq!(opened.unknown, [locator("x")]);
    assert_eq!(opened.removed, [locator("phone")]);
    assert_eq!(opened.envelopes.len(), 1);
    assert_eq!(
        store.read_record(caller).await.unwrap().session.proven,
        [locator("phrase")]
    );
}

fn open(statements: Vec<crate::model::StatementUse>, now: u64) -> OpenSession {
    OpenSession {
        tenant: tenant("acme"),
        proven: vec![locator("alice social")],
        statements,
        session: NewSession {
            token: token(),
            level: trefoil_protocol::policy::Level::Primary,
            expires: now + SESSION,
        },
        now,
    }
}

/// Twice in one login, in two logins, or after a restart.
pub async fn a_request_id_is_good_once<B: Backend>(backend: &B) {
    let store = backend.open();
    Owner::new("acme", "alice").create(&store).await;
    let once = statement(NOW);
    let twice = store.open_session(open(vec![once, once], NOW)).await;
    assert!(matches!(twice, Err(StoreError::ReplayedRequest)));
    // The refused login has not used it up.
    assert_eq!(
        store
            .open_session(open(vec![once], NOW))
            .await
            .unwrap()
            .logins,
        2
    );
    assert!(matches!(
        store.open_session(open(vec![once], NOW)).await,
        Err(StoreError::ReplayedRequest)
    ));
    drop(store);
    let store = backend.open();
    assert!(matches!(
        store.open_session(open(vec![once], NOW)).await,
        Err(StoreError::ReplayedRequest)
    ));
    let fresh = statement(NOW);
    assert!(
        store
            .open_session(open(vec![fresh, once], NOW))
            .await
            .is_err()
    );
    assert_eq!(
        store
            .open_session(open(vec![fresh], NOW))
            .await
            .unwrap()
            .logins,
        3
    );
}

/// Up to the last second at which the statement itself is still good, whatever else happens meanwhile.
pub async fn request_ids_are_remembered_for_their_window<B: Backend>(backend: &B) {
    let store = backend.open();
    Owner::new("acme", "alice").create(&store).await;
    let mut ahead = statement(NOW);
    // Made by a client whose clock is ahead.
    ahead.remember_until = NOW + 2 * WINDOW;
    store.open_session(open(vec![ahead], NOW)).await.unwrap();
    for second in [1, WINDOW, 2 * WINDOW] {
        for _ in 0..3 {
            store
                .open_session(open(vec![statement(NOW + second)], NOW + second))
                .await
                .unwrap();
        }
        let replayed = store.open_session(open(vec![ahead], NOW + second)).await;
        assert!(matches!(replayed, Err(StoreError::ReplayedRequest)));
    }
}

/// A session sees the envelopes of the factors that it proved, no others.
pub async fn only_proven_envelopes_are_given<B: Backend>(backend: &B) {
    let store = backend.open();
    let first = Owner::new("acme", "alice");
    let caller = first.create(&store).await;
    let second = first
        .next(&["alice social", "phone", "phrase"])
        .without_nonce();
    second.commit_over(&first, &caller, &store).await.unwrap();
    let cases: [(&[&str], &[u32]); 4] = [
        (&["phone"], &[2]),
        (&["phrase"], &[3]),
        (&["phrase", "alice social"], &[1, 3]),
        (&["alice social"], &[1]),
    ];
    for (factors, indexes) in cases {
        let (opened, caller) = login(&store, "acme", factors, NOW).await.unwrap();
        let read = store.read_record(caller).await.unwrap();
        for held in [opened.envelopes, read.envelopes] {
            assert_eq!(
                held.iter().map(|held| held.index).collect::<Vec<_>>(),
                indexes
            );
            assert!(
                held.iter()
                    .all(|held| held.envelope == second.envelope(held.index))
            );
        }
    }
}
