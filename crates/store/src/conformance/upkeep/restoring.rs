//! Loading a dump into another store.

use super::{UpkeepBackend, World, dumped, dumped_nonces, world};
use crate::conformance::fixture::{NOW, Owner, login};
use crate::error::StoreError;
use crate::store::MetadataStore;
use crate::upkeep_store::{DumpEntry, DumpedNonce, StoreReader, UpkeepStore};

fn account_of(entries: &[DumpEntry], owner: &Owner) -> DumpEntry {
    let is_it = |entry: &&DumpEntry| matches!(entry, DumpEntry::Account(account) if account.account_id == owner.account_id);
    entries.iter().find(is_it).unwrap().clone()
}

/// One entry that does not fit keeps out all of its call; the same entries again change nothing.
pub async fn a_load_is_whole_and_repeatable<B: UpkeepBackend>(backend: &B, target: &B) {
    let store = backend.open();
    let World { alice, .. } = world(&store).await;
    let entries = dumped(&store).await;
    let restored = target.open_to_restore();
    let mut other = account_of(&entries, &alice);
    if let DumpEntry::Account(account) = &mut other {
        account.logins += 1;
    }
    let mut bad = entries.clone();
    bad.push(other);
    let error = restored.load(bad).await.unwrap_err();
    assert!(matches!(error, StoreError::AccountExists), "{error}");
    assert!(dumped(&restored).await.is_empty());

    for part in entries.chunks(2) {
        restored.load(part.to_vec()).await.unwrap();
    }
    restored.load(entries.clone()).await.unwrap();
    assert_eq!(dumped(&restored).await, entries);
}

/// Another record, another owner of a factor, another slot, a deleted account: each is told apart, and nothing changes.
pub async fn a_load_refuses_what_is_there<B: UpkeepBackend>(backend: &B, target: &B) {
    let store = backend.open();
    let World {
        alice,
        alice_caller,
        slots,
        ..
    } = world(&store).await;
    let entries = dumped(&store).await;
    let newer = alice.update("newer");
    newer
        .commit_over(&alice, &alice_caller, &store)
        .await
        .unwrap();
    let after = dumped(&store).await;
    let error = store
        .load(vec![account_of(&entries, &alice)])
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::AccountExists), "{error}");

    // An account of the first store that the second has deleted, and the other way round.
    let buried = target.open_to_restore();
    buried
        .load(vec![entries.last().unwrap().clone()])
        .await
        .unwrap();
    let carol = Owner::new("acme", "carol");
    let mut dug_up = account_of(&entries, &alice);
    if let DumpEntry::Account(account) = &mut dug_up {
        account.account_id = carol.account_id;
    }
    let error = buried.load(vec![dug_up.clone()]).await.unwrap_err();
    assert!(matches!(error, StoreError::AccountDeleted), "{error}");
    let DumpEntry::Account(living) = account_of(&entries, &alice) else {
        unreachable!()
    };
    let death = DumpEntry::Tombstone {
        tenant: living.tenant.clone(),
        account_id: living.account_id,
        deleted_at: NOW,
        slots: Vec::new(),
    };
    let error = store.load(vec![death]).await.unwrap_err();
    assert!(matches!(error, StoreError::AccountExists), "{error}");

    // A factor that another account has.
    let mut taken = living.clone();
    taken.account_id = Owner::new("acme", "mallory").account_id;
    taken.slots.clear();
    let error = store
        .load(vec![DumpEntry::Account(taken.clone())])
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::LocatorTaken), "{error}");
    // A slot that another account has.
    taken.factors.clear();
    taken.slots = living.slots.clone();
    assert!(
        taken
            .slots
            .iter()
            .any(|slot| slot.slot_id == slots["of alice"].id)
    );
    let error = store
        .load(vec![DumpEntry::Account(taken)])
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::SlotChanged), "{error}");
    assert_eq!(dumped(&store).await, after);
}

/// A nonce that no current record names stays out.
pub async fn only_named_nonces_are_loaded<B: UpkeepBackend>(backend: &B, target: &B) {
    let store = backend.open();
    let World { alice, bob, .. } = world(&store).await;
    let restored = target.open_to_restore();
    restored.load(dumped(&store).await).await.unwrap();
    let nonce = |owner: &Owner, text: &str| DumpedNonce {
        tenant: owner.tenant.clone(),
        account_id: owner.account_id,
        sealed: trefoil_protocol::bytes::SealedNonce::new(text.as_bytes().to_vec()),
    };
    let of_alice = DumpedNonce {
        sealed: alice.nonce.clone().unwrap(),
        ..nonce(&alice, "")
    };
    let strangers = vec![
        nonce(&alice, "an earlier nonce of alice"),
        nonce(&bob, "the nonce of bob before his upgrade"),
        nonce(&Owner::new("acme", "nobody"), "of nobody"),
        DumpedNonce {
            tenant: Owner::new("third", "x").tenant,
            ..of_alice.clone()
        },
        DumpedNonce {
            account_id: bob.account_id,
            ..of_alice.clone()
        },
    ];
    assert_eq!(restored.load_nonces(strangers.clone()).await.unwrap(), 0);
    assert!(dumped_nonces(&restored).await.is_empty());
    let mut all = strangers;
    all.push(of_alice.clone());
    assert_eq!(restored.load_nonces(all.clone()).await.unwrap(), 1);
    assert_eq!(restored.load_nonces(all).await.unwrap(), 0);
    assert_eq!(dumped_nonces(&restored).await, [of_alice]);
}

