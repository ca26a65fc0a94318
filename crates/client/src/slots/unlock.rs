//! After a right guess: its counter is set back everywhere, and the answers show how the slot stands.

use futures::future::join_all;
use trefoil_protocol::factor::FactorSecret;
use trefoil_protocol::guess::Count;
use trefoil_protocol::problem::ProblemCode;

use super::ask::Call;
use super::guess::Attempt;
use super::{EvaluatorFault, SlotClient};

/// How a slot stands by what its evaluators said after a right guess.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Evaluators, by place, that say that they do not have the slot, or no longer its key.
    pub without: Vec<u16>,
    /// Whether some guess key's guesses are spent at some evaluator.
    pub spent: bool,
    /// Evaluators, by place, with an older list than the state's.
    pub behind: Vec<u16>,
}

impl SlotClient {
    /// Sends what unlocks to every evaluator of the slot, each as often as the policy allows. Those that cannot be reached keep
    /// their count until the next right guess.
    pub async fn unlock(&self, attempt: &Attempt, secret: &FactorSecret) -> Standing {
        let deadline = self.retry.deadline();
        let slot = &attempt.slot;
        let evaluators = self.evaluators(slot);
        let unlocks = evaluators.iter().map(|evaluator| async move {
            let build = |time| {
                let name = evaluator.name.clone();
                attempt.round.unlock(secret, name, evaluator.index, time)
            };
            let answer: Result<Count, _> = self
                .ask(evaluator, (&slot.id, Call::Unlock), build, deadline)
                .await;
            (evaluator.index, answer)
        });
        let mut standing = Standing::default();
        for (index, answer) in join_all(unlocks).await {
            match answer {
                Ok(count) => standing.note(index, count, slot.list),
                Err(fault) if lacks_it(&fault) => standing.without.push(index),
                // Not asked for the guess, or not reached then or now: it may have the slot or not. Its guess count stays.
                Err(fault) => {
                    tracing::debug!(place = index, %fault, "a counter was not set back");
                }
            }
        }
        standing
    }
}

impl Standing {
    fn note(&mut self, index: u16, count: Count, list: u64) {
        if !count.live {
            self.without.push(index);
        }
        self.spent |= count.spent;
        if count.list < list {
            self.behind.push(index);
        }
    }
}

pub(super) fn lacks_it(fault: &EvaluatorFault) -> bool {
    matches!(
        fault.code(),
        Some(ProblemCode::NoSlot | ProblemCode::SlotGone)
    )
}
