//! The slots of an evaluator: what real records go through when many ask at once, at any store.
//!
//! The invariant of counted guesses: however many guesses come at once, a guess key gets at most as many answers as it is
//! allowed since its counter was last set back. That holds only if a store's compare-and-set does.

mod changes;
mod owner;
mod races;
mod storing;

pub use changes::*;
pub use owner::{AccountSlots, first_record};
pub use races::*;
pub use storing::*;

use trefoil_protocol::guess::OpenedEnrolment;

use crate::error::StoreError;
use crate::slot_store::SlotStore;

/// A place where a back end keeps slots, empty at first.
pub trait SlotBackend: Send + Sync {
    /// The store under test.
    type Store: SlotStore;

    /// Opens the store, or opens it again after it was dropped.
    fn open(&self) -> Self::Store;

    /// Takes a slot in, as the evaluator behind this store does.
    fn create(
        &self,
        store: &Self::Store,
        enrolment: OpenedEnrolment,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Every byte that the place holds for slots, in any order, or `None` where that cannot be seen.
    fn bytes(&self) -> Option<Vec<u8>>;
}

/// Makes one `#[tokio::test]` of every check. The argument is an expression for a fresh [`SlotBackend`].
#[macro_export]
macro_rules! slot_conformance_tests {
    ($backend:expr) => {
        $crate::conformance_tests! { $backend;
            a_slot_is_there_once_it_is_created
            a_record_is_replaced_by_compare_and_set
            a_record_survives_reopening
            no_change_of_many_writers_is_lost
            no_more_guesses_are_answered_than_are_allowed
            a_repeated_attempt_counts_once
            guess_keys_do_not_spend_each_others_guesses
            unlocks_and_lists_between_guesses_give_none_away
            counts_go_on_after_reopening
            a_destroyed_key_is_gone_from_the_place
        }
    };
}
