use subtle::ConstantTimeEq;

use super::{Changed, SlotError, SlotRecord};
use crate::guess::EvaluatorName;
use crate::guess::wire::{Count, Unlock, UnlockRequest};
use crate::statement::WINDOW;

impl SlotRecord {
    /// Sets the counter of one guess key back, once for each attempt; the same again changes nothing.
    ///
    /// A destroyed key does not come back: the answer's [`Count::live`] says so.
    ///
    /// # Errors
    /// [`SlotError`].
    pub fn unlock(
        &self,
        request: &UnlockRequest,
        me: &EvaluatorName,
        now: u64,
    ) -> Result<Changed<Count>, SlotError> {
        let unlock: Unlock = request.unlock.verify(&request.key)?;
        if unlock.evaluator != *me {
            return Err(SlotError::OtherEvaluator);
        }
        if unlock.slot != self.slot {
            return Err(SlotError::NoSlot);
        }
        if unlock.time.abs_diff(now) > WINDOW {
            return Err(SlotError::Expired { server_time: now });
        }
        if !self.is_held() {
            return Err(SlotError::Gone);
        }
        let (place, counter) = self.counter(&request.key).ok_or(SlotError::UnknownKey)?;
        let right = unlock
            .tag
            .hash()
            .as_bytes()
            .ct_eq(self.unlock_hash.as_bytes());
        let mut attempts = counter.attempts.iter();
        let attempt = attempts
            .find(|attempt| attempt.id == unlock.attempt)
            .filter(|_| right.into())
            .ok_or(SlotError::WrongUnlock)?;
        if attempt.unlocked {
            return Ok(Changed {
                record: None,
                answer: self.count(counter),
            });
        }
        let mut kept = attempt.clone();
        kept.unlocked = true;
        let mut next = self.clone();
        let counter = next.counters.get_mut(place).ok_or(SlotError::UnknownKey)?;
        counter.used = 0;
        // Answers to other attempts are of no use to whoever knows the right one.
        counter.attempts = alloc::vec![kept];
        let (_, counter) = next.counter(&request.key).ok_or(SlotError::UnknownKey)?;
        let answer = next.count(counter);
        Ok(Changed {
            record: Some(next),
            answer,
        })
    }
}
