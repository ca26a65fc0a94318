//! `GET /v1/{tenant}/accounts/{id}/record`: the current record again, as after a commit.

use http::Method;
use trefoil_protocol::problem::{Problem, ProblemCode};
use trefoil_protocol::wire::RecordResponse;

use super::call::Failure;
use super::{MetadataClient, Misbehaviour, Offline, Session};

/// Why the record could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Try again later.
    #[error(transparent)]
    Offline(#[from] Offline),
    /// Log in again.
    #[error("the session has ended; log in again")]
    SessionEnded,
    /// The account was deleted.
    #[error("the account was deleted")]
    Gone,
    /// The server broke the protocol.
    #[error(transparent)]
    ServerMisbehaved(#[from] Misbehaviour),
    /// Refused for a reason that a right client never meets.
    #[error("the metadata server refused to hand out the record: {0}")]
    Refused(Box<Problem>),
}

impl MetadataClient {
    /// Reads the current record and the envelopes of the session's factors.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn read(&self, session: &Session) -> Result<RecordResponse, ReadError> {
        Ok(self
            .call(|| self.in_session(Method::GET, session, &["record"]))
            .await?
            .json()?)
    }
}

impl From<Failure> for ReadError {
    fn from(failure: Failure) -> Self {
        let problem = match failure {
            Failure::Offline(offline) => return offline.into(),
            Failure::Misbehaved(misbehaviour) => return misbehaviour.into(),
            Failure::Problem(problem) => problem,
        };
        match problem.code {
            ProblemCode::UnknownSession => Self::SessionEnded,
            ProblemCode::AccountDeleted => Self::Gone,
            _ => Self::Refused(problem),
        }
    }
}
