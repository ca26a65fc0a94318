//! Verified descendants of one manifest, as several nodes' chains show them.
//!
//! Each manifest is verified once, however many nodes serve it. Chains that part (two successors of one manifest, which
//! takes a dishonest quorum) stand beside each other; which of them is followed is decided by how many nodes serve it.

use std::sync::Arc;

use trefoil_protocol::bytes::ManifestHash;
use trefoil_protocol::social::{ManifestChain, ManifestError};

use super::BadNetwork;
use super::known::View;

/// The root is the manifest at hand.
pub(super) struct Lineage {
    entries: Vec<Entry>,
}

struct Entry {
    view: Arc<View>,
    parent: Option<Place>,
}

/// One manifest of a [`Lineage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(usize);

/// Why a chain does not lead on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Astray {
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Address(#[from] BadNetwork),
}

impl Lineage {
    pub(super) fn new(root: Arc<View>) -> Self {
        Self {
            entries: vec![Entry {
                view: root,
                parent: None,
            }],
        }
    }

    pub(super) const fn root() -> Place {
        Place(0)
    }

    /// Follows a chain from `place`; what is older is passed over. How far it leads.
    pub(super) fn walk(
        &mut self,
        mut place: Place,
        chain: &ManifestChain,
    ) -> Result<Place, Astray> {
        for next in &chain.manifests {
            let hash = next.hash();
            if let Some(known) = self.find(hash) {
                // A chain that shows an ancestor again stays where it is.
                place = place.max(known);
                continue;
            }
            let Some(view) = self.view(place) else {
                return Ok(place);
            };
            match view.manifest.verify_next(next) {
                Ok(manifest) => {
                    self.entries.push(Entry {
                        view: Arc::new(View::new(manifest)?),
                        parent: Some(place),
                    });
                    place = Place(self.entries.len() - 1);
                }
                Err(ManifestError::NotNewer { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(place)
    }

    pub(super) fn view(&self, place: Place) -> Option<&Arc<View>> {
        self.entries.get(place.0).map(|entry| &entry.view)
    }

    pub(super) fn parent(&self, place: Place) -> Option<Place> {
        self.entries.get(place.0)?.parent
    }

    /// `place` and its ancestors, newest first, without the root.
    pub(super) fn path(&self, place: Place) -> impl Iterator<Item = Place> {
        core::iter::successors(Some(place), |place| self.parent(*place))
            .filter(|place| *place != Self::root())
    }

    /// The hashes of all ancestors of `place`, the root's included.
    pub(super) fn ancestors(&self, place: Place) -> Vec<ManifestHash> {
        core::iter::successors(self.parent(place), |place| self.parent(*place))
            .filter_map(|place| self.view(place))
            .map(|view| view.manifest.hash())
            .collect()
    }

    fn find(&self, hash: ManifestHash) -> Option<Place> {
        let known = |entry: &Entry| entry.view.manifest.hash() == hash;
        self.entries.iter().position(known).map(Place)
    }
}
