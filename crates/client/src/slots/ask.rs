//! Asking one evaluator, again where that can help.

use core::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use trefoil_protocol::bytes::SlotId;
use trefoil_protocol::guess::AnswerFault;
use trefoil_protocol::problem::{Problem, ProblemCode};
use url::Url;

use super::{Evaluator, SlotClient};
use crate::transport::{Request, Response, TransportError};

/// The longest honest answer: a list of 64 slots with their signed lists stays below.
const MAX_ANSWER: usize = 1024 * 1024;
/// No wait of ours is shorter.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);

/// An evaluator that did not contribute, and why.
#[derive(Debug)]
#[non_exhaustive]
pub struct EvaluatorReport {
    /// Its place in the slot: 0 for the metadata server.
    pub index: u16,
    /// What it did wrong.
    pub fault: EvaluatorFault,
}

/// Why an evaluator did not contribute.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluatorFault {
    /// Others were enough.
    #[error("was not waited for")]
    NotWaitedFor,
    /// The time was over.
    #[error("did not answer in time")]
    TooSlow,
    /// No answer at all.
    #[error("gave no answer: {0}")]
    NoAnswer(#[source] TransportError),
    /// It has no time now, or a fault that may pass.
    #[error("cannot answer now (status {status})")]
    Busy {
        /// Its HTTP status.
        status: StatusCode,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// It refused.
    #[error("refused: {0}")]
    Refused(Box<Problem>),
    /// Neither an answer nor a problem document.
    #[error("answered with status {status} in no known form")]
    Misbehaved {
        /// Its HTTP status.
        status: StatusCode,
    },
    /// The answer does not hold.
    #[error("gave a wrong answer: {0}")]
    WrongAnswer(#[source] AnswerFault),
    /// The address is neither https nor on this machine.
    #[error("its address is not one to send to")]
    BadAddress,
}

impl EvaluatorFault {
    /// The code of a refusal.
    #[must_use]
    pub fn code(&self) -> Option<ProblemCode> {
        match self {
            Self::Refused(problem) => Some(problem.code),
            _ => None,
        }
    }

    /// Whether asking again later can help.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::TooSlow | Self::NotWaitedFor => true,
            Self::NoAnswer(error) => error.is_transient(),
            _ => false,
        }
    }
}

/// The slot's calls, one route each.
#[derive(Debug, Clone, Copy)]
pub(super) enum Call {
    Enrol,
    Guess,
    Unlock,
    List,
    Delete,
}

impl Call {
    const fn name(self) -> &'static str {
        match self {
            Self::Enrol => "enrol",
            Self::Guess => "guess",
            Self::Unlock => "unlock",
            Self::List => "list",
            Self::Delete => "delete",
        }
    }
}

impl Evaluator {
    /// `{base}/slots/{slot}/{call}` at the metadata server, `{base}/slots/{call}` at a node.
    fn url(&self, slot: &SlotId, call: Call) -> Option<Url> {
        let mut url = self.base.clone()?;
        let mut path = url.path_segments_mut().ok()?;
        path.pop_if_empty().push("slots");
        if self.index == 0 {
            path.push(&slot.to_string());
        }
        path.push(call.name());
        drop(path);
        Some(url)
    }
}

impl SlotClient {
    /// Asks until there is an answer, a last refusal, or as often as the policy allows. `build` makes the request for the
    /// evaluator's present time, which its refusal may have to tell first.
    pub(super) async fn ask<T: DeserializeOwned, B: Serialize>(
        &self,
        evaluator: &Evaluator,
        (slot, call): (&SlotId, Call),
        build: impl Fn(u64) -> B + Send,
        deadline: Instant,
    ) -> Result<T, EvaluatorFault> {
        let url = evaluator
            .url(slot, call)
            .ok_or(EvaluatorFault::BadAddress)?;
        let (mut failed, mut corrected) = (0, false);
        let mut time = if evaluator.index == 0 {
            self.metadata.server_time()
        } else {
            self.environment.now()
        };
        loop {
            let request = Request::new(Method::POST, url.clone())
                .json(body(&build(time)))
                .max_body(MAX_ANSWER);
            let sent = tokio::time::timeout_at(deadline, self.transport.send(request)).await;
            let fault = match sent {
                Err(_) => return Err(EvaluatorFault::TooSlow),
                Ok(outcome) => match read(outcome) {
                    Ok(answer) => return Ok(answer),
                    Err(fault) => fault,
                },
            };
            match &fault {
                EvaluatorFault::Refused(problem)
                    if problem.code == ProblemCode::StatementExpired && !corrected =>
                {
                    let server = problem.server_time;
                    if let Some(server) = server
                        && self.environment.offset_to(server).is_some()
                    {
                        (time, corrected) = (server, true);
                        continue;
                    }
                    return Err(fault);
                }
                fault if !fault.may_pass() => {}
                _ => failed += 1,
            }
            let asked = match &fault {
                EvaluatorFault::Busy { retry_after, .. } => retry_after.unwrap_or_default(),
                _ => Duration::ZERO,
            };
            let wait = self
                .retry
                .delay(failed.max(1), &mut self.environment.rng())
                .max(SHORTEST_WAIT)
                .saturating_add(asked);
            let left = deadline.saturating_duration_since(Instant::now());
            if !fault.may_pass() || failed >= self.retry.attempts || wait >= left {
                return Err(fault);
            }
            tracing::debug!(place = evaluator.index, %fault, ?wait, "an evaluator is asked again");
            tokio::time::sleep(wait).await;
        }
    }
}

/// Everything sent consists of strings, numbers and lists: serialising it cannot fail.
fn body(value: &impl Serialize) -> Bytes {
    let json = zeroize::Zeroizing::new(serde_json::to_vec(value).unwrap_or_default());
    Bytes::from_owner(json)
}

fn read<T: DeserializeOwned>(
    outcome: Result<Response, TransportError>,
) -> Result<T, EvaluatorFault> {
    let response = outcome.map_err(EvaluatorFault::NoAnswer)?;
    let status = response.status;
    if status.is_success() {
        return serde_json::from_slice(&response.body)
            .map_err(|_| EvaluatorFault::Misbehaved { status });
    }
    let problem: Option<Box<Problem>> = serde_json::from_slice(&response.body).ok();
    let passes = status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT;
    if passes {
        let retry_after = problem.and_then(|problem| problem.retry_after);
        return Err(EvaluatorFault::Busy {
            status,
            retry_after: retry_after.map(Duration::from_secs),
        });
    }
    Err(match problem {
        Some(problem) => EvaluatorFault::Refused(problem),
        None => EvaluatorFault::Misbehaved { status },
    })
}
