//! What the conformance suite of slots cannot see of a node's file: earlier versions, damage, and when the log is cut.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use trefoil_protocol::bytes::SlotId;
use zeroize::Zeroizing;

use super::{SqliteNodeStore, schema};
use crate::error::StoreError;
use crate::node_store::NodeStore;
use crate::slot_store::{NodeSlotStore, SlotStore};

const OLD: &[u8] = b"the old sealed slot";

fn open(directory: &Path) -> SqliteNodeStore {
    SqliteNodeStore::open(directory).unwrap()
}

fn id() -> SlotId {
    SlotId::try_from([1; 16].as_slice()).unwrap()
}

fn sealed(text: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.to_vec())
}

fn contains(directory: &Path, part: &[u8]) -> bool {
    std::fs::read_dir(directory).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(part.len()).any(|window| window == part)
    })
}

async fn erased_within(directory: &Path, seconds: u64) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds) {
        if !contains(directory, OLD) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

#[tokio::test]
async fn a_node_of_the_version_before_keeps_its_state_and_gets_slots() {
    let directory = tempfile::tempdir().unwrap();
    let earlier = schema::NODE.up_to(1);
    schema::open_writer(&directory.path().join("node.db"), &earlier, None)
        .unwrap()
        .execute("INSERT INTO node_state VALUES (1, 7, x'0102')", [])
        .unwrap();
    let store = open(directory.path());
    let state = store.load().await.unwrap().unwrap();
    assert_eq!((state.version, state.sealed), (7, vec![1, 2]));
    assert!(store.load_slot(id()).await.unwrap().is_none());
    store.create_slot(id(), sealed(OLD)).await.unwrap();
}

/// A backup is of the state alone: a slot that came back would give spent guesses back, or undo a destruction.
#[tokio::test]
async fn what_is_read_for_a_backup_has_no_slots() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.create_slot(id(), sealed(OLD)).await.unwrap();
    assert_eq!(SqliteNodeStore::read(directory.path()).unwrap(), None);
    store.replace(None, b"state".to_vec()).await.unwrap();
    let read = SqliteNodeStore::read(directory.path()).unwrap().unwrap();
    assert_eq!(read.sealed, b"state");
    // A new state leaves the slots alone, and the other way round.
    store.replace_slot(id(), 1, sealed(b"new")).await.unwrap();
    assert_eq!(store.load().await.unwrap().unwrap().version, 1);
    assert_eq!(store.load_slot(id()).await.unwrap().unwrap().version, 2);
}

#[tokio::test]
async fn a_damaged_slot_is_no_missing_one() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.create_slot(id(), sealed(OLD)).await.unwrap();
    for damage in ["sealed = 7", "sealed = x'', version = 'one'"] {
        Connection::open(directory.path().join("node.db"))
            .unwrap()
            .execute(&format!("UPDATE slots SET {damage}"), [])
            .unwrap();
        let error = store.load_slot(id()).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    }
}

#[tokio::test]
async fn what_was_replaced_is_erased_in_a_quiet_moment() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.create_slot(id(), sealed(OLD)).await.unwrap();
    assert!(contains(directory.path(), OLD));
    store.replace_slot(id(), 1, sealed(b"new")).await.unwrap();
    assert!(erased_within(directory.path(), 10).await);
    assert!(contains(directory.path(), b"new"));
}

/// It is never quiet, and the log is cut all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_replaced_is_erased_under_load_too() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.create_slot(id(), sealed(OLD)).await.unwrap();
    store.replace_slot(id(), 1, sealed(b"new")).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn({
        let done = Arc::clone(&done);
        async move {
            let (mut version, mut longest) = (2, Duration::ZERO);
            while !done.load(Ordering::SeqCst) {
                let begun = Instant::now();
                let newer = sealed(b"newer");
                store.replace_slot(id(), version, newer).await.unwrap();
                longest = longest.max(begun.elapsed());
                version += 1;
            }
            longest
        }
    });
    assert!(erased_within(directory.path(), 30).await);
    done.store(true, Ordering::SeqCst);
    assert!(load.await.unwrap() < Duration::from_secs(4));
}

/// Somebody holds a snapshot of the file: guesses do not wait for it, and the erasure is made up for.
#[tokio::test]
async fn a_reader_delays_the_erasure_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.create_slot(id(), sealed(OLD)).await.unwrap();
    let reader = Connection::open(directory.path().join("node.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM slots;").unwrap();
    store.replace_slot(id(), 1, sealed(b"new")).await.unwrap();
    assert!(!erased_within(directory.path(), 1).await);
    let begun = Instant::now();
    for version in 2..12 {
        store
            .replace_slot(id(), version, sealed(b"newer"))
            .await
            .unwrap();
    }
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    drop(reader);
    assert!(erased_within(directory.path(), 20).await);
}
