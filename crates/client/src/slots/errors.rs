use trefoil_protocol::guess::{DealError, GuessError as RoundError};
use trefoil_protocol::problem::ProblemCode;

use super::{EvaluatorFault, EvaluatorReport};
use crate::metadata::{Misbehaviour, Offline};

/// Why a guess came to no end. Evaluators that were reached may have counted it, once.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuessError {
    /// Too few answers: run the same attempt again, when the connection or the servers are back.
    #[error(
        "too few of the servers that count guesses can be reached now ({}); try again, it costs no further guess",
        list(.reports)
    )]
    Unreachable {
        /// Who did not contribute, and why.
        reports: Vec<EvaluatorReport>,
    },
    /// The guess key's guesses are spent; guess starting from another factor.
    #[error(
        "all guesses of this factor are spent; start from another factor, whose guesses count for themselves"
    )]
    Spent,
    /// The slot is gone: its guesses were all spent, or it was replaced. Open the account with other factors.
    #[error(
        "nobody can guess at this any more: all guesses were spent, or it was replaced meanwhile; use another factor"
    )]
    Gone,
    /// The factor that guesses was removed from the account: open the account again.
    #[error("the factor you started from may not guess any more: it was removed from the account")]
    KeyRemoved,
    /// The evaluators' clocks and their own words about it do not go together.
    #[error(
        "the servers that count guesses do not accept their own time; set this device's clock and try again"
    )]
    ClockWrong,
    /// Evaluators broke the protocol: more of them than can be spared.
    #[error("more of the servers that count guesses are faulty than can be spared ({})", list(.reports))]
    Misbehaved {
        /// Who did not contribute, and why.
        reports: Vec<EvaluatorReport>,
    },
    /// The account's state or the question is at fault.
    #[error(transparent)]
    Slot(#[from] RoundError),
}

/// Why a slot was not enrolled. Nothing relies on it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnrolError {
    /// The slot could not be made.
    #[error(transparent)]
    Deal(#[from] DealError),
    /// The metadata server cannot be reached.
    #[error(transparent)]
    Offline(#[from] Offline),
    /// Log in again.
    #[error("the session has ended; log in again")]
    SessionEnded,
    /// The account has too many slots, most of them of changes that were never committed: end those first.
    #[error(
        "the account has too many slots: end those that no factor uses, by tending the slots, and try again"
    )]
    TooManySlots,
    /// The metadata server refused.
    #[error("the metadata server refused to take the slot: {0}")]
    Refused(Box<trefoil_protocol::problem::Problem>),
    /// The metadata server broke the protocol.
    #[error(transparent)]
    ServerMisbehaved(#[from] Misbehaviour),
    /// Too few nodes took it; try again when more are up.
    #[error("only {accepted} of {nodes} nodes took the slot, {needed} must ({}); try again later", list(.reports))]
    TooFewNodes {
        /// Nodes that took it.
        accepted: usize,
        /// Nodes that must.
        needed: usize,
        /// Nodes there are.
        nodes: usize,
        /// Who did not, and why.
        reports: Vec<EvaluatorReport>,
    },
}

impl GuessError {
    /// What missing answers come to. `needed` nodes must answer, `missing` of them did not, `spare` may fail.
    pub(super) fn weigh(
        needed: usize,
        missing: usize,
        spare: usize,
        reports: Vec<EvaluatorReport>,
    ) -> Self {
        debug_assert!(missing <= needed, "no more are missing than are needed");
        // The server's word, and that of more nodes than can be spared: among those is an honest one.
        let says = |code: ProblemCode| {
            let of = |report: &&EvaluatorReport| report.fault.code() == Some(code);
            let server = reports.iter().filter(of).any(|report| report.index == 0);
            let nodes = reports.iter().filter(of).filter(|report| report.index != 0);
            server || nodes.count() > spare
        };
        if says(ProblemCode::GuessesSpent) {
            return Self::Spent;
        }
        if says(ProblemCode::SlotGone) || says(ProblemCode::NoSlot) {
            return Self::Gone;
        }
        if says(ProblemCode::UnknownGuessKey) {
            return Self::KeyRemoved;
        }
        if says(ProblemCode::StatementExpired) {
            return Self::ClockWrong;
        }
        let lasting = |report: &&EvaluatorReport| !report.fault.may_pass();
        let server = reports
            .iter()
            .filter(lasting)
            .any(|report| report.index == 0);
        let nodes = reports
            .iter()
            .filter(lasting)
            .filter(|report| report.index != 0);
        if server || nodes.count() > spare {
            Self::Misbehaved { reports }
        } else {
            Self::Unreachable { reports }
        }
    }
}

/// Those at fault, by name.
fn list(reports: &[EvaluatorReport]) -> String {
    let at_fault =
        |report: &&EvaluatorReport| !matches!(report.fault, EvaluatorFault::NotWaitedFor);
    let named = reports.iter().filter(at_fault).map(|report| {
        let EvaluatorReport { index, fault } = report;
        match index {
            0 => format!("the metadata server {fault}"),
            _ => format!("node {index} {fault}"),
        }
    });
    named.collect::<Vec<_>>().join("; ")
}
