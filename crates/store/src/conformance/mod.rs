//! What every back end must do, as tests that a back end's own test file instantiates with [`conformance_tests!`](crate::conformance_tests).
//!
//! The suite is about storage: payloads and envelopes are made-up bytes, because a store trusts that they were verified.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests, exported"
)]

pub(crate) mod account_slots;
mod commit;
mod create;
mod delete;
mod events;
pub(crate) mod fixture;
mod limits;
mod login;
mod mailboxes;
mod node;
mod nonce;
mod reopen;
mod sessions;
mod slots;
mod tenants;
mod upkeep;

pub use account_slots::*;
pub use commit::*;
pub use create::*;
pub use delete::*;
pub use events::*;
pub use limits::*;
pub use login::*;
pub use mailboxes::*;
pub use node::*;
pub use nonce::*;
pub use reopen::*;
pub use sessions::*;
pub use slots::*;
pub use tenants::*;
pub use upkeep::*;

use crate::store::MetadataStore;

/// A place where a back end keeps its data, empty at first.
pub trait Backend: Send + Sync {
    /// The store under test.
    type Store: MetadataStore;

    /// Opens the store, or opens it again after it was dropped.
    fn open(&self) -> Self::Store;

    /// Every byte that the place holds for records, in any order, or `None` where that cannot be seen.
    fn record_bytes(&self) -> Option<Vec<u8>>;

    /// The same for nonces.
    fn nonce_bytes(&self) -> Option<Vec<u8>>;
}

/// Makes one `#[tokio::test]` of every check. The argument is an expression for a fresh [`Backend`].
///
/// `together NAME, PLACE, FUNCTION` makes a single test of all of them, for places that are slow to prepare: the function makes
/// fresh back ends of the place. It says which check it is at.
#[macro_export]
macro_rules! conformance_tests {
    (together $test:ident, $place:expr, $backend:expr) => {
        $crate::conformance_checks! { conformance_together, ($test, $place, $backend) }
    };
    ($backend:expr) => {
        $crate::conformance_checks! { conformance_each, ($backend) }
    };
    ($backend:expr; $($name:ident)*) => {
        $crate::conformance_each! { ($backend); $($name)* }
    };
}

/// Every check, handed to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_checks {
    ($then:ident, $arguments:tt) => {
        $crate::$then! { $arguments;
            one_of_many_creators_wins_the_locator
            one_of_many_creators_wins_the_account
            a_repeated_create_succeeds_again
            a_create_without_its_envelopes_or_nonce_changes_nothing
            a_refused_create_leaves_no_nonce
            one_of_many_committers_wins
            a_repeated_commit_succeeds_again
            a_commit_needs_every_envelope
            a_taken_locator_is_refused
            a_removed_locator_stays_with_its_account
            old_payloads_and_envelopes_are_erased
            a_session_that_ends_before_the_commit_commits_nothing
            deletion_leaves_a_tombstone_and_frees_the_locators
            a_repeated_deletion_succeeds_again
            events_are_chained_and_bounded
            logins_are_counted
            unknown_removed_and_mixed_factors_are_told_apart
            a_request_id_is_good_once
            request_ids_are_remembered_for_their_window
            only_proven_envelopes_are_given
            a_nonce_ends_with_the_upgrade
            a_replaced_nonce_is_gone
            only_the_named_nonce_is_released
            a_kit_holds_everything
            sessions_know_tenant_account_and_end
            a_removed_factor_ends_the_other_sessions
            a_mailbox_takes_each_message_once
            a_mailbox_is_made_in_a_session_and_once
            an_expired_mailbox_is_erased
            a_closed_mailbox_is_erased_and_never_opened_again
            an_account_has_so_many_mailboxes
            deletion_closes_the_mailboxes
            one_of_many_puts_wins_a_place
            tenants_never_meet
            nothing_acknowledged_is_lost_by_reopening
            a_slot_is_enrolled_once
            a_refused_slot_is_not_there
            an_account_has_so_many_slots
            a_commits_lists_are_in_force_with_it
            a_refused_commit_applies_no_list
            deletion_ends_the_slots
            an_ended_slot_is_erased
            slots_are_there_after_reopening
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_each {
    (($backend:expr); $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::conformance::$name(&$backend).await;
            }
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_together {
    (($test:ident, $place:expr, $backend:expr); $($name:ident)*) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            let place = $place;
            $(
                // Shown where the test fails.
                println!("{}", stringify!($name));
                $crate::conformance::$name(&$backend(&place)).await;
            )*
        }
    };
}
