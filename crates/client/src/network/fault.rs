//! What one node did wrong.

use core::time::Duration;

use http::StatusCode;
use trefoil_protocol::problem::{Problem, ProblemCode};
use trefoil_protocol::social::{EvaluationError, ManifestError, NodeIndex, RefusedAnswer};

use super::BadNetwork;
use crate::transport::{Response, TransportError};

/// One node that did not contribute, and why.
#[derive(Debug)]
#[non_exhaustive]
pub struct NodeReport {
    /// Which node.
    pub index: NodeIndex,
    /// Why.
    pub fault: NodeFault,
}

/// Why a node did not contribute.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeFault {
    /// Others were faster; its answer was not waited for.
    #[error("was not waited for")]
    NotWaitedFor,
    /// No answer within the time limit of the whole call.
    #[error("did not answer in time")]
    TooSlow,
    /// No whole answer.
    #[error("gave no answer: {0}")]
    NoAnswer(#[source] TransportError),
    /// It has no time now, or cannot reach the login provider.
    #[error("cannot answer now (status {status})")]
    Busy {
        /// Its HTTP status.
        status: StatusCode,
        /// Its problem document, where it sent one.
        problem: Option<Box<Problem>>,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// It has no share of the epoch that was asked for: it has moved on, is not there yet, or has left the network.
    #[error("has no share of the epoch that was asked for")]
    OtherEpoch {
        /// The newest epoch in which it says that it answers; none where it has no share at all.
        newest: Option<u32>,
    },
    /// It refuses this login.
    #[error("refused: {0}")]
    Refused(Box<Problem>),
    /// Its answer is of no known form.
    #[error("answered with status {status} in no known form")]
    Misbehaved {
        /// Its HTTP status.
        status: StatusCode,
    },
    /// It serves manifests that do not follow the one at hand, or are none.
    #[error("serves a manifest that cannot be used: {0}")]
    WrongManifest(#[source] ManifestError),
    /// It serves a manifest with an address that cannot be called.
    #[error("serves a manifest that cannot be used: {0}")]
    WrongAddress(#[source] BadNetwork),
    /// Its answer cannot be used: damaged, unproven, or of another epoch.
    #[error("gave a wrong answer: {0}")]
    WrongAnswer(#[source] RefusedAnswer),
    /// It proved an answer for another user than `T` nodes agree on.
    #[error("answered for another user than the others")]
    OtherUser,
}

/// What follows from a fault for the login as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// May pass by itself.
    Transient,
    /// The token is refused.
    Relogin,
    /// The login is refused for a reason that another token does not change.
    Refused,
    /// The node is in another epoch than was asked for.
    OtherEpoch,
    /// The node is faulty or lies.
    Faulty,
}

impl NodeFault {
    pub(super) fn meaning(&self) -> Meaning {
        match self {
            Self::NotWaitedFor | Self::TooSlow | Self::Busy { .. } => Meaning::Transient,
            Self::NoAnswer(error) if error.is_transient() => Meaning::Transient,
            Self::Refused(problem) if asks_for_relogin(problem.code) => Meaning::Relogin,
            Self::Refused(_) => Meaning::Refused,
            Self::OtherEpoch { .. }
            | Self::WrongAnswer(RefusedAnswer::Evaluation(EvaluationError::Epoch { .. })) => {
                Meaning::OtherEpoch
            }
            Self::NoAnswer(_)
            | Self::Misbehaved { .. }
            | Self::WrongManifest(_)
            | Self::WrongAddress(_)
            | Self::WrongAnswer(_)
            | Self::OtherUser => Meaning::Faulty,
        }
    }

    pub(super) fn is_transient(&self) -> bool {
        self.meaning() == Meaning::Transient
    }

    pub(super) fn is_refusal(&self) -> bool {
        matches!(self.meaning(), Meaning::Relogin | Meaning::Refused)
    }

    /// Whether the network may be in another epoch than was asked for.
    pub(super) fn hints_at_another_epoch(&self) -> bool {
        self.meaning() == Meaning::OtherEpoch
    }

    /// Whether the node has not yet come to `epoch`, as far as it says.
    pub(super) fn is_behind(&self, epoch: u32) -> bool {
        matches!(self, Self::OtherEpoch { newest } if newest.is_none_or(|newest| newest < epoch))
    }

    /// Whether the same request may succeed a little later.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Busy { .. } => true,
            Self::NoAnswer(error) => error.is_transient(),
            _ => false,
        }
    }

    pub(super) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    pub(super) fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) => Some(problem),
            Self::Busy { problem, .. } => problem.as_deref(),
            _ => None,
        }
    }

    /// What a node means by an answer other than success.
    pub(super) fn of_refusal(response: &Response) -> Self {
        let status = response.status;
        let problem: Option<Box<Problem>> = serde_json::from_slice(&response.body).ok();
        match problem
            .as_ref()
            .map(|problem| (problem.code, problem.epoch))
        {
            Some((ProblemCode::OtherEpoch, newest)) => return Self::OtherEpoch { newest },
            Some((ProblemCode::NoShare, _)) => return Self::OtherEpoch { newest: None },
            _ => {}
        }
        if status.is_server_error()
            || status == StatusCode::TOO_MANY_REQUESTS
            || status == StatusCode::REQUEST_TIMEOUT
        {
            let retry_after = problem
                .as_ref()
                .and_then(|problem| problem.retry_after)
                .map(Duration::from_secs);
            let retry_after = retry_after.or_else(|| header_seconds(response));
            return Self::Busy {
                status,
                problem,
                retry_after,
            };
        }
        match problem {
            Some(problem) => Self::Refused(problem),
            None => Self::Misbehaved { status },
        }
    }
}

/// The header's seconds; a date instead (RFC 9110 section 10.2.3) is not read.
fn header_seconds(response: &Response) -> Option<Duration> {
    let seconds = response
        .headers
        .get(http::header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}

/// Whether going to the provider again can help.
const fn asks_for_relogin(code: ProblemCode) -> bool {
    matches!(
        code,
        ProblemCode::TokenTooLarge
            | ProblemCode::TokenMalformed
            | ProblemCode::TokenAlgorithmRefused
            | ProblemCode::TokenUnknownKey
            | ProblemCode::TokenBadSignature
            | ProblemCode::TokenWrongIssuer
            | ProblemCode::TokenWrongAudience
            | ProblemCode::TokenExpired
            | ProblemCode::TokenTooOld
            | ProblemCode::TokenIssuedInFuture
            | ProblemCode::TokenNotYetValid
            | ProblemCode::TokenWrongNonce
            | ProblemCode::TokenMissingClaim
            | ProblemCode::TokenUnverifiedEmail
    )
}
