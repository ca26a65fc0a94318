//! Reads and writes the state: sealed, by compare-and-set, durable before anybody hears of it.

use std::sync::Arc;

use trefoil_protocol::social::{ManifestError, NodeKey};
use trefoil_store::{NodeStore, StoreError};
use zeroize::Zeroizing;

use super::NodeState;

/// Times that a change is tried where another process changes the state at the same moment.
const ATTEMPTS: usize = 8;

/// Why the state cannot be read or written.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The store fails.
    #[error("the node's store: {0}")]
    Store(#[from] StoreError),
    /// Sealed by another key.
    #[error(
        "the node's stored state was not sealed with this key file: use the one that belongs to it"
    )]
    WrongKey,
    /// Written by newer software, or damaged before it was sealed.
    #[error("the node's stored state is not of a known form: update this software")]
    Form,
    /// A stored manifest does not verify any more.
    #[error("a stored manifest: {0}")]
    Manifest(#[from] ManifestError),
}

/// The node's key and its store.
#[derive(Clone)]
pub(crate) struct Keeper {
    store: Arc<dyn NodeStore>,
    key: NodeKey,
}

impl Keeper {
    pub(crate) fn new(store: Arc<dyn NodeStore>, key: NodeKey) -> Self {
        Self { store, key }
    }

    pub(crate) const fn key(&self) -> &NodeKey {
        &self.key
    }

    pub(crate) async fn check_ready(&self, now: u64) -> Result<(), StateError> {
        Ok(self.store.check_ready(now).await?)
    }

    /// The state, and the version to replace.
    pub(crate) async fn load(&self) -> Result<(NodeState, Option<u64>), StateError> {
        let Some(stored) = self.store.load().await? else {
            return Ok((NodeState::new(), None));
        };
        Ok((
            NodeState::open(&stored.sealed, &self.key)?,
            Some(stored.version),
        ))
    }

    /// Applies `change` to the current state and stores the result, if that is another. Gives what
    /// `change` answers, the state as it is now, and its version.
    pub(crate) async fn change<T, E: From<StateError>>(
        &self,
        rng: &mut impl rand_core::CryptoRng,
        mut change: impl FnMut(&mut NodeState) -> Result<T, E>,
    ) -> Result<(T, NodeState, Option<u64>), E> {
        for attempt in 1.. {
            let (mut state, version) = self.load().await?;
            let before = to_json(&state);
            let answer = change(&mut state)?;
            let after = to_json(&state);
            if after == before {
                return Ok((answer, state, version));
            }
            let sealed = self.key.seal(&after, rng);
            match self.store.replace(version, sealed).await {
                Ok(version) => return Ok((answer, state, Some(version))),
                Err(StoreError::NodeStateChanged) if attempt < ATTEMPTS => {}
                Err(error) => return Err(StateError::Store(error).into()),
            }
        }
        Err(StateError::Store(StoreError::NodeStateChanged).into())
    }
}

impl NodeState {
    /// Opens what was stored.
    pub(crate) fn open(sealed: &[u8], key: &NodeKey) -> Result<Self, StateError> {
        let opened = key.open(sealed).map_err(|_| StateError::WrongKey)?;
        let state: Self = serde_json::from_slice(&opened).map_err(|_| StateError::Form)?;
        if state.is_known_version() {
            Ok(state)
        } else {
            Err(StateError::Form)
        }
    }

    /// As it is sealed: keep it out of logs, errors and arguments.
    pub(crate) fn expose_json(&self) -> Zeroizing<Vec<u8>> {
        to_json(self)
    }
}

/// Into a buffer that is large enough, so that growing leaves no copy of a share behind.
fn to_json(state: &NodeState) -> Zeroizing<Vec<u8>> {
    let public: usize = state
        .manifests
        .iter()
        .map(|signed| signed.manifest.as_bytes().len() * 2 + signed.signatures.len() * 160)
        .chain(
            state
                .ceremony
                .iter()
                .map(|under_way| under_way.plan.plan.as_bytes().len() * 2),
        )
        .chain(state.signed.iter().map(|signed| {
            let held = signed
                .held
                .iter()
                .map(|held| held.body.as_bytes().len() * 2 + 256);
            signed.manifest.as_bytes().len() * 2 + held.sum::<usize>()
        }))
        .sum();
    let shares = (state.epochs.len() + state.held.len() + state.erase.len()) * 256;
    let mut json = Zeroizing::new(Vec::with_capacity(public + shares + 4096));
    // Strings, numbers and lists only, into memory: serialising them cannot fail.
    let _ = serde_json::to_writer(&mut *json, state);
    json
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use trefoil_protocol::social::deal_network;
    use trefoil_store::MemoryNodeStore;

    use super::*;

    #[tokio::test]
    async fn what_is_kept_is_sealed_and_comes_back() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let urls: Vec<String> = (0..9).map(|i| format!("https://n{i}.example")).collect();
        let dealt = deal_network(&urls, 5, &mut rng).unwrap();
        let manifest = dealt.manifest.trust_pinned().unwrap();
        let secrets = &dealt.nodes[2];
        let store = Arc::new(MemoryNodeStore::default());
        let keeper = Keeper::new(store.clone(), secrets.key());
        let put = |state: &mut NodeState| -> Result<(), StateError> {
            *state = NodeState::dealt(secrets, &manifest);
            Ok(())
        };
        let (_, state, _) = keeper.change(&mut rng, put).await.unwrap();
        let json = to_json(&state);
        assert!(json.len() <= json.capacity() && json.capacity() < 64 * 1024);
        let (read, version) = keeper.load().await.unwrap();
        assert_eq!(version, Some(1));
        assert_eq!(
            read.share_of(1).unwrap().key_share().unwrap(),
            *secrets.share()
        );
        // Nothing to change, nothing to store.
        keeper.change(&mut rng, put).await.unwrap();
        assert_eq!(keeper.load().await.unwrap().1, Some(1));

        let stored = store.load().await.unwrap().unwrap().sealed;
        let share = serde_json::to_string(&state.epochs[0].share).unwrap();
        assert!(!String::from_utf8_lossy(&stored).contains(share.trim_matches('"')));
        let other = Keeper::new(store, dealt.nodes[0].key());
        assert!(matches!(other.load().await, Err(StateError::WrongKey)));
    }
}
