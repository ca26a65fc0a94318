//! Naming and erasing a nonce at once, and what a process leaves behind that dies in between.

use std::sync::Arc;
use std::time::Duration;

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

/// Somebody is about to say that a queued nonce is named after all, while the commit that ends it queues it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_that_is_queued_while_another_ends_is_not_lost() {
    let cluster = cluster();
    let fresh = Fresh::new(&cluster);
    let store = fresh.open();
    let alice = Owner::new("acme", "alice");
    let caller = alice.create(&store).await;
    let key = key(&alice);
    let (tenant, account, hash) = (
        key.tenant.as_str(),
        key.account_id.as_bytes().as_slice(),
        key.hash.as_bytes().as_slice(),
    );
    let eraser = store.databases.records.get().await.unwrap();
    let queue = "INSERT INTO nonce_erasures (tenant, account_id, nonce_hash) VALUES ($1, $2, $3)";
    eraser
        .execute(queue, &[&tenant, &account, &hash])
        .await
        .unwrap();
    eraser
        .batch_execute("BEGIN; SELECT 1 FROM nonce_erasures FOR UPDATE")
        .await
        .unwrap();

    let upgraded = alice
        .next(&["alice social", "phone", "phrase"])
        .without_nonce();
    let commit = upgraded.commit(&alice, &caller);
    let committing = {
        let store = store.clone();
        tokio::spawn(async move { store.commit_record(commit).await })
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!committing.is_finished(), "it waits for the eraser");
    eraser
        .batch_execute("DELETE FROM nonce_erasures; COMMIT")
        .await
        .unwrap();
    committing.await.unwrap().unwrap();
    assert_eq!(fresh.nonces("SELECT count(*) FROM nonces"), "0");
}

/// An eraser lost its lock with its connection, did not notice, and erases after the nonce was written anew and named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_eraser_that_comes_too_late_hits_nothing() {
    let cluster = cluster();
    let fresh = Fresh::new(&cluster);
    let store = fresh.open();
    let alice = Owner::new("acme", "alice");
    let (key, sealed) = (key(&alice), alice.nonce.clone().unwrap());
    nonces::write(&store.databases, &key, &sealed, NOW)
        .await
        .unwrap();
    let late = nonces::generation(&store.databases, &key)
        .await
        .unwrap()
        .unwrap();
    assert!(nonces::take_back(&store.databases, &key).await);
    let caller = alice.create(&store).await;
    nonces::erase_generation(&store.databases, &key, &late)
        .await
        .unwrap();
    assert_eq!(store.release_nonce(caller).await.ok(), Some(sealed));
}
