//! `PUT /v1/{tenant}/accounts/{id}/record`: replace the current record by the next one.

use http::{HeaderValue, Method, header};
use trefoil_protocol::problem::{Problem, ProblemCode};
use trefoil_protocol::record::VerifiedRecord;
use trefoil_protocol::wire::{CommitRequest, CommitResponse};

use super::call::{Failure, body};
use super::{MetadataClient, Misbehaviour, Offline, Session};

/// Why a record is not known to be committed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// Try again with the same bytes, or open the account again to see whether it landed.
    #[error(transparent)]
    Offline(#[from] Offline),
    /// Somebody committed first, or this very commit landed and somebody committed on top of it: open the account
    /// again, then decide.
    #[error("the account has changed since it was opened; open it again and repeat the change")]
    Stale {
        /// The revision that is current.
        revision: Option<u64>,
    },
    /// The session has ended, by time or because a factor was removed elsewhere: log in again.
    #[error("the session has ended; log in again")]
    SessionEnded,
    /// A factor that the commit adds belongs to another account.
    #[error("one of the new factors belongs to another account; use another one")]
    LocatorTaken,
    /// The account's policy asks for an authenticator first.
    #[error("the account's policy asks for an authenticator before this change")]
    LevelTooLow,
    /// The account was deleted.
    #[error("the account was deleted")]
    Gone,
    /// The server broke the protocol.
    #[error(transparent)]
    ServerMisbehaved(#[from] Misbehaviour),
    /// The server found a rule broken that a right client keeps.
    #[error("the metadata server refused the change: {0}")]
    Refused(Box<Problem>),
}

impl MetadataClient {
    /// Commits `record` by `request`, which carries it, in place of the served revision `replaces`. Repeating the same bytes succeeds again while
    /// the record is current.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn commit(
        &self,
        session: &Session,
        replaces: u64,
        record: &VerifiedRecord,
        request: &CommitRequest,
    ) -> Result<CommitResponse, CommitError> {
        if record.account_id != session.account_id() {
            return Err(Misbehaviour::Mismatch.into());
        }
        let content = body(request);
        let if_match = HeaderValue::from_str(&format!("\"{replaces}\""))
            .unwrap_or(HeaderValue::from_static(""));
        let answer = self.call(|| {
            self.in_session(Method::PUT, session, &["record"])
                .header(header::IF_MATCH, if_match.clone())
                .json(content.clone())
        });
        let committed: CommitResponse = answer.await?.json()?;
        if committed.revision != record.revision {
            return Err(Misbehaviour::Mismatch.into());
        }
        Ok(committed)
    }
}

impl From<Failure> for CommitError {
    fn from(failure: Failure) -> Self {
        let problem = match failure {
            Failure::Offline(offline) => return offline.into(),
            Failure::Misbehaved(misbehaviour) => return misbehaviour.into(),
            Failure::Problem(problem) => problem,
        };
        match problem.code {
            ProblemCode::StaleRevision => Self::Stale {
                revision: problem.revision,
            },
            ProblemCode::UnknownSession => Self::SessionEnded,
            ProblemCode::LocatorTaken => Self::LocatorTaken,
            ProblemCode::LevelTooLow | ProblemCode::AuthenticatorRequired => Self::LevelTooLow,
            ProblemCode::AccountDeleted => Self::Gone,
            _ => Self::Refused(problem),
        }
    }
}
