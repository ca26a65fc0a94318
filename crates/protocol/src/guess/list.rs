//! Which keys may guess at a slot.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::signed::{Signable, Signed, SignedError, VERSION};
use crate::account::AccountKeys;
use crate::bytes::{AuthKey, SlotId};
use crate::record::MAX_FACTORS;

/// The guess keys of a slot, signed by its admin key. An evaluator takes a list only in place of one with a lower number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuessList {
    /// [`VERSION`].
    pub version: u32,
    /// Which slot.
    pub slot: SlotId,
    /// The revision of the record that brought this list.
    pub number: u64,
    /// One for each other factor of the account, at most [`MAX_FACTORS`], none twice.
    pub keys: Vec<AuthKey>,
}

impl Signable for GuessList {
    const LABEL: &'static str = "guess/list";
    const MAX: usize = 256 + 48 * MAX_FACTORS;
}

impl GuessList {
    /// The list for a slot that belongs to the factor `own`, out of the indices of all factors of the account as of
    /// revision `number`.
    #[must_use]
    pub fn sign(
        account: &AccountKeys,
        slot: SlotId,
        own: u32,
        factors: impl IntoIterator<Item = u32>,
        number: u64,
    ) -> Signed<Self> {
        let others = factors.into_iter().filter(|index| *index != own);
        let list = Self {
            version: VERSION,
            slot,
            number,
            keys: others
                .map(|index| account.guess_seed(index).guess_key(&slot).auth_key())
                .collect(),
        };
        Signed::sign(&list, &account.slot_admin(slot.as_bytes()))
    }

    /// Whether it may be taken at all: no key twice, not too many.
    pub(super) fn is_sound(&self) -> bool {
        let mut keys = self.keys.clone();
        keys.sort_unstable();
        keys.dedup();
        keys.len() == self.keys.len() && keys.len() <= MAX_FACTORS && self.number > 0
    }
}

impl Signed<GuessList> {
    /// The slot that it says it is for, to look that up with. Nothing is verified: the slot's own key has to have signed it.
    ///
    /// # Errors
    /// [`SignedError::Malformed`], [`SignedError::UnknownVersion`].
    pub fn stated_slot(&self) -> Result<SlotId, SignedError> {
        self.read_unverified().map(|list| list.slot)
    }
}
