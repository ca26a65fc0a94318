//! `POST /v1/slots/enrol`: take in this node's part of a slot that one of its tenant's metadata servers permits.

use trefoil_protocol::guess::{EnrolRequest, EvaluatorName, OpenedEnrolment, open_share};
use zeroize::Zeroizing;

use super::SlotsError;
use crate::node::Node;

impl Node {
    /// Takes a slot in; the same again changes nothing.
    ///
    /// # Errors
    /// [`SlotsError`].
    pub async fn enrol_slot(&self, request: &EnrolRequest) -> Result<(), SlotsError> {
        let name = EvaluatorName::Node(self.identity_key());
        let enrolment = request.open(&name).map_err(SlotsError::Slot)?;
        let now = self.clock.now();
        self.permits
            .check(request.permit.as_ref(), &enrolment, now)
            .map_err(|error| SlotsError::Slot(error.into()))?;
        let share = self.open_slot_share(&enrolment, now)?;
        let ask = |held: Option<&_>| Ok(enrolment.enrol(held, &share)?);
        let slot = enrolment.content().slot;
        self.slots.change(slot, &mut self.rng(), ask).await
    }

    /// Sealed to the key of any epoch in which this node still answers.
    fn open_slot_share(
        &self,
        enrolment: &OpenedEnrolment,
        now: u64,
    ) -> Result<Zeroizing<Vec<u8>>, SlotsError> {
        let serving = self.serving();
        let mut keys = serving.lasting(now).map(|secrets| secrets.hpke());
        keys.find_map(|key| open_share(enrolment.content(), &key).ok())
            .ok_or(SlotsError::OtherKey)
    }
}
