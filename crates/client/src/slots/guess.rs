//! One guess: the metadata server and all nodes of the slot at once.

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use trefoil_protocol::account::GuessSeed;
use trefoil_protocol::factor::FactorSecret;
use trefoil_protocol::guess::{GuessAnswer, GuessRound, Outcome, Slot};

use super::ask::Call;
use super::{EvaluatorFault, EvaluatorReport, GuessError, SlotClient};

/// A guess under way. Running it again after an error repeats the same attempt, which evaluators that have counted it do not
/// count again.
#[derive(Debug)]
pub struct Attempt {
    pub(super) slot: Slot,
    pub(super) round: GuessRound,
    reports: Vec<EvaluatorReport>,
}

/// What a guess came to.
#[derive(Debug)]
#[non_exhaustive]
pub enum Guessed {
    /// Right: the factor's secret. The counter is still to be unlocked.
    Right(FactorSecret),
    /// Wrong.
    Wrong {
        /// Guesses that the factor, with whose guess key it was made, has left: the lowest of the evaluators' counts.
        left: u8,
    },
}

impl SlotClient {
    /// Prepares a guess at `slot` with the guess key of the factor that `seed` belongs to. `stretched` is of the questions
    /// `subset`, 0 where there are none. Nothing is sent yet.
    ///
    /// # Errors
    /// [`GuessError::Slot`].
    pub fn attempt(
        &self,
        slot: &Slot,
        seed: &GuessSeed,
        subset: u16,
        stretched: &[u8; 32],
    ) -> Result<Attempt, GuessError> {
        let rng = &mut self.environment.rng();
        Ok(Attempt {
            round: GuessRound::new(slot, seed, subset, stretched, rng)?,
            slot: slot.clone(),
            reports: Vec::new(),
        })
    }

    /// Asks everybody and returns as soon as the server and `T` nodes have answered with proofs.
    ///
    /// # Errors
    /// [`GuessError`] says whether and what can be tried next.
    pub async fn guess(&self, attempt: &mut Attempt) -> Result<Guessed, GuessError> {
        let deadline = self.retry.deadline();
        let slot = attempt.slot.id;
        attempt.reports.clear();
        let evaluators = self.evaluators(&attempt.slot);
        let spare = attempt
            .slot
            .nodes
            .len()
            .saturating_sub(attempt.slot.threshold());
        {
            let (round, reports) = (&mut attempt.round, &mut attempt.reports);
            let answered: Vec<u16> = round.counts().keys().copied().collect();
            let mut waiting: Vec<u16> = Vec::new();
            let mut under_way = FuturesUnordered::new();
            for evaluator in evaluators
                .iter()
                .filter(|one| !answered.contains(&one.index))
            {
                let request = round.prepared(evaluator.name.clone());
                waiting.push(evaluator.index);
                under_way.push(async move {
                    let build = |time| request.at(time);
                    let answer: Result<GuessAnswer, _> = self
                        .ask(evaluator, (&slot, Call::Guess), build, deadline)
                        .await;
                    (evaluator.index, answer)
                });
            }
            while round.missing() != (0, false) {
                let Some((index, answer)) = under_way.next().await else {
                    break;
                };
                waiting.retain(|waiting| *waiting != index);
                let added = answer.and_then(|answer| {
                    round
                        .add(index, &answer)
                        .map_err(EvaluatorFault::WrongAnswer)
                });
                if let Err(fault) = added {
                    tracing::debug!(place = index, %fault, "an evaluator did not contribute to a guess");
                    reports.push(EvaluatorReport { index, fault });
                }
                let nodes_failed = reports.iter().filter(|report| report.index != 0).count();
                let server_failed = reports.iter().any(|report| report.index == 0);
                // More than can be spared: the guess cannot come to its end.
                if nodes_failed > spare || server_failed {
                    break;
                }
            }
            drop(under_way);
            let silent = waiting.into_iter().map(|index| EvaluatorReport {
                index,
                fault: EvaluatorFault::NotWaitedFor,
            });
            reports.extend(silent);
        }
        match attempt.round.finish() {
            Ok(Outcome::Right(secret)) => Ok(Guessed::Right(secret)),
            Ok(Outcome::Wrong { left }) => Ok(Guessed::Wrong { left }),
            Err(trefoil_protocol::guess::GuessError::Missing { nodes, .. }) => {
                let reports = core::mem::take(&mut attempt.reports);
                let slot = &attempt.slot;
                Err(GuessError::weigh(slot.threshold(), nodes, spare, reports))
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Attempt {
    /// Evaluators that did not contribute, and why.
    #[must_use]
    pub fn reports(&self) -> &[EvaluatorReport] {
        &self.reports
    }
}
