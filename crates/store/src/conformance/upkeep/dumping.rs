//! Counting and dumping.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use super::{UpkeepBackend, World, dumped, dumped_nonces, world};
use crate::conformance::fixture::{NOW, Owner, login};
use crate::slot_store::SlotStore as _;
use crate::store::MetadataStore;
use crate::upkeep_store::{DumpEntry, DumpedAccount, StoreReader, UpkeepStore};

/// By kind, whoever asks.
pub async fn everything_is_counted<B: UpkeepBackend>(backend: &B, _: &B) {
    let store = backend.open();
    let empty = store.stats().await.unwrap();
    assert_eq!((empty.accounts, empty.nonces, empty.slots), (0, 0, 0));
    world(&store).await;
    let stats = store.stats().await.unwrap();
    assert_eq!(stats.accounts, 3);
    assert_eq!(stats.accounts_with_nonce, 2);
    assert_eq!(stats.tombstones, 1);
    assert_eq!((stats.factors, stats.removed_factors), (4, 1));
    assert_eq!(stats.nonces, 2);
    assert_eq!(stats.slots, 2);
    // Created thrice, committed twice; those of the deleted account are gone.
    assert_eq!(stats.events, 5);
    // Creating opens one each; the removal of a factor ended bob's others, and carol's went with her.
    assert_eq!(stats.sessions, 4);
    assert!(stats.request_ids >= 6, "{stats:?}");
    assert_eq!(stats.mailboxes, 0);
    assert!(stats.schema > 0);
    let beside = backend.open_reader().stats().await.unwrap();
    assert_eq!(
        (beside.accounts, beside.nonces),
        (stats.accounts, stats.nonces)
    );
}

fn accounts(entries: &[DumpEntry]) -> Vec<&DumpedAccount> {
    let mut accounts = Vec::new();
    for entry in entries {
        if let DumpEntry::Account(account) = entry {
            accounts.push(&**account);
        }
    }
    accounts
}

/// A store that a dump was loaded into answers as the first one did.
pub async fn a_dump_restores_every_answer<B: UpkeepBackend>(backend: &B, target: &B) {
    let store = backend.open();
    let World {
        alice, bob, slots, ..
    } = world(&store).await;
    let (before, _) = login(&store, "acme", &["alice social"], NOW).await.unwrap();
    let entries = dumped(&store).await;
    let nonces = dumped_nonces(&store).await;
    assert_eq!(accounts(&entries).len(), 3);
    assert!(matches!(entries.last(), Some(DumpEntry::Tombstone { .. })));
    let stats = store.stats().await.unwrap();

    let restored = target.open_to_restore();
    restored.begin_restore([1; 32]).await.unwrap();
    restored.load(entries.clone()).await.unwrap();
    assert_eq!(restored.load_nonces(nonces).await.unwrap(), 2);
    restored.finish_restore().await.unwrap();
    assert_eq!(dumped(&restored).await, entries);
    drop(restored);

    let restored = target.open();
    restored.check_ready(NOW).await.unwrap();
    let after = restored.stats().await.unwrap();
    assert_eq!(
        (
            after.accounts,
            after.factors,
            after.removed_factors,
            after.events,
            after.slots
        ),
        (
            stats.accounts,
            stats.factors,
            stats.removed_factors,
            stats.events,
            stats.slots
        )
    );
    assert_eq!((after.sessions, after.request_ids), (0, 0));
    let (opened, caller) = login(&restored, "acme", &["alice social"], NOW)
        .await
        .unwrap();
    assert_eq!(opened.record, before.record);
    assert_eq!(opened.envelopes, before.envelopes);
    assert_eq!(opened.sealed_nonce, alice.nonce);
    assert_eq!(opened.logins, before.logins + 1);
    let read = restored.read_events(caller.clone()).await.unwrap();
    let first = login(&store, "acme", &["alice social"], NOW)
        .await
        .unwrap()
        .1;
    assert_eq!(read.events, store.read_events(first).await.unwrap().events);
    let listed = restored.list_slots(caller.clone()).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].slot, slots["of alice"].id);
    for slot in slots.values() {
        assert_eq!(
            restored.load_slot(slot.id).await.unwrap(),
            store.load_slot(slot.id).await.unwrap()
        );
    }
    // What is refused for ever stays refused.
    for (name, error) in [("bob phone", "removed"), ("carol social", "no account")] {
        let refused = login(&restored, "acme", &[name], NOW).await.unwrap_err();
        assert!(refused.to_string().contains(error), "{refused}");
    }
    assert!(slots["ended"].enrol(&restored, &caller).await.is_err());
    let carol = Owner::new("acme", "carol").creation(NOW).0;
    assert!(restored.create_account(carol).await.is_err());
    // And work goes on from there.
    let (opened, caller) = login(&restored, "acme", &["bob social"], NOW)
        .await
        .unwrap();
    assert_eq!(opened.record.payload, bob.payload());
    bob.update("after the restore")
        .commit_over(&bob, &caller, &restored)
        .await
        .unwrap();
}

/// No account is caught between two commits, and none that came later hides one that was there.
pub async fn a_dump_is_one_snapshot<B: UpkeepBackend>(backend: &B, _: &B) {
    let store = Arc::new(backend.open());
    let mut pair = [Owner::new("acme", "one"), Owner::new("acme", "two")];
    pair.sort_by_key(|owner| owner.account_id);
    let mut callers = Vec::new();
    for owner in &pair {
        callers.push(owner.create(&*store).await);
    }
    for number in 0..60 {
        Owner::new("acme", &format!("between {number}"))
            .create(&*store)
            .await;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        let [mut early, mut late] = pair.clone();
        tokio::spawn(async move {
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                number += 1;
                for (owner, caller) in [&mut early, &mut late].into_iter().zip(&callers) {
                    let next = owner.update(&format!("commit {number}"));
                    next.commit_over(owner, caller, &*store).await.unwrap();
                    *owner = next;
                }
            }
            number
        })
    };
    let mut seen = Vec::new();
    for _ in 0..20 {
        let entries = dumped(&*store).await;
        let found = accounts(&entries);
        assert_eq!(found.len(), 62);
        let revision = |owner: &Owner| {
            let account = found
                .iter()
                .find(|account| account.account_id == owner.account_id)
                .unwrap();
            assert_eq!(
                account.events.len() as u64,
                account.revision,
                "record and events belong together"
            );
            account.revision
        };
        let (early, late) = (revision(&pair[0]), revision(&pair[1]));
        // The early one is always committed first: at one moment it is ahead by one at most, and never behind.
        assert!(early == late || early == late + 1, "{early} and {late}");
        seen.push(early);
    }
    stop.store(true, Ordering::Relaxed);
    assert!(writer.await.unwrap() > 0);
    assert!(
        seen.first() < seen.last(),
        "commits went on meanwhile: {seen:?}"
    );
}

/// It does not wait for ever.
pub async fn a_dump_that_nobody_listens_to_ends<B: UpkeepBackend>(backend: &B, _: &B) {
    let store = backend.open();
    world(&store).await;
    let (sender, mut receiver) = mpsc::channel(1);
    let first = async {
        receiver.recv().await.unwrap();
        drop(receiver);
    };
    let (done, ()) = tokio::join!(store.dump(sender), first);
    done.unwrap();
    let (sender, receiver) = mpsc::channel(1);
    drop(receiver);
    store.dump_nonces(sender).await.unwrap();
}
