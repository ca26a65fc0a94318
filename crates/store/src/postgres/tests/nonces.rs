//! Naming and erasing a nonce at once, and what a process leaves behind that dies in between.

use std::sync::Arc;

use super::super::nonces;
use super::{Fresh, cluster};
use crate::conformance::Backend;
use crate::conformance::fixture::{NOW, Owner, login};
use crate::error::StoreError;
use crate::store::MetadataStore;
use crate::values::NonceKey;

fn key(owner: &Owner) -> NonceKey {
    NonceKey {
        tenant: owner.tenant.clone(),
        account_id: owner.account_id,
        hash: owner.nonce.as_ref().unwrap().hash(),
    }
}

/// Somebody who takes the nonce for an orphan tries to erase it all the while the account that names it is created.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_nonce_that_a_record_names_is_never_erased() {
    let cluster = cluster();
    let fresh = Fresh::new(&cluster);
    let (store, eraser) = (fresh.open(), fresh.open());
    for round in 0..40 {
        let owner = Owner::new("acme", &format!("account {round}"));
        let key = key(&owner);
        let erasing = {
            let databases = Arc::clone(&eraser.databases);
            tokio::spawn(async move {
                for _ in 0..3 {
                    nonces::take_back(&databases, &key).await;
                }
            })
        };
        let (create, token) = owner.creation(NOW);
        let created = store.create_account(create).await;
        erasing.await.unwrap();
        match created {
            Ok(_) => {
                let released = store.release_nonce(owner.caller(token, NOW)).await;
                assert_eq!(released.ok(), owner.nonce, "round {round}");
            }
            // Too much in each other's way; then there is no account either.
            Err(StoreError::Busy) => {
                let name = format!("account {round} social");
                let error = login(&store, "acme", &[&name], NOW).await.unwrap_err();
                assert!(matches!(error, StoreError::NoAccount), "{error}");
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// A process died after it wrote the nonce and before it committed the record.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orphan_is_erased_once_it_is_old() {
    let cluster = cluster();
    let fresh = Fresh::new(&cluster);
    let store = fresh.open();
    let (alice, ghost) = (Owner::new("acme", "alice"), Owner::new("acme", "ghost"));
    alice.create(&store).await;
    nonces::write(
        &store.databases,
        &key(&ghost),
        ghost.nonce.as_ref().unwrap(),
        NOW,
    )
    .await
    .unwrap();
    // The same one step later: the record is committed, its nonce was not marked.
    fresh.nonces("UPDATE nonces SET settled = false");
    let held = || fresh.nonces("SELECT count(*) FROM nonces");
    nonces::sweep(&store.databases, NOW + 1).await.unwrap();
    assert_eq!(held(), "2", "it may belong to an operation under way");
    nonces::sweep(&store.databases, NOW + 1000).await.unwrap();
    assert_eq!(held(), "1");
    assert_eq!(fresh.nonces("SELECT bool_and(settled) FROM nonces"), "t");
    let (opened, _) = login(&store, "acme", &["alice social"], NOW).await.unwrap();
    assert_eq!(opened.sealed_nonce, alice.nonce);
}

/// A process died after the commit that ended the nonce and before the erasure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queued_erasure_is_finished_by_whoever_comes() {
    let cluster = cluster();
    let fresh = Fresh::new(&cluster);
    let store = fresh.open();
    let alice = Owner::new("acme", "alice");
    alice.create(&store).await;
    let ended = key(&alice);
    fresh.records("UPDATE records SET nonce_hash = NULL");
    let hex: String = ended
        .hash
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let queue = format!(
        "INSERT INTO nonce_erasures SELECT tenant, account_id, '\\x{hex}'::bytea FROM records"
    );
    fresh.records(&queue);
    nonces::sweep(&store.databases, NOW).await.unwrap();
    assert_eq!(fresh.nonces("SELECT count(*) FROM nonces"), "0");
    assert_eq!(fresh.records("SELECT count(*) FROM nonce_erasures"), "0");
}
