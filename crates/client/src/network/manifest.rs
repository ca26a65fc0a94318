//! `GET {node}/v1/manifest`: joining a network by its key alone, and following it to its next epoch.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http::{Method, StatusCode};
use tokio::time::Instant;
use trefoil_protocol::bytes::NetworkKey;
use trefoil_protocol::social::{MAX_MANIFEST, ManifestError, SignedManifest, VerifiedManifest};
use url::Url;

use super::fault::NodeFault;
use super::{BadNetwork, DEFAULT_TIME_LIMIT, NetworkClient, NodeReport, call_url};
use crate::transport::{Request, Response, Transport, TransportError};

/// Bytes of a signed manifest at most: base64url, signatures, JSON.
const MAX_ANSWER: usize = MAX_MANIFEST * 4 / 3 + 32 * 1024;

/// Why no newer manifest was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestUpdateError {
    /// Try again later: not one node answered.
    #[error("no node can be reached now; check the connection and try again")]
    Offline {
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
    /// What was served does not verify, or does not follow the manifest at hand.
    #[error("the manifest that is served cannot be used: {0}")]
    Manifest(#[from] ManifestError),
    /// The new manifest names an address that cannot be called.
    #[error(transparent)]
    BadNetwork(#[from] BadNetwork),
}

/// Fetches a network's first manifest from one of its nodes, for whoever knows only its address and the network's key.
/// A lying node can refuse, not pass off another network.
///
/// # Errors
/// [`ManifestUpdateError`].
pub async fn fetch_first_manifest(
    transport: &dyn Transport,
    node: &Url,
    pinned: &NetworkKey,
) -> Result<VerifiedManifest, ManifestUpdateError> {
    let request = Request::new(Method::GET, call_url(node, "manifest")).max_body(MAX_ANSWER);
    let answer = tokio::time::timeout(DEFAULT_TIME_LIMIT, transport.send(request)).await;
    let host = crate::transport::host_of(node);
    let response = answer.unwrap_or(Err(TransportError::TimedOut { host }))?;
    let status = response.status;
    Ok(read(&response)
        .map_err(|_| ManifestUpdateError::Form { status })?
        .verify_first(pinned)?)
}

impl NetworkClient {
    /// Asks all nodes for the current manifest; where one serves the next, returns a client of it.
    ///
    /// `None` where the nodes that answer serve the one at hand or older ones.
    ///
    /// # Errors
    /// [`ManifestUpdateError`] where no node answers, or a newer manifest is served and none of those verifies.
    pub async fn updated(&self) -> Result<Option<Self>, ManifestUpdateError> {
        let mut under_way: FuturesUnordered<_> = self
            .nodes
            .iter()
            .map(|node| {
                let request = Request::new(Method::GET, node.call("manifest")).max_body(MAX_ANSWER);
                let (index, answer) = (node.index, self.transport.send(request));
                async move { (index, answer.await) }
            })
            .collect();
        let deadline = Instant::now() + self.time_limit;
        let (mut reports, mut refused, mut answered) = (Vec::new(), None, false);
        while let Ok(Some((index, outcome))) =
            tokio::time::timeout_at(deadline, under_way.next()).await
        {
            let served = match outcome
                .map_err(NodeFault::NoAnswer)
                .and_then(|response| read(&response))
            {
                Ok(served) => served,
                Err(fault) => {
                    reports.push(NodeReport { index, fault });
                    continue;
                }
            };
            answered = true;
            if served == *self.manifest.signed() {
                continue;
            }
            match self.manifest.verify_next(&served) {
                Ok(next) => {
                    let client =
                        Self::new(Arc::clone(&self.transport), next, self.environment.clone())?;
                    return Ok(Some(client.with_time_limit(self.time_limit)));
                }
                Err(ManifestError::NotNewer { .. }) => {}
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            Some(error) => Err(error.into()),
            None if answered => Ok(None),
            None => Err(ManifestUpdateError::Offline { reports }),
        }
    }
}

fn read(response: &Response) -> Result<SignedManifest, NodeFault> {
    if response.status != StatusCode::OK {
        return Err(NodeFault::of_refusal(response));
    }
    serde_json::from_slice(&response.body).map_err(|_| NodeFault::Misbehaved {
        status: response.status,
    })
}
