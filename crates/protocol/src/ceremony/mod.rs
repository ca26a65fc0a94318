//! Section 9, how a network gets its key and moves it: key generation, refresh, and the move to another committee.
//!
//! A ceremony has six steps. A coordinator, who needs no trust, carries every message; the nodes sign what they say and
//! seal what only one other may read.
//!
//! | step | what a node does |
//! | --- | --- |
//! | plan | takes a [`SignedPlan`] that it was told to take, answers with its [`Join`]: a fresh key to seal to |
//! | deal | holds the joins of all members, answers with its [`Dealing`] |
//! | hold | checks what was dealt to it, keeps its new share and says so: [`Held`], with the manifest that follows |
//! | sign | sees that *every* member holds its share, signs that manifest: at most one for an epoch |
//! | activate | takes the manifest that a quorum signed, serves the new epoch beside the old: [`Active`] |
//! | finish | sees that *every* member is active; the old shares are erased when the overlap ends |
//!
//! A manifest so never names a node that did not say that it holds its share, and no old share goes before all new ones
//! are in use. Every step can be repeated; the answer is the same.

mod dealing;
mod join;
mod message;
mod order;
mod plan;
mod receipt;
mod successor;
mod wire;

pub use dealing::{Dealing, DealtShares};
pub use join::{Join, Joins};
pub use message::{MessageError, NodeMessage};
pub use order::Order;
pub use plan::{Plan, PlanError, PlanNode, SignedPlan, VerifiedPlan};
pub use receipt::{Active, Held};
pub use successor::{SuccessorError, check_successor, successor};
pub use wire::{
    ActivateRequest, CeremonyStatus, DealRequest, FinishRequest, FinishResponse, HoldRequest,
    HoldResponse, MAX_CEREMONY_BODY, PlanRequest, PlanResponse, SignRequest, SignedNext,
};

#[cfg(test)]
mod tests;
