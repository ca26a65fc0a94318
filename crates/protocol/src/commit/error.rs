use crate::problem::ProblemCode;

/// Why one record may not replace another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// A first record must have revision 1, epoch 1 and not restore.
    #[error("a first record has revision 1, epoch 1 and restores nothing")]
    NotFirst,
    /// Another account key or id.
    #[error("the account's key cannot change")]
    WrongAccountKey,
    /// Neither the next revision, nor a higher one that restores.
    #[error("the new record's revision does not follow the current one's")]
    WrongRevision,
    /// The record that it replaces is not the one it names.
    #[error("the new record does not name the current one as its previous")]
    WrongPrevious,
    /// MFA once on stays on.
    #[error("an account that left one-click cannot go back to it")]
    CustodyReversed,
    /// The epoch jumps, falls, or stays where shares must change.
    #[error(
        "the epoch must stay or grow by one, and must grow where a factor leaves or threshold or custody change"
    )]
    WrongEpoch,
    /// An entry that is carried over was changed.
    #[error("the entry of the kept factor {index} was changed")]
    ChangedEntry {
        /// Whose entry.
        index: u32,
    },
    /// A new factor took an index that was in use or is lower than one in use.
    #[error("the new factor {index} must have an index above all current ones")]
    ReusedIndex {
        /// The index.
        index: u32,
    },
    /// The envelope hash of a kept factor changed without a new epoch, or stayed with one.
    #[error("the envelope of factor {index} must change exactly when the epoch does")]
    EnvelopeHash {
        /// Whose envelope.
        index: u32,
    },
    /// `m = t` after an upgrade or a change of threshold: any single loss would be final.
    #[error("there must be more factors than the threshold, or any single loss would be final")]
    NoSpareFactor,
}

impl CommitError {
    /// The code that a server answers with.
    #[must_use]
    pub const fn code(&self) -> ProblemCode {
        match self {
            Self::NotFirst => ProblemCode::BadRecord,
            Self::WrongAccountKey => ProblemCode::WrongAccountKey,
            Self::WrongRevision => ProblemCode::WrongRevision,
            Self::WrongPrevious => ProblemCode::WrongPrevious,
            Self::CustodyReversed => ProblemCode::CustodyReversed,
            Self::WrongEpoch => ProblemCode::WrongEpoch,
            Self::ChangedEntry { .. } | Self::ReusedIndex { .. } => ProblemCode::ChangedEntry,
            Self::EnvelopeHash { .. } => ProblemCode::EnvelopeHashMismatch,
            Self::NoSpareFactor => ProblemCode::NoSpareFactor,
        }
    }
}