/// In the order of the questions.
pub async fn nonces_that_are_held_are_told<B: UpkeepBackend>(backend: &B, _: &B) {
    let store = backend.open();
    let World { alice, bob, .. } = world(&store).await;
    let hash = alice.nonce.clone().unwrap().hash();
    let ask = |owner: &Owner, hash| (owner.tenant.clone(), owner.account_id, hash);
    let other = bob_nonce().hash();
    let asked = vec![
        ask(&bob, other),
        ask(&alice, hash),
        ask(&alice, other),
        ask(&bob, hash),
        ask(&Owner::new("third", "alice"), hash),
    ];
    let expected = [false, true, false, false, false];
    assert_eq!(store.hold_nonces(asked.clone()).await.unwrap(), expected);
    let reader = backend.open_reader();
    assert_eq!(reader.hold_nonces(asked).await.unwrap(), expected);
}

fn bob_nonce() -> trefoil_protocol::bytes::SealedNonce {
    Owner::new("acme", "bob").nonce.unwrap()
}

/// Neither ready nor pruned, until it is finished.
pub async fn a_store_that_is_being_restored_serves_nobody<B: UpkeepBackend>(
    backend: &B,
    target: &B,
) {
    let store = backend.open();
    world(&store).await;
    let entries = dumped(&store).await;
    let nonces = dumped_nonces(&store).await;
    let restored = target.open_to_restore();
    restored.begin_restore([1; 32]).await.unwrap();
    restored.load(entries[..1].to_vec()).await.unwrap();
    restored.load_nonces(nonces.clone()).await.unwrap();
    for refused in [
        restored.check_ready(NOW).await,
        restored.prune(NOW).await.map(drop),
    ] {
        let error = refused.unwrap_err();
        assert!(
            matches!(error, StoreError::Restoring) && error.is_fault(),
            "{error}"
        );
    }
    drop(restored);
    let error = target.try_serving().await.unwrap_err();
    assert!(matches!(error, StoreError::Restoring), "{error}");

    // Cut off here; the next run goes on.
    let restored = target.open_to_restore();
    restored.begin_restore([1; 32]).await.unwrap();
    restored.load(entries.clone()).await.unwrap();
    restored.load_nonces(nonces).await.unwrap();
    restored.finish_restore().await.unwrap();
    restored.finish_restore().await.unwrap();
    drop(restored);
    target.try_serving().await.unwrap();
    assert_eq!(dumped(&target.open()).await, entries);
}

/// And goes on with its own backup only.
pub async fn a_restore_needs_an_empty_store<B: UpkeepBackend>(backend: &B, target: &B) {
    let store = backend.open();
    world(&store).await;
    let error = store.begin_restore([1; 32]).await.unwrap_err();
    assert!(matches!(error, StoreError::NotEmpty), "{error}");
    store.check_ready(NOW).await.unwrap();

    let restored = target.open_to_restore();
    restored.begin_restore([1; 32]).await.unwrap();
    restored.begin_restore([1; 32]).await.unwrap();
    let error = restored.begin_restore([2; 32]).await.unwrap_err();
    assert!(matches!(error, StoreError::OtherRestore), "{error}");
}

/// Records are lost and restored from an older backup; the nonce store was kept.
pub async fn live_nonces_outlive_their_records<B: UpkeepBackend>(backend: &B, _: &B) {
    let store = backend.open();
    let alice = Owner::new("acme", "alice");
    alice.create(&store).await;
    let entries = dumped(&store).await;
    let late = Owner::new("acme", "late");
    late.create(&store).await;
    drop(store);
    backend.lose_records();
    let error = backend.try_serving().await.unwrap_err();
    assert!(matches!(error, StoreError::RecordsMissing), "{error}");

    let restored = backend.open_to_restore();
    restored.begin_restore([1; 32]).await.unwrap();
    drop(restored);
    let restored = backend.open_to_restore();
    restored.load(entries).await.unwrap();
    restored.finish_restore().await.unwrap();
    drop(restored);
    let store = backend.open();
    let (opened, _) = login(&store, "acme", &["alice social"], NOW).await.unwrap();
    assert_eq!(opened.sealed_nonce, alice.nonce);
    // The other one waits for whoever looks after it, and goes when the operator says so.
    assert_eq!(dumped_nonces(&store).await.len(), 2);
    assert_eq!(store.prune(NOW).await.unwrap().nonces, 1);
    assert_eq!(dumped_nonces(&store).await.len(), 1);
}
