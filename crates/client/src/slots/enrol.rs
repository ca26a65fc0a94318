//! Enrolling a slot: first at the metadata server, which permits it, then at all nodes at once.

use core::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;
use trefoil_protocol::guess::{DealtSlot, EnrolRequest, NodePlace, Slot, SlotNode};

use super::ask::Call;
use super::{EnrolError, EvaluatorFault, EvaluatorReport, SlotClient};
use crate::metadata::Session;

/// How long the remaining nodes are waited for once enough have taken the slot.
const GRACE: Duration = Duration::from_secs(2);

impl SlotClient {
    /// The nodes of the network's newest manifest as places of a slot, and how many of them must answer a guess.
    pub async fn places(&self) -> (Vec<NodePlace>, u16) {
        // A node opens only what is sealed to a key that it still has. Offline shows at the next call.
        let _ = self.network.refresh_manifest().await;
        let manifest = self.network.manifest();
        let places = manifest
            .nodes()
            .iter()
            .zip(1_u16..)
            .map(|(node, place)| NodePlace {
                index: place,
                identity_key: node.identity_key,
                hpke_key: node.hpke_key,
                url: node.url.clone(),
            });
        (places.collect(), manifest.threshold())
    }

    /// Enrols it at the metadata server and at least `T + ceil((N - T) / 2)` nodes; the slot that comes back names those that
    /// took it.
    ///
    /// # Errors
    /// [`EnrolError`]; nothing relies on the slot, and what was enrolled of it is deleted some day.
    pub async fn enrol(&self, session: &Session, dealt: DealtSlot) -> Result<Slot, EnrolError> {
        let DealtSlot {
            mut slot,
            server,
            nodes,
        } = dealt;
        let permit = self.metadata.enrol_slot(session, slot.id, &server).await?;
        let nodes: Vec<EnrolRequest> = nodes
            .into_iter()
            .map(|node| EnrolRequest {
                permit: Some(permit.clone()),
                ..node
            })
            .collect();
        let (accepted, reports) = self.enrol_at_nodes(&slot, &nodes).await;
        let (count, needed) = (slot.nodes.len(), needed(slot.nodes.len(), slot.threshold()));
        if accepted.len() < needed {
            return Err(EnrolError::TooFewNodes {
                accepted: accepted.len(),
                needed,
                nodes: count,
                reports,
            });
        }
        slot.nodes.retain(|node| accepted.contains(&node.index));
        Ok(slot)
    }

    async fn enrol_at_nodes(
        &self,
        slot: &Slot,
        requests: &[EnrolRequest],
    ) -> (Vec<u16>, Vec<EvaluatorReport>) {
        let mut deadline = self.retry.deadline();
        let needed = needed(slot.nodes.len(), slot.threshold());
        let ask = |(node, request): (&SlotNode, &EnrolRequest)| {
            let evaluator = self.node(node);
            let (request, id) = (request.clone(), slot.id);
            async move {
                let build = |_| request.clone();
                let call = (&id, Call::Enrol);
                let answer: Result<serde_json::Value, _> =
                    self.ask(&evaluator, call, build, deadline).await;
                (evaluator.index, answer)
            }
        };
        let mut under_way: FuturesUnordered<_> = slot.nodes.iter().zip(requests).map(ask).collect();
        let mut waiting: Vec<u16> = slot.nodes.iter().map(|node| node.index).collect();
        let (mut accepted, mut reports) = (Vec::new(), Vec::new());
        while let Ok(Some((index, answer))) =
            tokio::time::timeout_at(deadline, under_way.next()).await
        {
            waiting.retain(|waiting| *waiting != index);
            match answer {
                Ok(_) => accepted.push(index),
                Err(fault) => reports.push(EvaluatorReport { index, fault }),
            }
            if accepted.len() == needed {
                deadline = deadline.min(Instant::now() + GRACE);
            }
        }
        let silent = waiting.into_iter().map(|index| EvaluatorReport {
            index,
            fault: EvaluatorFault::TooSlow,
        });
        reports.extend(silent);
        (accepted, reports)
    }
}

/// Nodes that must take a slot of `count` nodes of which `threshold` must answer: half of those that can be spared may be lost
/// later.
const fn needed(count: usize, threshold: usize) -> usize {
    threshold + count.saturating_sub(threshold).div_ceil(2)
}

#[cfg(test)]
mod tests {
    use super::needed;

    #[test]
    fn half_of_the_spare_nodes_must_take_it() {
        assert_eq!(needed(9, 5), 7);
        assert_eq!(needed(7, 4), 6);
        assert_eq!(needed(3, 2), 3);
        assert_eq!(needed(1, 1), 1);
        assert_eq!(needed(3, 3), 3);
    }
}
