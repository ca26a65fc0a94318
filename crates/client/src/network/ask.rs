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

/// The nodes from which no last word has come, each with its last fault where it has been asked before.
pub(super) struct Unanswered(Mutex<BTreeMap<NodeIndex, Option<NodeFault>>>);

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
        let behind = |fault: &NodeFault| fault.is_behind(epoch);
        let mut faults = nodes.values().map(Option::as_ref);
        faults
            .all(|fault| fault.is_some_and(behind))
            .then_some(nodes.len())
    }

    /// All of them, each with its last fault or, where it was never heard, with `silence`.
    pub(super) fn into_faults(
        self,
        silence: impl Fn() -> NodeFault,
    ) -> impl Iterator<Item = (NodeIndex, NodeFault)> {
        let nodes = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        nodes
            .into_iter()
            .map(move |(index, fault)| (index, fault.unwrap_or_else(&silence)))
    }

    fn failed(&self, index: NodeIndex, fault: NodeFault) {
        self.lock().insert(index, Some(fault));
    }

    // Every change is a single one: nothing is left half done.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeIndex, Option<NodeFault>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.lock().keys()).finish()
    }
}
