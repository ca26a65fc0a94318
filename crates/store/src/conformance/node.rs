//! A node's state: one value, replaced by compare-and-set, with nothing left of the old one.

use std::sync::Arc;

use crate::error::StoreError;
use crate::node_store::{NodeState, NodeStore};

const NOW: u64 = 1_700_000_000;
const WRITERS: usize = 16;

/// A place where a back end keeps a node's state, empty at first.
pub trait NodeBackend: Send + Sync {
    /// The store under test.
    type Store: NodeStore;

    /// Opens the store, or opens it again after it was dropped.
    fn open(&self) -> Self::Store;

    /// Every byte that the place holds, in any order, or `None` where that cannot be seen.
    fn bytes(&self) -> Option<Vec<u8>>;
}

/// Makes one `#[tokio::test]` of every check. The argument is an expression for a fresh [`NodeBackend`].
#[macro_export]
macro_rules! node_conformance_tests {
    ($backend:expr) => {
        $crate::conformance_tests! { $backend;
            a_node_state_is_created_once
            a_node_state_is_replaced_by_compare_and_set
            one_of_many_replacements_wins
            a_node_state_survives_reopening
            a_replaced_node_state_is_erased
            a_node_store_is_ready
        }
    };
}

/// An empty store has no state; the first one gets version 1; a second first one is refused.
pub async fn a_node_state_is_created_once<B: NodeBackend>(backend: &B) {
    let store = backend.open();
    assert_eq!(store.load().await.unwrap(), None);
    assert_changed(store.replace(Some(0), b"early".to_vec()).await);
    assert_changed(store.replace(Some(1), b"early".to_vec()).await);
    assert_eq!(store.load().await.unwrap(), None);
    assert_eq!(store.replace(None, b"first".to_vec()).await.unwrap(), 1);
    assert_changed(store.replace(None, b"second".to_vec()).await);
    assert_eq!(store.load().await.unwrap(), Some(state(1, b"first")));
}

/// Only the current version can be replaced; a refusal changes nothing; empty and large states are states.
pub async fn a_node_state_is_replaced_by_compare_and_set<B: NodeBackend>(backend: &B) {
    let store = backend.open();
    store.replace(None, b"one".to_vec()).await.unwrap();
    assert_eq!(store.replace(Some(1), b"two".to_vec()).await.unwrap(), 2);
    for wrong in [Some(0), Some(1), Some(3), Some(u64::MAX), None] {
        assert_changed(store.replace(wrong, b"wrong".to_vec()).await);
        assert_eq!(
            store.load().await.unwrap(),
            Some(state(2, b"two")),
            "{wrong:?}"
        );
    }
    let large = vec![0x5a; 300_000];
    assert_eq!(store.replace(Some(2), large.clone()).await.unwrap(), 3);
    assert_eq!(store.load().await.unwrap(), Some(state(3, &large)));
    assert_eq!(store.replace(Some(3), Vec::new()).await.unwrap(), 4);
    assert_eq!(store.load().await.unwrap(), Some(state(4, b"")));
}

/// Of many writers that have read the same version exactly one gets through, each round.
pub async fn one_of_many_replacements_wins<B: NodeBackend>(backend: &B) {
    let store = Arc::new(backend.open());
    let mut expected = None;
    for round in 1..=5 {
        let tasks = (0..WRITERS).map(|writer| {
            let store = Arc::clone(&store);
            let sealed = format!("round {round} writer {writer}").into_bytes();
            tokio::spawn(async move { (store.replace(expected, sealed.clone()).await, sealed) })
        });
        let mut won = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            match task.await.unwrap() {
                (Ok(version), sealed) => won.push(NodeState { version, sealed }),
                (Err(error), _) => assert_changed(Err(error)),
            }
        }
        assert_eq!(won.len(), 1, "{won:?}");
        assert_eq!(store.load().await.unwrap(), won.pop());
        expected = Some(round);
    }
}

/// State and version are there after the store was dropped, also right after a replacement whose answer nobody awaited.
pub async fn a_node_state_survives_reopening<B: NodeBackend>(backend: &B) {
    let store = backend.open();
    store.replace(None, b"one".to_vec()).await.unwrap();
    drop(store);
    let store = backend.open();
    assert_eq!(store.load().await.unwrap(), Some(state(1, b"one")));
    drop(store.replace(Some(1), b"two".to_vec()));
    drop(store);
    let store = backend.open();
    assert_eq!(store.load().await.unwrap(), Some(state(2, b"two")));
    assert_changed(store.replace(Some(1), b"late".to_vec()).await);
}

/// When a replacement is acknowledged nothing of the old state is left, whatever the lengths.
pub async fn a_replaced_node_state_is_erased<B: NodeBackend>(backend: &B) {
    let store = backend.open();
    let mut expected = None;
    let mut old: Option<Vec<u8>> = None;
    // In a page, over several, back again, and the same length.
    for (number, length) in [100_usize, 50_000, 3, 4000, 4000, 200, 90_000, 0]
        .into_iter()
        .enumerate()
    {
        let marker = format!("<sealed state number {number}>").into_bytes();
        let sealed = marker.repeat(length.div_ceil(marker.len()));
        expected = Some(store.replace(expected, sealed.clone()).await.unwrap());
        if let Some(bytes) = backend.bytes() {
            assert!(
                sealed.is_empty() || contains(&bytes, &marker),
                "the new state is there"
            );
            if let Some(old) = &old {
                assert!(
                    !contains(&bytes, old),
                    "of state {number} the old one is left"
                );
            }
        }
        old = Some(marker);
    }
}

/// A store that works says so, before and after the first state.
pub async fn a_node_store_is_ready<B: NodeBackend>(backend: &B) {
    let store = backend.open();
    store.check_ready(NOW).await.unwrap();
    store.replace(None, b"one".to_vec()).await.unwrap();
    store.check_ready(NOW + 1).await.unwrap();
    assert_eq!(store.load().await.unwrap(), Some(state(1, b"one")));
}

fn state(version: u64, sealed: &[u8]) -> NodeState {
    NodeState {
        version,
        sealed: sealed.to_vec(),
    }
}

fn assert_changed(result: Result<u64, StoreError>) {
    assert!(
        matches!(&result, Err(error @ StoreError::NodeStateChanged) if !error.is_fault()),
        "{result:?}"
    );
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
