use super::super::permit::BadPermit;
use super::super::signed::SignedError;
use crate::problem::ProblemCode;

/// Why an evaluator refuses. Nothing was changed and no guess was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SlotError {
    /// What was sent is not of the expected form or not signed by the key that it must be signed by.
    #[error("what was sent about the slot: {0}")]
    Signed(#[from] SignedError),
    /// Made for another evaluator.
    #[error("made for another evaluator")]
    OtherEvaluator,
    /// Too far from the evaluator's time.
    #[error("made at a time that is too far from this evaluator's: {server_time}")]
    Expired {
        /// The evaluator's unix seconds.
        server_time: u64,
    },
    /// No such slot.
    #[error("there is no such slot here")]
    NoSlot,
    /// Deleted, or destroyed when all its guesses were spent.
    #[error("the slot was deleted, or destroyed when all its guesses were spent")]
    Gone,
    /// Something else was enrolled under this id.
    #[error("another slot was enrolled under this id: choose another id")]
    Taken,
    /// Not a slot for this evaluator.
    #[error("this is no slot for this evaluator: {0}")]
    BadSlot(&'static str),
    /// Not permitted.
    #[error(transparent)]
    Permit(#[from] BadPermit),
    /// The key is not in the list in force.
    #[error("this key may not guess at the slot: its factor was removed, or never was in the list")]
    UnknownKey,
    /// All guesses of this key are spent.
    #[error("this key's guesses are spent")]
    Spent,
    /// The attempt was made with another element before.
    #[error("the attempt was made with another guess before")]
    AttemptReused,
    /// The element is the identity or not canonical.
    #[error("the blinded element is not one to evaluate")]
    BadElement,
    /// Not what unlocks, or no such attempt.
    #[error("the counter is not unlocked by this")]
    WrongUnlock,
}

impl SlotError {
    /// The code that an evaluator answers with.
    #[must_use]
    pub const fn code(&self) -> ProblemCode {
        match self {
            Self::Signed(SignedError::Malformed) => ProblemCode::MalformedRequest,
            Self::Signed(SignedError::UnknownVersion(_)) => ProblemCode::UnknownVersion,
            Self::Signed(SignedError::BadSignature) => ProblemCode::BadSignature,
            Self::OtherEvaluator => ProblemCode::WrongEvaluator,
            Self::Expired { .. } => ProblemCode::StatementExpired,
            Self::NoSlot => ProblemCode::NoSlot,
            Self::Gone => ProblemCode::SlotGone,
            Self::Taken => ProblemCode::SlotTaken,
            Self::BadSlot(_) => ProblemCode::BadSlot,
            Self::Permit(_) => ProblemCode::BadPermit,
            Self::UnknownKey => ProblemCode::UnknownGuessKey,
            Self::Spent => ProblemCode::GuessesSpent,
            Self::AttemptReused => ProblemCode::AttemptReused,
            Self::BadElement => ProblemCode::BadElement,
            Self::WrongUnlock => ProblemCode::WrongUnlock,
        }
    }

    /// With [`Self::Expired`]: the evaluator's unix seconds.
    #[must_use]
    pub const fn server_time(&self) -> Option<u64> {
        match self {
            Self::Expired { server_time } => Some(*server_time),
            _ => None,
        }
    }
}
