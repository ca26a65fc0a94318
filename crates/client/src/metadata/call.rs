//! One call: build, send, repeat where that can help, read the answer.

use core::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use trefoil_protocol::problem::{Problem, ProblemCode};
use url::Url;

use super::{MetadataClient, Misbehaviour, Offline, Session};
use crate::transport::{Request, Response, TransportError};

/// The longest honest answer: a record of 255 factors with all its envelopes, in base64, is about half of this.
const MAX_ANSWER: usize = 1024 * 1024;

/// Why a call failed, before its own error type gives it a meaning.
#[derive(Debug)]
pub(super) enum Failure {
    Offline(Offline),
    Misbehaved(Misbehaviour),
    Problem(Box<Problem>),
}

/// A good answer.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    body: Bytes,
}

impl Answer {
    /// Parses the body. Unknown fields and anything behind the JSON value are refused.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Misbehaviour> {
        serde_json::from_slice(&self.body).map_err(|_| Misbehaviour::Form {
            status: self.status,
        })
    }
}

/// What to do after one attempt.
enum Next {
    Done(Answer),
    Fail(Failure),
    /// Wait as asked, and then as the policy says.
    Again(Failure, Option<Duration>),
    /// With the server's clock.
    WithTime(u64, Failure),
}

impl MetadataClient {
    /// A request within a session.
    pub(super) fn in_session(&self, method: Method, session: &Session, path: &[&str]) -> Request {
        let id = session.account_id().to_string();
        let url = self.url(["accounts", &id].into_iter().chain(path.iter().copied()));
        request(method, url).header(header::AUTHORIZATION, session.bearer())
    }

    /// A request outside any session.
    pub(super) fn outside(&self, method: Method, path: &str) -> Request {
        request(method, self.url([path]))
    }

    /// A request outside any session, at a longer path.
    pub(super) fn at_path<'a>(
        &self,
        method: Method,
        path: impl IntoIterator<Item = &'a str>,
    ) -> Request {
        request(method, self.url(path))
    }

    /// Sends what `build` makes until there is an answer that repeating cannot change.
    ///
    /// `build` is asked again for every attempt, so that each carries statements with the present time and request
    /// ids of their own. The calls of this protocol can all be repeated: a login is a login, and a create or commit
    /// of the same payload succeeds again.
    pub(super) async fn call(&self, mut build: impl FnMut() -> Request) -> Result<Answer, Failure> {
        let deadline = self.retry.deadline();
        let (mut attempt, mut repeated, mut time_learned) = (1, false, false);
        loop {
            let request = build();
            let limit = request.max_body;
            let sent = tokio::time::timeout_at(deadline, self.transport.send(request)).await;
            let outcome = sent.unwrap_or_else(|_| {
                Err(TransportError::TimedOut {
                    host: self.audience.clone(),
                })
            });
            repeated |= outcome
                .as_ref()
                .err()
                .is_some_and(TransportError::may_have_arrived);
            let (failure, asked) = match judge(outcome, limit, repeated) {
                Next::Done(answer) => return Ok(answer),
                Next::Fail(failure) => return Err(failure),
                Next::WithTime(server, failure) => {
                    if time_learned || !self.learn_time(server) {
                        return Err(failure);
                    }
                    time_learned = true;
                    continue;
                }
                Next::Again(failure, asked) => (failure, asked),
            };
            let ours = self.retry.delay(attempt, &mut self.environment.rng());
            let wait = asked.unwrap_or_default().saturating_add(ours);
            if attempt >= self.retry.attempts
                || wait >= deadline.saturating_duration_since(Instant::now())
            {
                return Err(failure);
            }
            tracing::debug!(attempt, ?wait, "the metadata server call is tried again");
            attempt += 1;
            tokio::time::sleep(wait).await;
        }
    }
}

fn request(method: Method, url: Url) -> Request {
    Request::new(method, url).max_body(MAX_ANSWER)
}

/// The body of a request. Everything sent consists of strings, numbers and lists: serialising it cannot fail.
pub(super) fn body(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value)
        .map(Bytes::from)
        .unwrap_or_default()
}

fn judge(outcome: Result<Response, TransportError>, limit: usize, repeated: bool) -> Next {
    match outcome {
        Ok(response) if response.status.is_success() => Next::Done(Answer {
            status: response.status,
            body: response.body,
        }),
        Ok(response) => refused(&response, repeated),
        Err(TransportError::TooLarge { .. }) => {
            Next::Fail(Failure::Misbehaved(Misbehaviour::TooLarge { limit }))
        }
        Err(source) if source.is_transient() => Next::Again(
            Failure::Offline(Offline {
                retry_after: None,
                may_have_arrived: repeated,
                source: Some(source),
            }),
            None,
        ),
        Err(source) => Next::Fail(Failure::Misbehaved(Misbehaviour::Unsendable { source })),
    }
}

fn refused(response: &Response, repeated: bool) -> Next {
    let problem: Option<Problem> = serde_json::from_slice(&response.body).ok();
    let asked = retry_after(&response.headers).or_else(|| {
        problem
            .as_ref()
            .and_then(|problem| problem.retry_after)
            .map(Duration::from_secs)
    });
    // Too many requests, or a fault that may pass: also without a problem document, as from a proxy before the server.
    if response.status == StatusCode::TOO_MANY_REQUESTS || response.status.is_server_error() {
        // A fault inside the server says nothing about how far it came.
        let may_have_arrived = repeated || response.status != StatusCode::TOO_MANY_REQUESTS;
        return Next::Again(
            Failure::Offline(Offline {
                retry_after: asked,
                may_have_arrived,
                source: None,
            }),
            asked,
        );
    }
    let Some(problem) = problem else {
        return Next::Fail(Failure::Misbehaved(Misbehaviour::Form {
            status: response.status,
        }));
    };
    let (code, server_time) = (problem.code, problem.server_time);
    let failure = Failure::Problem(Box::new(problem));
    match (code, server_time) {
        (ProblemCode::StatementExpired, Some(server)) => Next::WithTime(server, failure),
        // The network delivered one request twice; the next attempt has a request id of its own.
        (ProblemCode::ReplayedRequest, _) => Next::Again(failure, None),
        _ => Next::Fail(failure),
    }
}

/// The header's seconds. A date instead (RFC 9110 section 10.2.3) is not read: it needs a right clock on both sides.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get(header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_secs)
}
