//! Client of the evaluators that count guesses (protocol section 10): the metadata server and the nodes of a slot.
//!
//! All of them are asked at once, each again where that can help. Up to `N - T` nodes may be slow, gone or malicious: a guess
//! still comes to its end, and since every answer is proven, a wrong guess is one whatever they do.

mod ask;
mod enrol;
mod errors;
mod guess;
mod tell;
mod unlock;

use core::fmt;
use std::sync::Arc;

use trefoil_protocol::guess::{EvaluatorName, Slot, SlotNode};
use url::Url;

use crate::environment::Environment;
use crate::metadata::MetadataClient;
use crate::network::NetworkClient;
use crate::retry::RetryPolicy;
use crate::transport::{Transport, is_secure};

pub use ask::{EvaluatorFault, EvaluatorReport};
pub use errors::{EnrolError, GuessError};
pub use guess::{Attempt, Guessed};
pub use unlock::Standing;

/// The evaluators of a tenant's slots. Clones share connections and the network's manifest.
#[derive(Clone)]
pub struct SlotClient {
    transport: Arc<dyn Transport>,
    metadata: MetadataClient,
    network: NetworkClient,
    environment: Environment,
    retry: RetryPolicy,
}

/// An evaluator and how to reach it.
#[derive(Debug, Clone)]
struct Evaluator {
    /// 0 for the metadata server.
    index: u16,
    name: EvaluatorName,
    /// None where its address is not one to send to.
    base: Option<Url>,
}

impl SlotClient {
    /// A client of the metadata server and the network's nodes. Nothing is sent yet.
    pub fn new(
        transport: Arc<dyn Transport>,
        metadata: MetadataClient,
        network: NetworkClient,
        environment: Environment,
    ) -> Self {
        Self {
            transport,
            metadata,
            network,
            environment,
            retry: RetryPolicy::default(),
        }
    }

    /// Sets how often each evaluator is asked within one call, with which waits, and the longest time for the call.
    #[must_use]
    pub fn with_retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// The evaluators of a slot: the metadata server first.
    fn evaluators(&self, slot: &Slot) -> Vec<Evaluator> {
        let nodes = slot.nodes.iter().map(|node| self.node(node));
        core::iter::once(self.server()).chain(nodes).collect()
    }

    fn server(&self) -> Evaluator {
        Evaluator {
            index: 0,
            name: EvaluatorName::Server(self.metadata.audience().to_owned()),
            base: Some(self.metadata.tenant_url()),
        }
    }

    /// Where the node is now, by the newest manifest, or where it was when the slot was enrolled.
    fn node(&self, node: &SlotNode) -> Evaluator {
        let manifest = self.network.manifest();
        let mut current = manifest.nodes().iter();
        let current = current.find(|member| member.identity_key == node.identity_key);
        let url = current.map_or(node.url.as_str(), |member| member.url.as_str());
        Evaluator {
            index: node.index,
            name: EvaluatorName::Node(node.identity_key),
            base: node_url(url),
        }
    }
}

/// `{base}/v1`, where that is safe to send to.
fn node_url(base: &str) -> Option<Url> {
    let mut url = Url::parse(base).ok().filter(is_secure)?;
    url.path_segments_mut().ok()?.pop_if_empty().push("v1");
    Some(url)
}

impl fmt::Debug for SlotClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlotClient")
            .field("metadata", &self.metadata)
            .field("network", &self.network)
            .finish_non_exhaustive()
    }
}
