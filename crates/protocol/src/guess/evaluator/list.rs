use super::record::Counter;
use super::{Changed, SlotError, SlotRecord};
use crate::guess::wire::ListAnswer;
use crate::guess::{GuessList, Signed};

impl SlotRecord {
    /// Takes a list with a higher number than the one in force: keeps the counters of the keys that it still names, drops
    /// the others, starts new ones. A list alone never destroys the key.
    ///
    /// # Errors
    /// [`SlotError`] for a list that is not this slot's, and where the slot was deleted.
    pub fn take_list(&self, list: &Signed<GuessList>) -> Result<Changed<ListAnswer>, SlotError> {
        if !self.is_held() {
            return Err(SlotError::Gone);
        }
        let content = list.verify(&self.admin_key)?;
        if content.slot != self.slot || !content.is_sound() {
            return Err(SlotError::BadSlot("the list of guess keys is none for it"));
        }
        if content.number <= self.number {
            return Ok(Changed {
                record: None,
                answer: ListAnswer { list: self.number },
            });
        }
        let counter = |key| match self.counter(key) {
            Some((_, kept)) => kept.clone(),
            None => Counter::new(*key),
        };
        let mut next = self.clone();
        next.counters = content.keys.iter().map(counter).collect();
        next.list = list.clone();
        next.number = content.number;
        Ok(Changed {
            record: Some(next),
            answer: ListAnswer {
                list: content.number,
            },
        })
    }
}
