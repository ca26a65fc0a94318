//! News for the evaluators of a slot: a newer list, or its end.

use futures::future::join_all;
use trefoil_protocol::guess::{
    GuessList, ListAnswer, ListRequest, Retired, Signed, Slot, SlotDeleteRequest,
};
use trefoil_protocol::problem::ProblemCode;

use super::ask::Call;
use super::unlock::lacks_it;
use super::{Evaluator, SlotClient};

impl SlotClient {
    /// Brings a slot's newest list to its nodes; the metadata server had it with the commit. Nodes that cannot be reached get
    /// it from whoever opens the slot next. Gives the places that have it now.
    pub async fn tell_list(&self, slot: &Slot, list: &Signed<GuessList>) -> Vec<u16> {
        let deadline = self.retry.deadline();
        let nodes: Vec<Evaluator> = slot.nodes.iter().map(|node| self.node(node)).collect();
        let calls = nodes.iter().map(|node| async move {
            let build = |_| ListRequest {
                slot: slot.id,
                list: list.clone(),
            };
            let answer: Result<ListAnswer, _> = self
                .ask(node, (&slot.id, Call::List), build, deadline)
                .await;
            answer.ok().map(|_| node.index)
        });
        join_all(calls).await.into_iter().flatten().collect()
    }

    /// Tells everybody who holds a part of a retired slot that it is over. True once all of them know, or never had it.
    pub async fn tell_retired(&self, retired: &Retired) -> bool {
        let deadline = self.retry.deadline();
        let nodes = retired.nodes.iter().map(|node| self.node(node));
        let evaluators: Vec<Evaluator> = core::iter::once(self.server()).chain(nodes).collect();
        let calls = evaluators.iter().map(|evaluator| async move {
            let build = |_| SlotDeleteRequest {
                slot: retired.slot,
                deletion: retired.deletion.clone(),
            };
            let call = (&retired.slot, Call::Delete);
            let answer: Result<serde_json::Value, _> =
                self.ask(evaluator, call, build, deadline).await;
            match answer {
                Ok(_) => true,
                // Another slot under this id is none of ours.
                Err(fault) => lacks_it(&fault) || fault.code() == Some(ProblemCode::BadSignature),
            }
        });
        join_all(calls).await.into_iter().all(|told| told)
    }
}
