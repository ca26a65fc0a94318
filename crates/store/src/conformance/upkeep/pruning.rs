//! Clearing away.

use trefoil_protocol::bytes::{Blob, MailboxId};

use super::{UpkeepBackend, World, dumped, world};
use crate::conformance::fixture::{NOW, login, login_until};
use crate::mailbox_store::{MailboxStore as _, NewMailbox};
use crate::model::Caller;
use crate::store::MetadataStore;
use crate::upkeep_store::{Pruned, StoreReader, UpkeepStore};

/// A week later.
const LATER: u64 = NOW + 7 * 24 * 3600;

/// What is over goes, what is not stays, and no account changes.
pub async fn pruning_takes_only_what_is_over<B: UpkeepBackend>(backend: &B, _: &B) {
    let store = backend.open();
    let World {
        alice,
        alice_caller,
        ..
    } = world(&store).await;
    let mailbox = |caller: &Caller, number: u8, expires| NewMailbox {
        caller: caller.clone(),
        id: MailboxId::from_bytes([number; 16]),
        message: Blob::new(b"a message between devices".to_vec()),
        expires,
    };
    let old = mailbox(&alice_caller, 1, NOW + 60);
    store.create_mailbox(old).await.unwrap();
    let before = dumped(&store).await;
    let full = store.stats().await.unwrap();
    assert_eq!(store.prune(NOW).await.unwrap(), Pruned::default());
    assert_eq!(store.stats().await.unwrap().sessions, full.sessions);
    store.read_record(alice_caller.clone()).await.unwrap();

    // Opened now, good until then: no operation at a later time has a store clear away by itself what the pruning has to.
    let (_, fresh) = login_until(&store, "acme", &["bob social"], NOW, LATER)
        .await
        .unwrap();
    store
        .create_mailbox(mailbox(&fresh, 2, LATER + 60))
        .await
        .unwrap();
    let pruned = store.prune(LATER).await.unwrap();
    assert_eq!(pruned.sessions, full.sessions);
    assert_eq!(pruned.nonces, 0);
    let left = store.stats().await.unwrap();
    assert_eq!((left.sessions, left.mailboxes), (1, 1));
    let read = Caller {
        now: LATER,
        ..fresh
    };
    store.read_record(read).await.unwrap();
    assert!(store.read_record(alice_caller).await.is_err());
    assert_eq!(store.prune(LATER).await.unwrap(), Pruned::default());
    let (opened, _) = login(&store, "acme", &["alice social"], LATER)
        .await
        .unwrap();
    assert_eq!(opened.sealed_nonce, alice.nonce);
    let after = dumped(&store).await;
    assert_eq!(after.len(), before.len());
}
