//! Asking one node, again where that can help.

use core::fmt;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Method, StatusCode};
use tokio::time::Instant;
use trefoil_protocol::social::{EvaluateResponse, MAX_EVALUATE_RESPONSE, NodeIndex, RefusedAnswer};

use super::hints::Hints;
use super::known::NodeAddress;
use super::{NetworkClient, NodeFault, SHORTEST_WAIT};
use crate::transport::{Request, Response, TransportError};

/// What all nodes are asked in one round.
pub(super) struct Question<'a> {
    /// One wiped buffer for all nodes and attempts.
    pub(super) body: Bytes,
    pub(super) epoch: u32,
    pub(super) deadline: Instant,
    pub(super) hints: &'a Hints,
    pub(super) unanswered: &'a Unanswered,
}

/// The nodes from which no last word has come, each with its last fault where it was asked before.
pub(super) struct Unanswered(Mutex<BTreeMap<NodeIndex, Option<Earlier>>>);

struct Earlier {
    fault: NodeFault,
    /// It was asked again and has not answered that.
    asked_again: bool,
}

impl NetworkClient {
    /// Asks one node until it answers, refuses, or has been asked as often as the policy allows. A node that is behind the
    /// epoch asked for is asked again as long as there is time: it is about to come to it.
    ///
    /// The first request is made before anything is awaited, so that a fan-out is one round trip.
    pub(super) fn ask<'a>(
        &'a self,
        node: &'a NodeAddress,
        question: &'a Question<'_>,
    ) -> impl Future<Output = (NodeIndex, Result<EvaluateResponse, NodeFault>)> + 'a {
        let send = || {
            let request = Request::new(Method::POST, node.call("evaluate"))
                .json(question.body.clone())
                .max_body(MAX_EVALUATE_RESPONSE);
            self.transport.send(request)
        };
        let mut under_way = send();
        async move {
            let mut failed = 0;
            loop {
                let fault = match read(under_way.await) {
                    Ok(response) => return (node.index, Ok(response)),
                    Err(fault) => fault,
                };
                failed += 1;
                question.hints.note(&fault, question.epoch);
                let again = if fault.is_behind(question.epoch) {
                    self.retry.attempts > 1
                } else {
                    fault.may_pass() && failed < self.retry.attempts
                };
                // Jitter also behind a wait that the node asks for: it asks all clients for the same one.
                let wait = self
                    .retry
                    .delay(failed, &mut self.environment.rng())
                    .max(SHORTEST_WAIT)
                    .saturating_add(fault.retry_after().unwrap_or_default());
                let left = question.deadline.saturating_duration_since(Instant::now());
                if !again || wait >= left {
                    return (node.index, Err(fault));
                }
                tracing::debug!(node = node.index.get(), %fault, ?wait, "a node is asked again");
                question.unanswered.failed(node.index, fault);
                tokio::time::sleep(wait).await;
                question.unanswered.asked_again(node.index);
                under_way = send();
            }
        }
    }
}

fn read(outcome: Result<Response, TransportError>) -> Result<EvaluateResponse, NodeFault> {
    let response = outcome.map_err(NodeFault::NoAnswer)?;
    if response.status != StatusCode::OK {
        return Err(NodeFault::of_refusal(&response));
    }
    EvaluateResponse::from_json(&response.body)
        .map_err(|error| NodeFault::WrongAnswer(RefusedAnswer::Open(error)))
}

impl Unanswered {
    pub(super) fn new(nodes: impl Iterator<Item = NodeIndex>) -> Self {
        Self(Mutex::new(nodes.map(|index| (index, None)).collect()))
    }

    /// Its last word has come.
    pub(super) fn remove(&self, index: NodeIndex) {
        self.lock().remove(&index);
    }

    /// How many nodes may still answer, where all of them are behind `epoch`.
    pub(super) fn all_behind(&self, epoch: u32) -> Option<usize> {
        let nodes = self.lock();
        let behind = |earlier: &Option<Earlier>| {
            earlier
                .as_ref()
                .is_some_and(|earlier| earlier.fault.is_behind(epoch))
        };
        nodes.values().all(behind).then_some(nodes.len())
    }

    /// All of them, each with its last fault or, where it was never heard or `silence` counts for more, with that.
    pub(super) fn into_faults(
        self,
        silence: impl Fn() -> NodeFault,
        silence_counts: bool,
    ) -> impl Iterator<Item = (NodeIndex, NodeFault)> {
        let nodes = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        nodes
            .into_iter()
            .map(move |(index, earlier)| match earlier {
                Some(earlier) if !(silence_counts && earlier.asked_again) => (index, earlier.fault),
                _ => (index, silence()),
            })
    }

    fn failed(&self, index: NodeIndex, fault: NodeFault) {
        let earlier = Earlier {
            fault,
            asked_again: false,
        };
        self.lock().insert(index, Some(earlier));
    }

    fn asked_again(&self, index: NodeIndex) {
        if let Some(Some(earlier)) = self.lock().get_mut(&index) {
            earlier.asked_again = true;
        }
    }

    // Every change is a single one: nothing is left half done.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeIndex, Option<Earlier>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.lock().keys()).finish()
    }
}
