//! Stopping and starting.

use std::sync::Arc;

use super::Backend;
use super::fixture::{NOW, Owner, login};
use crate::store::MetadataStore;

const ACCOUNTS: usize = 20;

/// Everything that was answered with `Ok` is there after the store was dropped in the middle of work.
pub async fn nothing_acknowledged_is_lost_by_reopening<B: Backend>(backend: &B) {
    let store = Arc::new(backend.open());
    let tasks = (0..ACCOUNTS).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut owner = Owner::new("acme", &format!("account {number}"));
            let caller = owner.create(&*store).await;
            for variant in ["a", "b", "c"] {
                let next = owner.update(variant);
                next.commit_over(&owner, &caller, &*store).await.unwrap();
                owner = next;
            }
            (owner, caller)
        })
    });
    let mut owners = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        owners.push(task.await.unwrap());
    }
    // Work whose answer nobody waits for.
    for number in 0..ACCOUNTS {
        let (create, _) = Owner::new("acme", &format!("unheard {number}")).creation(NOW);
        drop(store.create_account(create));
    }
    drop(store);

    let store = backend.open();
    for (owner, caller) in owners {
        let read = store.read_record(caller.clone()).await.unwrap();
        assert_eq!(read.record.payload, owner.payload());
        assert_eq!(
            Some(store.release_nonce(caller).await.unwrap()),
            owner.nonce
        );
    }
    for number in 0..ACCOUNTS {
        // Either way, but whole.
        if let Ok((opened, _)) =
            login(&store, "acme", &[&format!("unheard {number} social")], NOW).await
        {
            assert!(opened.sealed_nonce.is_some());
            assert_eq!(opened.envelopes.len(), 1);
        }
    }
}
