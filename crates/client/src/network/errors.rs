//! Why the network gave no secret, by what the caller can do next.

use core::time::Duration;

use trefoil_protocol::problem::{Problem, ProblemCode};
use trefoil_protocol::social::EvaluateRequestError;

use super::fault::{Meaning, NodeReport};

/// Why a social login gave no secret. Each variant is one thing to do next; all name the nodes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocialError {
    /// Nothing was sent: every node would refuse this token or generation.
    #[error(transparent)]
    Unusable(#[from] EvaluateRequestError),
    /// Try again later: too many nodes cannot be reached or have no time.
    #[error("too few nodes can be reached now; check the connection and try again")]
    Offline {
        /// The longest wait that a node asks for.
        retry_after: Option<Duration>,
        /// Every node that did not contribute.
        reports: Vec<NodeReport>,
    },
    /// Go to the login provider again: the nodes refuse this ID token.
    #[error("the nodes refuse this login ({}); log in again", problem.code)]
    Relogin {
        /// What most of the refusing nodes say.
        problem: Box<Problem>,
        /// Every node that did not contribute.
        reports: Vec<NodeReport>,
    },
    /// Give up: the network does not serve this tenant or verifier, or does not understand this client.
    #[error("the nodes do not serve this login ({}); the app's settings do not fit the network", problem.code)]
    Refused {
        /// What most of the refusing nodes say.
        problem: Box<Problem>,
        /// Every node that did not contribute.
        reports: Vec<NodeReport>,
    },
    /// Try again later: the nodes are in different epochs, and until the time limit too few of them were in one that this
    /// client can follow. Where it lasts, the app carries a manifest that is too old or another network's.
    #[error("too few nodes answer in one epoch now; try again later, or update the app")]
    ManifestOutdated {
        /// Every node that did not contribute.
        reports: Vec<NodeReport>,
    },
    /// Give up or tell the operators: too many nodes are faulty or lie.
    #[error(
        "only {good} of the {needed} nodes needed gave a right answer; the network is faulty or under attack"
    )]
    TooFewHonest {
        /// Answers needed that agree.
        needed: usize,
        /// The most that agreed.
        good: usize,
        /// Every node that did not contribute.
        reports: Vec<NodeReport>,
    },
}

impl SocialError {
    /// The nodes that did not contribute; empty where nothing was sent.
    #[must_use]
    pub fn reports(&self) -> &[NodeReport] {
        match self {
            Self::Unusable(_) => &[],
            Self::Offline { reports, .. }
            | Self::Relogin { reports, .. }
            | Self::Refused { reports, .. }
            | Self::ManifestOutdated { reports }
            | Self::TooFewHonest { reports, .. } => reports,
        }
    }

    /// The code that most of the refusing nodes gave.
    #[must_use]
    pub fn code(&self) -> Option<ProblemCode> {
        match self {
            Self::Unusable(error) => Some(error.code()),
            Self::Relogin { problem, .. } | Self::Refused { problem, .. } => Some(problem.code),
            _ => None,
        }
    }

    /// Whether no other epoch can change the outcome.
    pub(super) const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Unusable(_) | Self::Relogin { .. } | Self::Refused { .. }
        )
    }

    /// Weighs the nodes' faults. `good` answers agree where `needed` of `nodes` would have to.
    pub(super) fn weigh(
        nodes: usize,
        needed: usize,
        good: usize,
        reports: Vec<NodeReport>,
    ) -> Self {
        let count = |meaning| {
            reports
                .iter()
                .filter(|report| report.fault.meaning() == meaning)
                .count()
        };
        let (transient, other_epoch) = (count(Meaning::Transient), count(Meaning::OtherEpoch));
        let (relogin, refused) = (count(Meaning::Relogin), count(Meaning::Refused));
        // More refusals than nodes that may be missing: an honest node is among them, and no other way is left.
        let final_refusal = relogin + refused > nodes.saturating_sub(needed);
        // Those that are merely busy or gone would do: waiting helps more than another epoch.
        let may_pass = good + transient >= needed;
        if !final_refusal && !may_pass && good + other_epoch + transient >= needed {
            return Self::ManifestOutdated { reports };
        }
        if !final_refusal && may_pass {
            let retry_after = reports
                .iter()
                .filter_map(|report| report.fault.retry_after())
                .max();
            return Self::Offline {
                retry_after,
                reports,
            };
        }
        let meaning = if relogin >= refused {
            Meaning::Relogin
        } else {
            Meaning::Refused
        };
        match most_common(&reports, meaning) {
            Some(problem) if meaning == Meaning::Relogin => Self::Relogin { problem, reports },
            Some(problem) => Self::Refused { problem, reports },
            None => Self::TooFewHonest {
                needed,
                good,
                reports,
            },
        }
    }
}

fn most_common(reports: &[NodeReport], meaning: Meaning) -> Option<Box<Problem>> {
    let problems: Vec<&Problem> = reports
        .iter()
        .filter(|report| report.fault.meaning() == meaning)
        .filter_map(|report| report.fault.problem())
        .collect();
    let votes = |problem: &Problem| {
        problems
            .iter()
            .filter(|other| other.code == problem.code)
            .count()
    };
    problems
        .iter()
        .max_by_key(|problem| votes(problem))
        .map(|problem| Box::new((*problem).clone()))
}
