//! Following the network to its newer manifests: `GET {node}/v1/manifests?after=<epoch>` to all nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;
use trefoil_protocol::social::{MAX_CHAIN, ManifestChain, VerifiedManifest};
use url::Url;

use super::known::{NodeAddress, View};
use super::lineage::{Astray, Lineage, Place};
use super::manifest::{chain_request, read_chain};
use super::{ManifestUpdateError, NetworkClient, NodeFault, NodeReport};

/// How to look for newer manifests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Follow {
    /// Nodes are not waited for longer.
    pub(super) until: Instant,
    /// Whether no user waits.
    pub(super) background: bool,
    /// Whether some nodes are behind: then the manifest before the one in use is wanted too.
    pub(super) behind: bool,
    /// Ends as soon as a newer manifest is in use.
    pub(super) first: bool,
}

/// What looking for newer manifests has shown.
#[derive(Debug)]
#[non_exhaustive]
pub struct ManifestUpdate {
    /// The manifest in use now.
    pub manifest: Arc<VerifiedManifest>,
    /// Whether it is another one than before.
    pub changed: bool,
    /// Epoch of the newest manifest that verifies, where that is not in use: too few of its nodes serve it yet.
    pub coming: Option<u32>,
    /// Nodes that gave nothing to go by. Those of a newer manifest are named by their index in that one.
    pub reports: Vec<NodeReport>,
}

impl NetworkClient {
    /// Asks the nodes for the manifests that follow the one in use, and takes the newest into use for all clones of this
    /// client that `T` of the nodes it names serve: so many answers of its epoch can come together. Until then the network
    /// is asked in the epoch at hand. A node that serves anything else than a chain of rightly signed manifests is
    /// reported and changes nothing.
    ///
    /// Waits for all nodes, within the time limit. A login calls this by itself where nodes say that they have moved.
    ///
    /// # Errors
    /// [`ManifestUpdateError::Offline`] where no node answers, [`ManifestUpdateError::Misled`] where no answer can be used.
    pub async fn refresh_manifest(&self) -> Result<ManifestUpdate, ManifestUpdateError> {
        let before = self.known.current();
        let found = self.follow(Follow::all(self.retry.deadline())).await;
        let current = self.known.current();
        if found.usable == 0 {
            let reports = found.reports;
            let transient = |report: &NodeReport| report.fault.is_transient();
            return Err(if reports.iter().all(transient) {
                ManifestUpdateError::Offline { reports }
            } else {
                ManifestUpdateError::Misled { reports }
            });
        }
        Ok(ManifestUpdate {
            changed: current.manifest.hash() != before.manifest.hash(),
            coming: found.newest.filter(|newest| *newest > current.epoch()),
            manifest: Arc::clone(&current.manifest),
            reports: found.reports,
        })
    }

    /// Opens connections to all nodes while the user is still at the provider, so that the login itself costs one round
    /// trip; by the way the nodes say which manifests follow the one at hand, so that an outdated one costs none either.
    ///
    /// Ends within the time limit; failure is silent, the login will say what is wrong. A login need not wait for it.
    pub async fn connect_ahead(&self) {
        let mut follow = Follow::all(self.retry.deadline());
        follow.background = true;
        self.follow(follow).await;
    }

    pub(super) async fn follow(&self, how: Follow) -> Found {
        let root = self.known.current();
        let mut search = Search {
            lineage: Lineage::new(Arc::clone(&root)),
            asked: BTreeSet::new(),
            serves: BTreeMap::new(),
            failed: BTreeSet::new(),
            found: Found::default(),
        };
        // The manifest before the one in use is served by those that follow one before that.
        let wants_previous = how.behind && self.known.previous().is_none();
        let after = root
            .epoch()
            .saturating_sub(if wants_previous { 2 } else { 0 });
        let fetch = |node: NodeAddress, from: Place, after: u32| {
            let mut request = chain_request(node.call("manifests"), after);
            request.background = how.background;
            let answer = self.transport.send(request);
            async move { (node, from, answer.await) }
        };
        let mut under_way: FuturesUnordered<_> = search
            .not_asked(&root)
            .into_iter()
            .map(|node| fetch(node, Lineage::root(), after))
            .collect();
        while let Ok(Some((node, from, outcome))) =
            tokio::time::timeout_at(how.until, under_way.next()).await
        {
            let read = outcome.map_err(NodeFault::NoAnswer);
            let walked = read
                .and_then(|response| read_chain(&response))
                .and_then(|chain| {
                    if wants_previous {
                        self.look_for_previous(&root, &chain);
                    }
                    Ok((search.lineage.walk(from, &chain)?, chain.manifests.len()))
                });
            let (place, served) = match walked {
                Ok(walked) => walked,
                Err(fault) => {
                    search.report(&node, fault);
                    continue;
                }
            };
            let Some(view) = search.lineage.view(place).map(Arc::clone) else {
                continue;
            };
            for new in search.not_asked(&view) {
                under_way.push(fetch(new, Lineage::root(), after));
            }
            if served == MAX_CHAIN && place != from {
                // A full answer that led on: there may be more.
                under_way.push(fetch(node, place, view.epoch()));
                continue;
            }
            search.found.usable += 1;
            search.found.newest = search.found.newest.max(Some(view.epoch()));
            search.serves.insert(node.base().clone(), place);
            if self.adopt_best(&search) && how.first {
                break;
            }
        }
        for node in search.silent() {
            search.report(&node, NodeFault::TooSlow);
        }
        search.found.reports.sort_by_key(|report| report.index);
        search.found
    }

