//! `POST /v1/slots/delete`: the end of a slot.

use trefoil_protocol::guess::{SlotDeleteRequest, SlotRecord};

use super::SlotsError;
use crate::metrics::SlotEvent;
use crate::node::Node;

impl Node {
    /// Ends a slot for ever; again, it changes nothing. A slot that is not there leaves nothing behind, or strangers could fill
    /// the store.
    ///
    /// # Errors
    /// [`SlotsError`].
    pub async fn delete_slot(&self, request: &SlotDeleteRequest) -> Result<(), SlotsError> {
        let ask = |record: &SlotRecord| record.delete(&request.deletion);
        let ((), ended) = self
            .slots
            .change_held(request.slot, &mut self.rng(), ask)
            .await?;
        if ended {
            self.metrics.slot(SlotEvent::Deleted);
        }
        Ok(())
    }
}
