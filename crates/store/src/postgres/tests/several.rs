//! Several processes' stores on one database.

use std::sync::Arc;

use super::{Fresh, cluster};
use crate::conformance::Backend;
use crate::conformance::fixture::{NOW, Owner, login, statement};
use crate::error::StoreError;
use crate::store::MetadataStore;

/// Sessions and request ids of one are known to the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_accepts_the_other_knows() {
    let cluster = cluster();
    let fresh = Fresh::new(&cluster);
    let (one, other) = (fresh.open(), fresh.open());
    let alice = Owner::new("acme", "alice");
    let caller = alice.create(&one).await;
    assert_eq!(
        other
            .read_record(caller.clone())
            .await
            .unwrap()
            .record
            .payload,
        alice.payload()
    );
    let used = statement(NOW);
    one.export_kit(caller.clone(), used).await.unwrap();
    let error = other.export_kit(caller.clone(), used).await.unwrap_err();
    assert!(matches!(error, StoreError::ReplayedRequest), "{error}");
    let next = alice.update("second");
    next.commit_over(&alice, &caller, &other).await.unwrap();
    let late = alice.update("another second");
    let error = late.commit_over(&alice, &caller, &one).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Stale { revision: 2 }),
        "{error}"
    );
}

/// Each revision has one winner, whichever process it came through.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_committers_wins_each_revision() {
    const WRITERS: usize = 6;
    const REVISIONS: u64 = 15;

    let cluster = cluster();
    let fresh = Fresh::new(&cluster);
    let stores = [Arc::new(fresh.open()), Arc::new(fresh.open())];
    let alice = Owner::new("acme", "alice");
    alice.create(&*stores[0]).await;
    let writers = (0..WRITERS).map(|writer| {
        let (store, first) = (Arc::clone(&stores[writer % 2]), alice.clone());
        tokio::spawn(async move {
            let (_, caller) = login(&*store, "acme", &["alice social"], NOW)
                .await
                .unwrap();
            let mut won = Vec::new();
            loop {
                let current = store.read_record(caller.clone()).await.unwrap().record;
                if current.revision > REVISIONS {
                    return won;
                }
                let mut next = first.update(&format!("by {writer}"));
                next.revision = current.revision + 1;
                let mut commit = next.commit(&first, &caller);
                commit.base = current.hash;
                match store.commit_record(commit).await {
                    Ok(committed) => won.push(committed.revision),
                    Err(StoreError::Stale { .. } | StoreError::Busy) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        })
    });
    let mut won = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        won.extend(writer.await.unwrap());
    }
    won.sort_unstable();
    let all: Vec<u64> = (2..=REVISIONS + 1).collect();
    assert_eq!(won, all, "every revision once");
}
