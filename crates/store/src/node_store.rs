//! The trait that a back end of a node implements, and the one that keeps nothing.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::StoreError;
use crate::store::StoreFuture;

/// A node's durable state as a store sees it: bytes that the node has sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeState {
    /// 1 for the first state; one more with each replacement.
    pub version: u64,
    /// Sealed by the node, under a key that the store does not have.
    pub sealed: Vec<u8>,
}

impl fmt::Debug for NodeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeState")
            .field("version", &self.version)
            .field("sealed", &format_args!("{} bytes", self.sealed.len()))
            .finish()
    }
}

/// What a node must not lose: its shares and how far its ceremonies are, as one sealed value.
///
/// A replacement is durable before its future resolves with `Ok`, and nothing of what it replaced is then left in the
/// store: a share of an epoch that is over must not lie in a free page or a log. Two writers are told apart by
/// compare-and-set. Dropping a future does not undo the operation.
///
/// Every back end must pass the suite that the feature `conformance` exports.
pub trait NodeStore: Send + Sync + 'static {
    /// The current state, `None` where nothing was ever written.
    ///
    /// # Errors
    /// A fault.
    fn load(&self) -> StoreFuture<'_, Option<NodeState>>;

    /// Puts this state in place of the one of version `expected` (`None`: there is none yet) and gives its version.
    ///
    /// # Errors
    /// [`StoreError::NodeStateChanged`] where the current version is another; [`StoreError::NotErased`] where the new
    /// state is kept and the old bytes are not gone yet; or a fault, after which nothing has changed.
    fn replace(&self, expected: Option<u64>, sealed: Vec<u8>) -> StoreFuture<'_, u64>;

    /// Whether reads and durable writes work right now and nothing waits to be erased. `now` in unix seconds.
    ///
    /// # Errors
    /// The fault.
    fn check_ready(&self, now: u64) -> StoreFuture<'_, ()>;
}

/// [`NodeStore`] in memory: for tests, and for nodes whose shares a dealer made and that nothing has to survive.
///
/// Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct MemoryNodeStore(Arc<Mutex<Option<NodeState>>>);

impl MemoryNodeStore {
    /// A store that holds a first state.
    #[must_use]
    pub fn holding(sealed: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Some(NodeState { version: 1, sealed }))))
    }

    fn replace_now(&self, expected: Option<u64>, sealed: Vec<u8>) -> Result<u64, StoreError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let current = state.as_ref().map(|state| state.version);
        let version = next_version(current, expected)?;
        *state = Some(NodeState { version, sealed });
        Ok(version)
    }
}

impl NodeStore for MemoryNodeStore {
    fn load(&self) -> StoreFuture<'_, Option<NodeState>> {
        let state = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        Box::pin(async move { Ok(state) })
    }

    fn replace(&self, expected: Option<u64>, sealed: Vec<u8>) -> StoreFuture<'_, u64> {
        let replaced = self.replace_now(expected, sealed);
        Box::pin(async move { replaced })
    }

    fn check_ready(&self, _now: u64) -> StoreFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// The version that follows `current`, if that is the one `expected`.
pub(crate) fn next_version(current: Option<u64>, expected: Option<u64>) -> Result<u64, StoreError> {
    if current != expected {
        return Err(StoreError::NodeStateChanged);
    }
    current
        .unwrap_or_default()
        .checked_add(1)
        .ok_or(StoreError::Corrupt {
            what: "the version of the node's state",
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_says_nothing_of_the_content() {
        let state = NodeState {
            version: 3,
            sealed: b"sealed share".to_vec(),
        };
        assert_eq!(
            format!("{state:?}"),
            "NodeState { version: 3, sealed: 12 bytes }"
        );
    }
}
