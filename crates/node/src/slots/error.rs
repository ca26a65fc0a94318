use trefoil_protocol::guess::SlotError;
use trefoil_protocol::problem::{Problem, ProblemCode};
use trefoil_store::StoreError;

/// Why a node does not do what it was asked about a slot. No guess was counted on account of it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SlotsError {
    /// The request does not fit the slot; the error says why.
    #[error(transparent)]
    Slot(#[from] SlotError),
    /// The share is not sealed to a key that this node has.
    #[error(
        "the share is not sealed to a key of this node, which is in epoch {current}: fetch the network's current manifest"
    )]
    OtherKey {
        /// The newest epoch in which it answers.
        current: u32,
    },
    /// Not in the network's committee, or not yet: it keeps the slots that it has and takes no more.
    #[error("this node has no share of its network's key now and takes no slots: leave it out")]
    NoShare,
    /// The slot changes all the time, or the store has no time.
    #[error("the slot is busy: try again")]
    Busy,
    /// The store failed.
    #[error("the node cannot store what it is told now: try again later")]
    Store(#[source] StoreError),
    /// What is stored is not this slot, sealed by this node.
    #[error("a stored slot is damaged")]
    Damaged,
}

impl From<StoreError> for SlotsError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy => Self::Busy,
            error => Self::Store(error),
        }
    }
}

impl SlotsError {
    /// The code that the node answers with.
    #[must_use]
    pub const fn code(&self) -> ProblemCode {
        match self {
            Self::Slot(error) => error.code(),
            Self::OtherKey { .. } => ProblemCode::OtherEpoch,
            Self::NoShare => ProblemCode::NoShare,
            Self::Busy | Self::Store(_) => ProblemCode::Unavailable,
            Self::Damaged => ProblemCode::Internal,
        }
    }

    pub(super) fn problem(&self) -> Problem {
        let mut problem = Problem::new(self.code(), self.to_string());
        match self {
            Self::Slot(error) => problem.server_time = error.server_time(),
            Self::OtherKey { current } => problem.epoch = Some(*current),
            _ => {}
        }
        problem
    }
}