    /// Takes the newest manifest into use that enough of its nodes serve.
    fn adopt_best(&self, search: &Search) -> bool {
        let Some(best) = search.best() else {
            return false;
        };
        let lineage = &search.lineage;
        let before = lineage.parent(best).and_then(|place| lineage.view(place));
        let (Some(next), Some(before)) = (lineage.view(best), before) else {
            return false;
        };
        let adopted = self.known.adopt(next, before, &lineage.ancestors(best));
        if adopted {
            tracing::debug!(
                epoch = next.epoch(),
                "the network has moved to another epoch"
            );
        }
        adopted
    }

    fn look_for_previous(&self, current: &View, chain: &ManifestChain) {
        let older = chain.manifests.iter().filter_map(|signed| {
            let manifest = signed.trust_pinned().ok()?;
            manifest.verify_next(current.manifest.signed()).ok()?;
            View::new(manifest).ok()
        });
        for view in older {
            self.known.learn_previous(view);
        }
    }
}

impl Follow {
    const fn all(until: Instant) -> Self {
        Self {
            until,
            background: false,
            behind: false,
            first: false,
        }
    }
}

/// What all nodes together have shown.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Nodes whose chain can be used.
    usable: usize,
    newest: Option<u32>,
    reports: Vec<NodeReport>,
}

struct Search {
    lineage: Lineage,
    asked: BTreeSet<NodeAddress>,
    /// How far each node's chain leads.
    serves: BTreeMap<Url, Place>,
    failed: BTreeSet<Url>,
    found: Found,
}

impl Search {
    /// The nodes of a manifest that have not been asked, to be asked now.
    fn not_asked(&mut self, view: &View) -> Vec<NodeAddress> {
        let known: BTreeSet<&Url> = self.asked.iter().map(NodeAddress::base).collect();
        let new: Vec<NodeAddress> = view
            .nodes
            .iter()
            .filter(|node| !known.contains(node.base()))
            .cloned()
            .collect();
        self.asked.extend(new.iter().cloned());
        new
    }

    /// The newest manifest that `T` of the nodes it names serve; never the one at hand.
    fn best(&self) -> Option<Place> {
        let places: BTreeSet<Place> = self
            .serves
            .values()
            .flat_map(|place| self.lineage.path(*place))
            .collect();
        let served = |place: &Place| {
            self.lineage.view(*place).is_some_and(|view| {
                let serving = view.nodes.iter().filter(|node| {
                    let reached = self.serves.get(node.base());
                    reached
                        .is_some_and(|reached| self.lineage.path(*reached).any(|at| at == *place))
                });
                serving.count() >= view.threshold()
            })
        };
        let epoch = |place: &Place| self.lineage.view(*place).map(|view| view.epoch());
        places.into_iter().filter(served).max_by_key(epoch)
    }

    /// Nodes that were asked and have not said all.
    fn silent(&self) -> Vec<NodeAddress> {
        let silent = |node: &&NodeAddress| {
            !self.serves.contains_key(node.base()) && !self.failed.contains(node.base())
        };
        self.asked.iter().filter(silent).cloned().collect()
    }

    fn report(&mut self, node: &NodeAddress, fault: NodeFault) {
        tracing::debug!(node = node.index.get(), %fault, "a node gave no manifests to go by");
        self.failed.insert(node.base().clone());
        let index = node.index;
        self.found.reports.push(NodeReport { index, fault });
    }
}

impl From<Astray> for NodeFault {
    fn from(astray: Astray) -> Self {
        match astray {
            Astray::Manifest(error) => Self::WrongManifest(error),
            Astray::Address(error) => Self::WrongAddress(error),
        }
    }
}
