//! `POST /v1/slots/unlock`: set a counter back after a right guess.

use trefoil_protocol::guess::{Count, EvaluatorName, SlotRecord, UnlockRequest};

use super::SlotsError;
use crate::node::Node;

impl Node {
    /// Sets a counter back, once for each attempt.
    ///
    /// # Errors
    /// [`SlotsError`].
    pub async fn unlock(&self, request: &UnlockRequest) -> Result<Count, SlotsError> {
        let (name, now) = (EvaluatorName::Node(self.identity_key()), self.clock.now());
        let ask = |record: &SlotRecord| record.unlock(request, &name, now);
        let changed = self
            .slots
            .change_held(request.slot, &mut self.rng(), ask)
            .await;
        changed.map(|(answer, _)| answer)
    }
}
