//! `POST /v1/slots/list`: a newer list of guess keys.

use trefoil_protocol::guess::{ListAnswer, ListRequest, SlotRecord};

use super::SlotsError;
use crate::node::Node;

impl Node {
    /// Takes a list with a higher number than the one in force.
    ///
    /// # Errors
    /// [`SlotsError`].
    pub async fn take_list(&self, request: &ListRequest) -> Result<ListAnswer, SlotsError> {
        let ask = |record: &SlotRecord| record.take_list(&request.list);
        let changed = self
            .slots
            .change_held(request.slot, &mut self.rng(), ask)
            .await;
        changed.map(|(answer, _)| answer)
    }
}
