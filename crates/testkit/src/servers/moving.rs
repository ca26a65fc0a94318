//! A network of scripted nodes that moves from epoch to epoch, each node when the test says so.

use std::collections::BTreeMap;

use trefoil_oprf::MasterKey;
use trefoil_protocol::bytes::{NetworkKey, NodeShareKey};
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::social::{
    DealNetworkError, Manifest, ManifestNode, NodeSecrets, SignedManifest,
};

use super::TestkitError;
use super::running::bind;
use super::scripted::ScriptedNode;
use crate::environment::os_rng;

/// Scripted nodes, and the epochs that were dealt to them. One master key is split anew for each epoch: in place of the
/// nodes' own refresh, with the same outcome.
pub struct MovingNetwork {
    /// In the order of their numbers, which count from 0. A node's index in an epoch is another matter.
    pub nodes: Vec<ScriptedNode>,
    master: MasterKey,
    epochs: Vec<Epoch>,
}

struct Epoch {
    manifest: SignedManifest,
    /// Numbers of the members, in the order of their indices from 1.
    members: Vec<usize>,
    secrets: Vec<NodeSecrets>,
}

impl MovingNetwork {
    /// Starts `nodes` nodes; the first epoch has the first `members` of them, which hold it, and needs `threshold`.
    ///
    /// # Errors
    /// [`TestkitError`].
    pub fn start(nodes: usize, members: usize, threshold: u16) -> Result<Self, TestkitError> {
        let nodes = (0..nodes)
            .map(|_| ScriptedNode::start(bind()?.0))
            .collect::<Result<_, _>>()?;
        let mut network = Self {
            nodes,
            master: MasterKey::random(&mut os_rng()),
            epochs: Vec::new(),
        };
        let members: Vec<usize> = (0..members).collect();
        network.deal(&members, threshold)?;
        for number in members {
            network.hold(number, &[1]);
        }
        Ok(network)
    }

    /// Deals the next epoch to these nodes, by number. Its manifest is signed by all nodes of the epoch before; no node
    /// holds or serves it before [`Self::hold`] says so. Returns the epoch.
    ///
    /// # Errors
    /// [`TestkitError::Deal`].
    pub fn deal(&mut self, members: &[usize], threshold: u16) -> Result<u32, TestkitError> {
        let epoch = u32::try_from(self.epochs.len() + 1).unwrap_or(u32::MAX);
        let (manifest, secrets) = self.make(epoch, self.epochs.last(), members, threshold)?;
        self.epochs.push(Epoch {
            manifest,
            members: members.to_vec(),
            secrets,
        });
        Ok(epoch)
    }

    /// Another manifest of the epoch, with shares that no node holds, signed by the same nodes: what a quorum of liars
    /// could make. Its members are those of the real one.
    ///
    /// # Errors
    /// [`TestkitError::Deal`].
    pub fn fork(&self, epoch: u32, threshold: u16) -> Result<SignedManifest, TestkitError> {
        let at = (epoch as usize).saturating_sub(1);
        let before = at.checked_sub(1).and_then(|at| self.epochs.get(at));
        let real = self.epochs.get(at);
        let members = real.map_or(&[][..], |real| &real.members);
        Ok(self.make(epoch, before, members, threshold)?.0)
    }

    fn make(
        &self,
        epoch: u32,
        before: Option<&Epoch>,
        members: &[usize],
        threshold: u16,
    ) -> Result<(SignedManifest, Vec<NodeSecrets>), TestkitError> {
        let mut rng = os_rng();
        let count = u16::try_from(members.len()).map_err(|_| DealNetworkError::TooManyNodes)?;
        let dealing = self
            .master
            .split(threshold, count, &mut rng)
            .map_err(DealNetworkError::Deal)?;
        let network = NetworkKey::from_bytes(*dealing.group_key.as_bytes());
        let secrets: Vec<NodeSecrets> = dealing
            .shares
            .into_iter()
            .map(|share| NodeSecrets::random(network, epoch, share, &mut rng))
            .collect();
        let named = members
            .iter()
            .filter_map(|number| self.nodes.get(*number))
            .zip(&secrets);
        let manifest = Manifest {
            version: 1,
            group_key: network,
            epoch,
            previous: before.map(|before| before.manifest.hash()),
            ceremony: None,
            threshold,
            nodes: named
                .map(|(node, secrets)| ManifestNode {
                    index: secrets.index().get(),
                    url: node.url(),
                    verifying_share: NodeShareKey::from_bytes(
                        *secrets.share().verifying_share().as_bytes(),
                    ),
                    hpke_key: secrets.hpke().public(),
                    identity_key: secrets.identity().auth_key(),
                })
                .collect(),
        };
        let signers = before.map_or(&secrets, |before| &before.secrets);
        let signers: Vec<(u16, AuthPrivateKey)> = signers
            .iter()
            .map(|secrets| (secrets.index().get(), secrets.identity()))
            .collect();
        let signers = signers.iter().map(|(index, key)| (*index, key));
        Ok((SignedManifest::sign(&manifest, signers), secrets))
    }

    /// From now on the node answers in exactly these epochs, as far as it is a member, and serves all manifests up to the
    /// newest of them.
    pub fn hold(&self, node: usize, epochs: &[u32]) {
        let newest = epochs.iter().max().copied().unwrap_or(0);
        let numbered = || (1_u32..).zip(&self.epochs);
        let chain = numbered()
            .take_while(|(epoch, _)| *epoch <= newest)
            .map(|(_, dealt)| dealt.manifest.clone());
        let shares: BTreeMap<u32, NodeSecrets> = numbered()
            .filter(|(epoch, _)| epochs.contains(epoch))
            .filter_map(|(epoch, dealt)| {
                let place = dealt.members.iter().position(|member| *member == node)?;
                Some((epoch, dealt.secrets.get(place)?.clone()))
            })
            .collect();
        if let Some(node) = self.nodes.get(node) {
            node.set(shares, chain.collect());
        }
    }

    /// All nodes hold the same epochs.
    pub fn all_hold(&self, epochs: &[u32]) {
        for node in 0..self.nodes.len() {
            self.hold(node, epochs);
        }
    }

    /// The manifest of a dealt epoch.
    #[must_use]
    pub fn manifest(&self, epoch: u32) -> Option<&SignedManifest> {
        let at = usize::try_from(epoch).ok()?.checked_sub(1)?;
        self.epochs.get(at).map(|epoch| &epoch.manifest)
    }
}

impl core::fmt::Debug for MovingNetwork {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("MovingNetwork")
            .field("nodes", &self.nodes)
            .field("epochs", &self.epochs.len())
            .finish_non_exhaustive()
    }
}
