//! `POST /v1/slots/guess`: count a guess, then answer it.

use trefoil_protocol::guess::{EvaluatorName, GuessAnswer, GuessRequest, SlotRecord};

use super::SlotsError;
use crate::metrics::SlotEvent;
use crate::node::Node;

impl Node {
    /// Answers a guess once it is counted; an attempt that was counted before is answered again.
    ///
    /// # Errors
    /// [`SlotsError`].
    pub async fn guess(&self, request: &GuessRequest) -> Result<GuessAnswer, SlotsError> {
        let (name, now) = (EvaluatorName::Node(self.identity_key()), self.clock.now());
        let mut rng = self.rng();
        let ask = |record: &SlotRecord| record.guess(request, &name, now, &mut rng);
        let guessed = self
            .slots
            .change_held(request.slot, &mut self.rng(), ask)
            .await;
        self.metrics.guess(match &guessed {
            Ok((_, true)) => "counted",
            Ok((_, false)) => "repeated",
            Err(error) => error.code().as_str(),
        });
        let (answer, counted) = guessed?;
        if counted && !answer.count.live {
            self.metrics.slot(SlotEvent::Destroyed);
        }
        Ok(answer)
    }
}
