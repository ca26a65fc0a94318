//! Manifests as nodes serve them, and joining a network by its key alone.

use http::{Method, StatusCode};
use trefoil_protocol::bytes::NetworkKey;
use trefoil_protocol::social::{
    MAX_CHAIN, MAX_MANIFEST, ManifestChain, ManifestError, VerifiedManifest,
};
use url::Url;

use super::fault::NodeFault;
use super::{BadNetwork, DEFAULT_TIME_LIMIT, NodeReport, call_url};
use crate::transport::{Request, Response, Transport, TransportError};

/// Bytes of one signed manifest at most: base64url, signatures, JSON.
const MAX_SIGNED: usize = MAX_MANIFEST * 4 / 3 + 32 * 1024;
/// Bytes of a chain at most.
const MAX_ANSWER: usize = MAX_CHAIN * MAX_SIGNED;

/// Why no newer manifest was found, or no first one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestUpdateError {
    /// Try again later: not one node answered.
    #[error("no node can be reached now; check the connection and try again")]
    Offline {
        /// Every node.
        reports: Vec<NodeReport>,
    },
    /// Give up or tell the operators: what the nodes serve does not follow the manifest at hand.
    #[error(
        "no node serves manifests that follow the one at hand; does the app carry one of this network?"
    )]
    Misled {
        /// Every node.
        reports: Vec<NodeReport>,
    },
    /// The node that was asked cannot be reached.
    #[error(transparent)]
    Unreachable(#[from] TransportError),
    /// The node's answer is no manifest.
    #[error("the node answered with status {status} in no known form; is the address right?")]
    Form {
        /// Its HTTP status.
        status: StatusCode,
    },
    /// Try again later, or ask another node: this one serves no manifest.
    #[error("the node serves no manifest yet: its network may have no key so far")]
    Empty,
    /// What was served does not verify, or is another network's.
    #[error("the manifest that is served cannot be used: {0}")]
    Manifest(#[from] ManifestError),
    /// The manifest names an address that cannot be called.
    #[error(transparent)]
    BadNetwork(#[from] BadNetwork),
}

/// Joins a network by one node's address and the network's key: fetches its first manifest, which the key proves, and
/// follows it to the newest that this node serves. A lying node can refuse or show the past, not pass off another network;
/// what is newer [`NetworkClient`](super::NetworkClient) learns from the other nodes.
///
/// # Errors
/// [`ManifestUpdateError`].
pub async fn fetch_first_manifest(
    transport: &dyn Transport,
    node: &Url,
    pinned: &NetworkKey,
) -> Result<VerifiedManifest, ManifestUpdateError> {
    let joined = tokio::time::timeout(DEFAULT_TIME_LIMIT, join(transport, node, pinned)).await;
    let host = crate::transport::host_of(node);
    joined.unwrap_or_else(|_| Err(TransportError::TimedOut { host }.into()))
}

async fn join(
    transport: &dyn Transport,
    node: &Url,
    pinned: &NetworkKey,
) -> Result<VerifiedManifest, ManifestUpdateError> {
    let fetch = async |after| {
        let request = chain_request(call_url(node, "manifests"), after);
        let response = transport.send(request).await?;
        let status = response.status;
        read_chain(&response).map_err(|fault| match fault {
            NodeFault::WrongManifest(error) => error.into(),
            _ => ManifestUpdateError::Form { status },
        })
    };
    let mut chain = fetch(0).await?;
    let first = chain.manifests.first().ok_or(ManifestUpdateError::Empty)?;
    let mut newest = first.verify_first(pinned)?;
    while let Some(newer) = newest.follow(&chain)? {
        newest = newer;
        if chain.manifests.len() < MAX_CHAIN {
            break;
        }
        chain = fetch(newest.epoch()).await?;
    }
    Ok(newest)
}

/// Asks for the manifests of later epochs than `after`.
pub(super) fn chain_request(mut url: Url, after: u32) -> Request {
    url.query_pairs_mut()
        .append_pair("after", &after.to_string());
    Request::new(Method::GET, url).max_body(MAX_ANSWER)
}

pub(super) fn read_chain(response: &Response) -> Result<ManifestChain, NodeFault> {
    if response.status != StatusCode::OK {
        return Err(NodeFault::of_refusal(response));
    }
    ManifestChain::from_json(&response.body).map_err(NodeFault::WrongManifest)
}
