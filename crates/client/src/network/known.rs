//! What a client and its clones know of their network: the newest manifest in use and the one before it.

use std::sync::{Arc, PoisonError, RwLock};

use trefoil_protocol::bytes::ManifestHash;
use trefoil_protocol::social::{NodeIndex, VerifiedManifest};
use url::Url;

use super::{BadNetwork, call_url};
use crate::transport::is_secure;

/// One manifest with the addresses of its nodes.
#[derive(Debug)]
pub(super) struct View {
    pub(super) manifest: Arc<VerifiedManifest>,
    pub(super) nodes: Vec<NodeAddress>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NodeAddress {
    pub(super) index: NodeIndex,
    base: Url,
}

impl NodeAddress {
    /// `{base}/v1/{call}`.
    pub(super) fn call(&self, call: &str) -> Url {
        call_url(&self.base, call)
    }

    /// The same node in whichever manifest names it: an address stands only once in each.
    pub(super) const fn base(&self) -> &Url {
        &self.base
    }
}

impl View {
    pub(super) fn new(manifest: VerifiedManifest) -> Result<Self, BadNetwork> {
        let nodes = manifest.nodes().iter().map(|node| {
            let url = Url::parse(&node.url).ok().filter(is_secure);
            url.map(|base| NodeAddress {
                index: node.index,
                base,
            })
            .ok_or_else(|| BadNetwork {
                index: node.index,
                url: node.url.clone(),
            })
        });
        Ok(Self {
            nodes: nodes.collect::<Result<_, _>>()?,
            manifest: Arc::new(manifest),
        })
    }

    pub(super) fn epoch(&self) -> u32 {
        self.manifest.epoch()
    }

    pub(super) fn threshold(&self) -> usize {
        usize::from(self.manifest.threshold())
    }
}

/// Shared by all clones of a client.
pub(super) struct Known(RwLock<Epochs>);

struct Epochs {
    current: Arc<View>,
    /// Nodes that are behind still answer in it.
    previous: Option<Arc<View>>,
}

impl Known {
    pub(super) fn new(current: View) -> Self {
        Self(RwLock::new(Epochs {
            current: Arc::new(current),
            previous: None,
        }))
    }

    pub(super) fn current(&self) -> Arc<View> {
        self.read(|epochs| Arc::clone(&epochs.current))
    }

    pub(super) fn previous(&self) -> Option<Arc<View>> {
        self.read(|epochs| epochs.previous.clone())
    }

    /// Takes `next` into use where it descends from the manifest in use, which another call may have replaced meanwhile.
    /// `before` is the manifest that it follows, `ancestors` all those between it and one that was in use.
    pub(super) fn adopt(
        &self,
        next: &Arc<View>,
        before: &Arc<View>,
        ancestors: &[ManifestHash],
    ) -> bool {
        let mut epochs = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !ancestors.contains(&epochs.current.manifest.hash()) {
            return false;
        }
        *epochs = Epochs {
            current: Arc::clone(next),
            previous: Some(Arc::clone(before)),
        };
        true
    }

    /// Keeps the manifest that the one in use follows, as its hash in that one proves.
    pub(super) fn learn_previous(&self, view: View) {
        let mut epochs = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let followed = view.manifest.verify_next(epochs.current.manifest.signed());
        if epochs.previous.is_none() && followed.is_ok() {
            epochs.previous = Some(Arc::new(view));
        }
    }

    // Whoever panicked while holding the lock has replaced both views or neither.
    fn read<T>(&self, look: impl FnOnce(&Epochs) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use trefoil_protocol::social::deal_network;

    use super::*;

    fn view(seed: u64) -> View {
        let urls = ["https://node.example".to_owned()];
        let dealt = deal_network(&urls, 1, &mut ChaCha20Rng::seed_from_u64(seed)).unwrap();
        View::new(dealt.manifest.trust_pinned().unwrap()).unwrap()
    }

    /// Two calls follow two futures of one manifest: the second to come finds that its future no longer begins here.
    #[test]
    fn only_a_descendant_of_the_manifest_in_use_takes_its_place() {
        let known = Known::new(view(1));
        let first = known.current();
        let (one, other) = (Arc::new(view(2)), Arc::new(view(3)));
        let since_first = [first.manifest.hash()];
        assert!(known.adopt(&one, &first, &since_first));
        assert!(!known.adopt(&other, &first, &since_first));
        assert!(!known.adopt(&one, &first, &since_first));
        assert_eq!(known.current().manifest, one.manifest);
        assert_eq!(known.previous().unwrap().manifest, first.manifest);
        let since_one = [one.manifest.hash(), first.manifest.hash()];
        assert!(known.adopt(&other, &one, &since_one));
        assert_eq!(known.previous().unwrap().manifest, one.manifest);
    }

    #[test]
    fn nothing_becomes_the_manifest_before_that_the_one_in_use_does_not_name() {
        let known = Known::new(view(1));
        known.learn_previous(view(2));
        known.learn_previous(view(1));
        assert!(known.previous().is_none());
    }
}
