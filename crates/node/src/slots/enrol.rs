//! `POST /v1/slots/enrol`: take in this node's part of a slot that one of its tenant's metadata servers permits.

use trefoil_protocol::guess::{
    EnrolRequest, EvaluatorName, OpenedEnrolment, SlotRecord, open_share,
};
use trefoil_protocol::social::NodeSecrets;
use zeroize::Zeroizing;

use super::SlotsError;
use crate::metrics::SlotEvent;
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
        let ask = |held: Option<&SlotRecord>| {
            // What is here already needs no share: the keys may have moved on since it came.
            let share = match held {
                Some(_) => Zeroizing::default(),
                None => self.open_slot_share(&enrolment, now)?,
            };
            Ok(enrolment.enrol(held, &share)?)
        };
        let slot = enrolment.content().slot;
        let ((), enrolled) = self.slots.change(slot, &mut self.rng(), ask).await?;
        if enrolled {
            self.metrics.slot(SlotEvent::Enrolled);
        }
        Ok(())
    }

    /// Sealed to the key of any epoch in which this node still answers.
    fn open_slot_share(
        &self,
        enrolment: &OpenedEnrolment,
        now: u64,
    ) -> Result<Zeroizing<Vec<u8>>, SlotsError> {
        let serving = self.serving();
        // A node that left its network holds shares for a while, and what it has of slots; it takes no others.
        if serving.place(now).is_none() {
            return Err(SlotsError::NoShare);
        }
        let current = serving.newest(now).ok_or(SlotsError::NoShare)?;
        let mut keys = serving.lasting(now).map(NodeSecrets::hpke);
        keys.find_map(|key| open_share(enrolment.content(), &key).ok())
            .ok_or(SlotsError::OtherKey { current })
    }
}
