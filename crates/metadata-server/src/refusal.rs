//! From what went wrong to a problem document (RFC 9457).

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use trefoil_protocol::commit::CommitError;
use trefoil_protocol::guess::SlotError;
use trefoil_protocol::problem::{CONTENT_TYPE, Problem, ProblemCode as Code};
use trefoil_protocol::record::RecordError;
use trefoil_protocol::statement::StatementError;
use trefoil_store::StoreError;

use crate::metrics::Limited;

/// Seconds after which a busy server is worth asking again.
const BUSY_RETRY: u64 = 1;

/// An answer that refuses. Nothing was changed.
#[derive(Debug)]
pub(crate) struct Refusal {
    problem: Box<Problem>,
    /// Whether the store failed, for the operator's count.
    store_failed: bool,
}

/// Marks the answer to a request at which the store failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoreFailed;

pub(crate) type Answer<T> = Result<T, Refusal>;

impl Refusal {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Problem::new(code, detail).into()
    }

    /// Of a statement; a wrong time comes with the server's, so that the client can retry with the offset.
    pub(crate) fn statement(error: StatementError, now: u64) -> Self {
        let code = match error {
            StatementError::UnknownVersion(_) => Code::UnknownVersion,
            StatementError::BadSignature => Code::BadSignature,
            StatementError::WrongAudience => Code::WrongAudience,
            StatementError::WrongTenant => Code::WrongTenant,
            StatementError::Expired => Code::StatementExpired,
            _ => Code::MalformedRequest,
        };
        let mut refusal = Self::new(code, error.to_string());
        if code == Code::StatementExpired {
            refusal.problem.server_time = Some(now);
        }
        refusal
    }

    /// Too much is going on at once; worth asking again.
    pub(crate) fn busy() -> Self {
        let mut refusal = Self::from(Code::Unavailable);
        refusal.problem.retry_after = Some(BUSY_RETRY);
        refusal
    }

    /// The answer was not there in time. The one refusal after which something may have been changed.
    pub(crate) fn too_slow() -> Self {
        let mut refusal = Self::new(
            Code::Unavailable,
            "this took too long and may be carried out all the same: send the same again",
        );
        refusal.problem.retry_after = Some(BUSY_RETRY);
        refusal
    }

    /// Over a limit, for so many seconds.
    pub(crate) fn too_many(kind: Limited, seconds: u64) -> Self {
        let what = match kind {
            Limited::Address => "requests from this address",
            Limited::Creation => "new accounts from this address",
            Limited::Locator => "logins with this factor",
            Limited::Slot => "guesses",
        };
        let detail = format!("too many {what}: try again in {seconds} seconds");
        let mut refusal = Self::new(Code::TooManyRequests, detail);
        refusal.problem.retry_after = Some(seconds);
        refusal
    }

    pub(crate) fn stale(revision: u64) -> Self {
        let detail =
            format!("the record is at revision {revision} now; open it again and redo the change");
        let mut refusal = Self::new(Code::StaleRevision, detail);
        refusal.problem.revision = Some(revision);
        refusal
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Problem::from(code).into()
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self {
            problem: Box::new(problem),
            store_failed: false,
        }
    }
}

impl From<RecordError> for Refusal {
    fn from(error: RecordError) -> Self {
        let code = match error {
            RecordError::TooLarge => Code::RecordTooLarge,
            RecordError::Malformed => Code::MalformedRequest,
            RecordError::UnknownVersion(_) => Code::UnknownVersion,
            RecordError::BadSignature => Code::BadSignature,
            RecordError::WrongTenant => Code::WrongTenant,
            _ => Code::BadRecord,
        };
        Self::new(code, error.to_string())
    }
}

