use alloc::vec::Vec;

use trefoil_oprf::{KeyShare, NodeIndex};

use super::record::{Counter, EnrolmentHash, Status, StoredShare};
use super::{Changed, SlotError, SlotRecord};
use crate::bytes::AuthKey;
use crate::guess::signed::VERSION;
use crate::guess::wire::{EnrolRequest, MAX_ALLOWED, SlotEnrolment};
use crate::guess::{EvaluatorName, GuessList};

/// An enrolment whose signatures hold and which is meant for this evaluator.
#[derive(Debug)]
pub struct OpenedEnrolment {
    content: SlotEnrolment,
    list: GuessList,
    admin_key: AuthKey,
    hash: EnrolmentHash,
    signed_list: crate::guess::Signed<GuessList>,
}

impl EnrolRequest {
    /// Checks form and signatures, and that it is meant for `me`. The permit is the caller's to check.
    ///
    /// # Errors
    /// [`SlotError::Signed`], [`SlotError::OtherEvaluator`], [`SlotError::BadSlot`].
    pub fn open(&self, me: &EvaluatorName) -> Result<OpenedEnrolment, SlotError> {
        let content = self.enrolment.verify(&self.admin_key)?;
        if content.evaluator != *me {
            return Err(SlotError::OtherEvaluator);
        }
        let server = matches!(me, EvaluatorName::Server(_));
        if server != (content.index == 0) {
            return Err(SlotError::BadSlot(
                "place 0 is the metadata server's and no one else's",
            ));
        }
        if !(1..=MAX_ALLOWED).contains(&content.allowed) {
            return Err(SlotError::BadSlot("the number of guesses is out of range"));
        }
        let list = content.list.verify(&self.admin_key)?;
        if list.slot != content.slot || !list.is_sound() {
            return Err(SlotError::BadSlot("its list of guess keys is none for it"));
        }
        Ok(OpenedEnrolment {
            hash: EnrolmentHash::from_bytes(self.enrolment.hash()),
            signed_list: content.list.clone(),
            admin_key: self.admin_key,
            content,
            list,
        })
    }
}

impl OpenedEnrolment {
    /// What is enrolled.
    #[must_use]
    pub const fn content(&self) -> &SlotEnrolment {
        &self.content
    }

    /// Who administers it.
    #[must_use]
    pub const fn admin_key(&self) -> &AuthKey {
        &self.admin_key
    }

    /// Takes the slot in, where none is held under its id. `share` is the evaluator's part of the key, opened.
    ///
    /// # Errors
    /// [`SlotError::BadSlot`] for a share that is none; [`SlotError::Taken`] for other bytes than before;
    /// [`SlotError::Gone`].
    pub fn enrol(&self, held: Option<&SlotRecord>, share: &[u8]) -> Result<Changed<()>, SlotError> {
        if let Some(held) = held {
            return match held.status {
                _ if held.enrolled != self.hash => Err(SlotError::Taken),
                Status::Live => Ok(Changed {
                    record: None,
                    answer: (),
                }),
                Status::Destroyed | Status::Deleted => Err(SlotError::Gone),
            };
        }
        let share = <&[u8; 32]>::try_from(share).ok();
        let place = NodeIndex::new(self.content.index.max(1)).ok();
        let share = share
            .zip(place)
            .and_then(|(share, place)| KeyShare::from_bytes(place, share).ok())
            .ok_or(SlotError::BadSlot("its part of the key is no scalar"))?;
        let counters: Vec<Counter> = self.list.keys.iter().copied().map(Counter::new).collect();
        let record = SlotRecord {
            version: VERSION,
            tenant: self.content.tenant.clone(),
            slot: self.content.slot,
            admin_key: self.admin_key,
            index: self.content.index,
            enrolled: self.hash,
            status: Status::Live,
            share: Some(StoredShare::new(&share)),
            unlock_hash: self.content.unlock_hash,
            allowed: self.content.allowed,
            list: self.signed_list.clone(),
            number: self.list.number,
            counters,
        };
        Ok(Changed {
            record: Some(record),
            answer: (),
        })
    }
}

impl Counter {
    pub(super) const fn new(key: AuthKey) -> Self {
        Self {
            key,
            used: 0,
            attempts: Vec::new(),
        }
    }
}
