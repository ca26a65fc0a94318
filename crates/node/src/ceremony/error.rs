//! Why a node does not take a step.

use trefoil_protocol::ceremony::{MessageError, PlanError, SuccessorError};
use trefoil_protocol::problem::{Problem, ProblemCode};
use trefoil_protocol::seal::hpke::SealError;
use trefoil_protocol::social::{ManifestError, ReshareError};

use crate::state::StateError;

/// Why a node does not take a step of a ceremony. Nothing has changed then.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CeremonyError {
    /// Not JSON of the expected form.
    #[error("the request is not of the expected form")]
    Malformed,
    /// Nobody told this node to follow such a plan.
    #[error(
        "this node was not told to follow such a plan: name the coordinator in its settings, or approve the plan there"
    )]
    Refused,
    /// Asked by somebody else than the coordinator.
    #[error(
        "only the coordinator may lead a ceremony: sign the request with the key of the plan, or with the one that this node is told to follow"
    )]
    NotTheCoordinator,
    /// The plan itself.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Named at an address that is not this node's.
    #[error("the plan names this node at {0}, and its settings at another address")]
    OtherAddress(String),
    /// A dealt share of another node.
    #[error(
        "the dealt share belongs to another node than the key file: use the key file that was dealt with it"
    )]
    OtherKey,
    /// A key is to be made where there is one.
    #[error("this node belongs to a network already: its key can be moved, not made anew")]
    NetworkExists,
    /// Another ceremony, or none.
    #[error("this node is in another ceremony, or in none: begin again with the plan")]
    OtherCeremony,
    /// Shown other joins than before.
    #[error(
        "this node was shown other joins before: somebody tells different nodes different things; make a new plan"
    )]
    OtherJoins,
    /// Signed another manifest for the same epoch.
    #[error("this node signed another manifest for the epoch to come: finish that ceremony first")]
    Decided,
    /// What another node said.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// What these nodes dealt.
    #[error("what nodes {0:?} dealt does not fit: go on without them")]
    BadDealing(Vec<u16>),
    /// The dealings do not make a share.
    #[error("the dealings do not go together: {0}")]
    Reshare(ReshareError),
    /// The key generation failed and nobody can be named.
    #[error("the key generation failed: make a new plan")]
    KeyGeneration,
    /// This node has no part in the step.
    #[error("this node has no part in that step of the ceremony")]
    NotAMember,
    /// Held shares for so many manifests already.
    #[error(
        "this node holds shares for too many manifests to come: finish one of the ceremonies first"
    )]
    TooManyHeld,
    /// A manifest that does not follow.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A manifest other than planned.
    #[error(transparent)]
    Successor(#[from] SuccessorError),
    /// A member's key cannot be sealed to.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The store.
    #[error(transparent)]
    State(#[from] StateError),
}

impl CeremonyError {
    /// The problem that the node answers with.
    #[must_use]
    pub const fn code(&self) -> ProblemCode {
        match self {
            Self::Malformed => ProblemCode::MalformedRequest,
            Self::Refused | Self::NotTheCoordinator => ProblemCode::PlanRefused,
            Self::Plan(PlanError::Stale { .. }) => ProblemCode::StalePlan,
            Self::Plan(_) | Self::OtherAddress(_) => ProblemCode::BadPlan,
            Self::NetworkExists => ProblemCode::NetworkExists,
            Self::OtherCeremony => ProblemCode::OtherCeremony,
            Self::Decided => ProblemCode::CeremonyDecided,
            Self::OtherJoins | Self::Message(_) | Self::Seal(_) | Self::TooManyHeld => {
                ProblemCode::BadCeremonyMessage
            }
            Self::BadDealing(_) | Self::Reshare(_) | Self::KeyGeneration => ProblemCode::BadDealing,
            Self::NotAMember | Self::OtherKey => ProblemCode::NotAMember,
            Self::Manifest(_) | Self::Successor(_) => ProblemCode::BadManifest,
            Self::State(_) => ProblemCode::Unavailable,
        }
    }

    /// The document.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let mut problem = Problem::new(self.code(), self.to_string());
        match self {
            Self::BadDealing(nodes) => problem.nodes.clone_from(nodes),
            Self::Message(message) => problem.nodes.extend(message.node()),
            Self::Plan(PlanError::Stale { current }) => problem.epoch = Some(*current),
            _ => {}
        }
        problem
    }
}

impl From<ReshareError> for CeremonyError {
    fn from(error: ReshareError) -> Self {
        match error {
            ReshareError::ForeignShare(nodes) | ReshareError::BadSubShare(nodes) => {
                Self::BadDealing(nodes.into_iter().map(u16::from).collect())
            }
            other => Self::Reshare(other),
        }
    }
}
