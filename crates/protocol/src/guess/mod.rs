//! Section 10: secondary factors, whose guesses are counted.
//!
//! What a user knows is stretched and then put through an OPRF whose key is shared between the metadata server and the nodes.
//! Each of them counts durably before it answers, per guess key: per other factor by which the account's state was opened.
//!
//! [`DealtSlot::deal`] makes a slot, [`GuessRound`] is a client's part of one guess, [`SlotRecord`] an evaluator's.

mod dealing;
mod evaluator;
mod evaluator_name;
mod keys;
mod list;
mod permit;
mod retired;
mod round;
mod signed;
mod slot;
mod wire;

pub use dealing::{DealError, DealtSlot, Guessable, NewSlot, NodePlace, open_share, share_info};
pub use evaluator::{Changed, OpenedEnrolment, RecordError, SlotError, SlotRecord};
pub use evaluator_name::EvaluatorName;
pub use keys::UnlockTag;
pub use list::GuessList;
pub use permit::{BadPermit, PERMIT_SECONDS, Permit};
pub use retired::Retired;
pub use round::{AnswerFault, GuessError, GuessRound, Outcome, PreparedGuess};
#[cfg(feature = "openapi")]
pub(crate) use signed::Form;
pub use signed::{Signable, Signed, SignedError, VERSION};
pub use slot::{Knowledge, Question, SealedSecret, Slot, SlotNode, StretchCost};
pub use wire::{
    Count, DEFAULT_ALLOWED, EnrolRequest, EnrolResponse, Guess, GuessAnswer, GuessRequest,
    HeldSlot, ListAnswer, ListRequest, MAX_ALLOWED, MAX_REQUEST, OwnersClaim, PermitKeyResponse,
    SlotClaim, SlotDeleteRequest, SlotDeletion, SlotEnrolment, SlotsResponse, Unlock,
    UnlockRequest,
};

/// Slots are immutable: their committees have one epoch.
pub const SLOT_EPOCH: u32 = 1;
