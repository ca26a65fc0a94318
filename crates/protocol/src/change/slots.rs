//! What becomes of the slots of section 10 in a change, so that no slot is without its factor, no secondary factor without
//! its slot, and no slot that a record named is forgotten before its evaluators were told.

use alloc::vec::Vec;

use super::{Change, ChangeError};
use crate::account::AccountKeys;
use crate::bytes::SlotId;
use crate::factor::FactorKind;
use crate::guess::{GuessList, Retired, Signed, Slot};
use crate::opening::OpenAccount;
use crate::state::State;

/// The slots of the next record.
pub(super) struct NextSlots {
    pub(super) slots: Vec<Slot>,
    pub(super) retired: Vec<Retired>,
    /// To be applied with the commit.
    pub(super) lists: Vec<Signed<GuessList>>,
}

impl NextSlots {
    pub(super) const fn none() -> Self {
        Self {
            slots: Vec::new(),
            retired: Vec::new(),
            lists: Vec::new(),
        }
    }
}

impl OpenAccount {
    /// The indices of all factors that the account will have after `change`; those of the new factors come last, in their
    /// order. Slots are enrolled with them before the change is prepared.
    #[must_use]
    pub fn factors_after(&self, change: &Change) -> Vec<u32> {
        let kept = self.record.factors.iter().map(|entry| entry.index);
        let kept = kept.filter(|index| !change.remove.contains(index));
        let new = (self.state.next_index..=u32::MAX).zip(&change.add);
        kept.chain(new.map(|(index, _)| index)).collect()
    }

    pub(super) fn next_slots(&self, change: &Change, now: u64) -> Result<NextSlots, ChangeError> {
        let factors = self.factors_after(change);
        let revision = self.record.revision.saturating_add(1);
        let new_kinds = (self.state.next_index..=u32::MAX).zip(&change.add);
        let new_slots = new_kinds
            .clone()
            .filter_map(|(index, factor)| factor.slot.as_ref().map(|slot| (index, slot)));
        let renewed = change.renew_slots.iter().map(|slot| (slot.factor, slot));
        let mut added = Vec::new();
        for (index, slot) in renewed.chain(new_slots) {
            let known = factors.contains(&index) && slot.list == revision && slot.factor == index;
            if !known || added.iter().any(|slot: &Slot| slot.factor == index) {
                return Err(ChangeError::WrongSlot(index));
            }
            added.push(slot.clone());
        }
        let mut retired = still_retired(&self.state, &change.acknowledged);
        let mut slots = Vec::new();
        let mut lists = Vec::new();
        let list_changes = !change.add.is_empty() || !change.remove.is_empty();
        for slot in &self.state.slots {
            let goes = !factors.contains(&slot.factor)
                || added.iter().any(|new| new.factor == slot.factor);
            if goes {
                retired.push(Retired::slot(slot, &self.keys, now));
                continue;
            }
            let mut slot = slot.clone();
            if list_changes {
                lists.push(list(&self.keys, &mut slot, &factors, revision));
            }
            slots.push(slot);
        }
        slots.append(&mut added);
        let kinds = self
            .state
            .factors
            .iter()
            .map(|note| (note.index, note.kind));
        let kinds = kinds.chain(new_kinds.map(|(index, factor)| (index, factor.kind)));
        check_each_has_one(kinds.filter(|(index, _)| factors.contains(index)), &slots)?;
        Ok(NextSlots {
            slots,
            retired,
            lists,
        })
    }
}

/// All slots as a newer record has them, with lists for a server that may have lost the newest ones.
pub(super) fn restored(state: &State, account: &AccountKeys, revision: u64) -> NextSlots {
    let factors: Vec<u32> = state.factors.iter().map(|note| note.index).collect();
    let mut slots = state.slots.clone();
    let lists = slots
        .iter_mut()
        .map(|slot| list(account, slot, &factors, revision))
        .collect();
    NextSlots {
        slots,
        retired: state.retired.clone(),
        lists,
    }
}

fn list(
    account: &AccountKeys,
    slot: &mut Slot,
    factors: &[u32],
    revision: u64,
) -> Signed<GuessList> {
    slot.list = revision;
    let factors = factors.iter().copied();
    GuessList::sign(account, slot.id, slot.factor, factors, revision)
}

fn still_retired(state: &State, acknowledged: &[SlotId]) -> Vec<Retired> {
    let waiting = state.retired.iter();
    let waiting = waiting.filter(|retired| !acknowledged.contains(&retired.slot));
    waiting.cloned().collect()
}

/// Every factor that the user knows has its slot, and no other factor has one.
fn check_each_has_one(
    kinds: impl Iterator<Item = (u32, FactorKind)>,
    slots: &[Slot],
) -> Result<(), ChangeError> {
    for (index, kind) in kinds {
        let has = slots.iter().filter(|slot| slot.factor == index).count();
        if has != usize::from(!kind.is_primary()) {
            return Err(ChangeError::WrongSlot(index));
        }
    }
    Ok(())
}
