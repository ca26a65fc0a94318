//! A trusted dealer makes a whole network: for development and tests.

use alloc::string::String;
use alloc::vec::Vec;

use rand_core::CryptoRng;
use trefoil_oprf::{DealError, deal};

use super::manifest::VERSION;
use super::{MAX_NODES, Manifest, ManifestNode, NodeSecrets, SignedManifest, is_base_url};
use crate::bytes::{NetworkKey, NodeShareKey};

/// What the dealer hands out. The secrets go to their nodes, one each; the manifest is public.
#[derive(Debug)]
pub struct DealtNetwork {
    /// The first manifest, signed by all nodes.
    pub manifest: SignedManifest,
    /// One for each URL, in order.
    pub nodes: Vec<NodeSecrets>,
}

/// A network cannot be dealt like this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DealNetworkError {
    /// More than [`MAX_NODES`].
    #[error("a network has at most {MAX_NODES} nodes")]
    TooManyNodes,
    /// Not a base URL that may be called.
    #[error("{0} is not an https address (or http on this machine) without a slash at the end")]
    Url(String),
    /// One URL twice.
    #[error("{0} is named twice: each node needs its own address")]
    DuplicateUrl(String),
    /// The threshold does not fit.
    #[error(transparent)]
    Deal(#[from] DealError),
}

/// Makes the keys of a network, one node per URL with the indices from 1, of which `threshold` are needed.
///
/// # Errors
/// [`DealNetworkError`] for URLs or a threshold that no manifest could carry.
pub fn deal_network(
    urls: &[String],
    threshold: u16,
    rng: &mut impl CryptoRng,
) -> Result<DealtNetwork, DealNetworkError> {
    const EPOCH: u32 = 1;

    if urls.len() > MAX_NODES {
        return Err(DealNetworkError::TooManyNodes);
    }
    for (i, url) in urls.iter().enumerate() {
        if !is_base_url(url) {
            return Err(DealNetworkError::Url(url.clone()));
        }
        if urls.iter().take(i).any(|other| other == url) {
            return Err(DealNetworkError::DuplicateUrl(url.clone()));
        }
    }
    let count = u16::try_from(urls.len()).map_err(|_| DealNetworkError::TooManyNodes)?;
    let dealing = deal(threshold, count, rng)?;
    let network = NetworkKey::from_bytes(*dealing.group_key.as_bytes());
    let nodes: Vec<NodeSecrets> = dealing
        .shares
        .into_iter()
        .map(|share| NodeSecrets::random(network, EPOCH, share, rng))
        .collect();
    let manifest = Manifest {
        version: VERSION,
        group_key: network,
        epoch: EPOCH,
        previous: None,
        ceremony: None,
        threshold,
        nodes: urls
            .iter()
            .zip(&nodes)
            .map(|(url, node)| ManifestNode {
                index: node.index().get(),
                url: url.clone(),
                verifying_share: NodeShareKey::from_bytes(
                    *node.share().verifying_share().as_bytes(),
                ),
                hpke_key: node.hpke().public(),
                identity_key: node.identity().auth_key(),
            })
            .collect(),
    };
    let identities: Vec<_> = nodes
        .iter()
        .map(|node| (node.index().get(), node.identity()))
        .collect();
    let manifest = SignedManifest::sign(
        &manifest,
        identities.iter().map(|(index, key)| (*index, key)),
    );
    Ok(DealtNetwork { manifest, nodes })
}
