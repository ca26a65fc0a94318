use rand_core::CryptoRng;
use trefoil_oprf::{Element, Input};

use super::record::{Attempt, Counter, Status};
use super::{Changed, SlotError, SlotRecord};
use crate::bytes::{DleqProof, GroupElement};
use crate::guess::wire::{Guess, GuessAnswer, GuessRequest};
use crate::guess::{EvaluatorName, SLOT_EPOCH};
use crate::statement::WINDOW;

impl SlotRecord {
    /// Counts a guess and answers it; an attempt that was counted before is answered again from the record.
    ///
    /// The last guess of the last counter destroys the key: its answer stands with the attempt, nothing else will ever be
    /// answered.
    ///
    /// # Errors
    /// [`SlotError`]; then nothing was counted.
    pub fn guess(
        &self,
        request: &GuessRequest,
        me: &EvaluatorName,
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Changed<GuessAnswer>, SlotError> {
        let guess: Guess = request.guess.verify(&request.key)?;
        if guess.evaluator != *me {
            return Err(SlotError::OtherEvaluator);
        }
        if guess.slot != self.slot {
            return Err(SlotError::NoSlot);
        }
        if guess.time.abs_diff(now) > WINDOW {
            return Err(SlotError::Expired { server_time: now });
        }
        if !self.is_held() {
            return Err(SlotError::Gone);
        }
        let (place, counter) = self.counter(&request.key).ok_or(SlotError::UnknownKey)?;
        if let Some(attempt) = counter.attempt(&guess) {
            return Ok(Changed {
                record: None,
                answer: self.answer(counter, attempt?),
            });
        }
        let share = self.share.as_ref().ok_or(SlotError::Gone)?;
        if counter.used >= self.allowed {
            return Err(SlotError::Spent);
        }
        let element =
            Element::from_bytes(guess.blinded.as_bytes()).map_err(|_| SlotError::BadElement)?;
        let share = share
            .key_share(self.index)
            .ok_or(SlotError::BadSlot("its part of the key is no scalar"))?;
        let evaluated = share.evaluate(SLOT_EPOCH, &Input::guess(&element), rng);
        let attempt = Attempt {
            id: guess.attempt,
            blinded: guess.blinded,
            evaluation: GroupElement::from_bytes(*evaluated.expose_secret()),
            proof: DleqProof::from_bytes(evaluated.proof().to_bytes()),
            unlocked: false,
        };
        let mut next = self.clone();
        let counted = next.counters.get_mut(place).ok_or(SlotError::UnknownKey)?;
        counted.used = counted.used.saturating_add(1);
        counted.attempts.push(attempt.clone());
        if next
            .counters
            .iter()
            .all(|counter| counter.used >= next.allowed)
        {
            next.status = Status::Destroyed;
            next.share = None;
        }
        let (_, counted) = next.counter(&request.key).ok_or(SlotError::UnknownKey)?;
        let answer = next.answer(counted, &attempt);
        Ok(Changed {
            record: Some(next),
            answer,
        })
    }

    fn answer(&self, counter: &Counter, attempt: &Attempt) -> GuessAnswer {
        GuessAnswer {
            evaluation: attempt.evaluation,
            proof: attempt.proof,
            count: self.count(counter),
        }
    }
}

impl Counter {
    /// The attempt that this guess repeats.
    fn attempt(&self, guess: &Guess) -> Option<Result<&Attempt, SlotError>> {
        let attempt = self
            .attempts
            .iter()
            .find(|attempt| attempt.id == guess.attempt)?;
        Some(if attempt.blinded == guess.blinded {
            Ok(attempt)
        } else {
            Err(SlotError::AttemptReused)
        })
    }
}
