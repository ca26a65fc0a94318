use alloc::vec::Vec;

use super::record::Status;
use super::{Changed, SlotError, SlotRecord};
use crate::guess::{Signed, SlotDeletion};

impl SlotRecord {
    /// Ends the slot for ever by a statement of its admin key. Again, it changes nothing.
    ///
    /// # Errors
    /// [`SlotError::Signed`], [`SlotError::NoSlot`] for a deletion of another slot.
    pub fn delete(&self, deletion: &Signed<SlotDeletion>) -> Result<Changed<()>, SlotError> {
        let content = deletion.verify(&self.admin_key)?;
        if content.slot != self.slot {
            return Err(SlotError::NoSlot);
        }
        Ok(Changed {
            record: self.is_held().then(|| self.ended()),
            answer: (),
        })
    }

    /// What is left of it: enough to refuse the id for ever.
    #[must_use]
    pub fn ended(&self) -> Self {
        Self {
            status: Status::Deleted,
            share: None,
            counters: Vec::new(),
            ..self.clone()
        }
    }
}
