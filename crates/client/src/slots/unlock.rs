//! After a right guess: its counter is set back everywhere, and the answers show how the slot stands.

use core::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;
use trefoil_protocol::factor::FactorSecret;
use trefoil_protocol::guess::{Count, GuessAnswer};
use trefoil_protocol::problem::ProblemCode;

use super::ask::Call;
use super::guess::Attempt;
use super::{Evaluator, EvaluatorFault, SlotClient};

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

/// How long the others are waited for once the server and enough nodes have set their counters back.
const GRACE: Duration = Duration::from_secs(1);

impl SlotClient {
    /// Sends what unlocks to every evaluator of the slot, each as often as the policy allows. Those that cannot be reached keep
    /// their count until the next right guess; once the server and `T` nodes have answered, the others are waited for in short.
    ///
    /// Evaluators whose answer was not waited for are asked the guess again before: it may still be on its way, and must not be
    /// counted after its counter was set back.
    pub async fn unlock(&self, attempt: &Attempt, secret: &FactorSecret) -> Standing {
        let mut deadline = self.retry.deadline();
        let slot = &attempt.slot;
        let mut standing = Standing::default();
        let evaluators = self.evaluators(slot);
        let mut under_way: FuturesUnordered<_> = evaluators
            .iter()
            .map(|evaluator| async move {
                let unlocked = self.unlock_at(evaluator, attempt, secret, deadline).await;
                (evaluator.index, unlocked)
            })
            .collect();
        let (mut server, mut nodes) = (false, 0);
        while let Ok(Some((index, answer))) =
            tokio::time::timeout_at(deadline, under_way.next()).await
        {
            match answer {
                Ok(count) => standing.note(index, count, slot.list),
                Err(fault) => {
                    tracing::debug!(place = index, %fault, "a counter was not set back");
                    standing.note_refusal(index, &fault);
                    continue;
                }
            }
            if index == 0 {
                server = true;
            } else {
                nodes += 1;
            }
            if server && nodes >= slot.threshold() {
                deadline = deadline.min(Instant::now() + GRACE);
            }
        }
        standing
    }

    async fn unlock_at(
        &self,
        evaluator: &Evaluator,
        attempt: &Attempt,
        secret: &FactorSecret,
        deadline: Instant,
    ) -> Result<Count, EvaluatorFault> {
        let slot = &attempt.slot.id;
        if !attempt.round.counts().contains_key(&evaluator.index) {
            let request = attempt.round.prepared(evaluator.name.clone());
            let build = |time| request.at(time);
            let call = (slot, Call::Guess);
            let _: GuessAnswer = self.ask(evaluator, call, build, deadline).await?;
        }
        let build = |time| {
            let name = evaluator.name.clone();
            attempt.round.unlock(secret, name, evaluator.index, time)
        };
        let call = (slot, Call::Unlock);
        self.ask(evaluator, call, build, deadline).await
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

    fn note_refusal(&mut self, index: u16, fault: &EvaluatorFault) {
        match fault.code() {
            _ if lacks_it(fault) => self.without.push(index),
            Some(ProblemCode::GuessesSpent) => self.spent = true,
            Some(ProblemCode::UnknownGuessKey) => self.behind.push(index),
            // Not reached then or now: it may have the slot or not. Its count stays.
            _ => {}
        }
    }
}

pub(super) fn lacks_it(fault: &EvaluatorFault) -> bool {
    matches!(
        fault.code(),
        Some(ProblemCode::NoSlot | ProblemCode::SlotGone)
    )
}