impl From<CommitError> for Refusal {
    fn from(error: CommitError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

/// A wrong time comes with the server's, so that the client can retry with the offset.
impl From<SlotError> for Refusal {
    fn from(error: SlotError) -> Self {
        let mut refusal = Self::new(error.code(), error.to_string());
        refusal.problem.server_time = error.server_time();
        refusal
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let code = match error {
            StoreError::Slot(error) => return error.into(),
            StoreError::TooManySlots => Code::TooManySlots,
            StoreError::NoMailbox => Code::NoMailbox,
            StoreError::MailboxClosed => Code::MailboxClosed,
            StoreError::MailboxExpired => Code::MailboxExpired,
            StoreError::MailboxTaken => Code::MailboxTaken,
            StoreError::MailboxFull => Code::MailboxFull,
            StoreError::TooManyMailboxes => Code::TooManyMailboxes,
            StoreError::LocatorTaken => Code::LocatorTaken,
            StoreError::AccountExists => Code::AccountExists,
            StoreError::AccountDeleted => Code::AccountDeleted,
            StoreError::NoAccount => Code::NoAccount,
            StoreError::FactorRemoved => Code::FactorRemoved,
            StoreError::SeveralAccounts => Code::SeveralAccounts,
            StoreError::ReplayedRequest => Code::ReplayedRequest,
            StoreError::Stale { revision } => return Self::stale(revision),
            StoreError::MissingEnvelope { .. } => Code::BadEnvelopes,
            StoreError::MissingNonce => Code::BadNonce,
            StoreError::NoNonce => Code::NoNonce,
            StoreError::UnknownSession | StoreError::ExpiredSession => Code::UnknownSession,
            StoreError::ForeignSession => Code::WrongSession,
            fault => return store_fault(&fault),
        };
        Self::new(code, error.to_string())
    }
}

/// What is wrong with the store is for the operator's log, not for the client.
fn store_fault(fault: &StoreError) -> Refusal {
    let cause = std::error::Error::source(fault).map(ToString::to_string);
    tracing::error!(%fault, cause, "the store failed");
    let mut refusal: Refusal = match fault {
        fault if fault.is_retryable() => Refusal::busy(),
        // Until the operator has done something: nobody can say when.
        StoreError::Full
        | StoreError::ReadOnly
        | StoreError::Restoring
        | StoreError::Closed
        | StoreError::UnknownSealingKey { .. }
        | StoreError::Unsealable { .. }
        | StoreError::NoSealingKeys => Code::Unavailable.into(),
        _ => Code::Internal.into(),
    };
    refusal.store_failed = true;
    refusal
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let problem = *self.problem;
        let status =
            StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // Strings and numbers only: serialising them cannot fail.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, body).into_response();
        // For the log and the counters.
        response.extensions_mut().insert(problem.code);
        if self.store_failed {
            response.extensions_mut().insert(StoreFailed);
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        if let Some(seconds) = problem.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110 section 15.5.2 wants a challenge with every 401.
            let scheme = if problem.code == Code::UnknownSession {
                "Bearer"
            } else {
                "Trefoil-Statement"
            };
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_passes_is_no_fault_of_the_server() {
        let id = || "k1".to_owned();
        for (fault, status, retry_after) in [
            (StoreError::Busy, 503, Some("1")),
            (StoreError::Unreachable, 503, Some("1")),
            (StoreError::Full, 503, None),
            (StoreError::ReadOnly, 503, None),
            (StoreError::Restoring, 503, None),
            (StoreError::Closed, 503, None),
            (StoreError::UnknownSealingKey { id: id() }, 503, None),
            (StoreError::Unsealable { id: id() }, 503, None),
            (StoreError::NoSealingKeys, 503, None),
            (StoreError::Corrupt { what: "a column" }, 500, None),
            (StoreError::OlderSchema { found: 1, known: 2 }, 500, None),
        ] {
            let what = fault.to_string();
            let response = Refusal::from(fault).into_response();
            assert_eq!(response.status().as_u16(), status, "{what}");
            let after = response.headers().get(header::RETRY_AFTER);
            let after = after.map(|value| value.to_str().unwrap());
            assert_eq!(after, retry_after, "{what}");
            assert!(response.extensions().get::<StoreFailed>().is_some());
        }
    }
}
