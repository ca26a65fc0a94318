//! `DELETE /v1/{tenant}/accounts/{id}`: erase the account for ever.

use http::Method;
use trefoil_protocol::problem::{Problem, ProblemCode};
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::statement::StatementBody;
use trefoil_protocol::wire::DeleteRequest;

use super::call::{Failure, body};
use super::{MetadataClient, Misbehaviour, Offline, Session};

/// Why the account is not known to be deleted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeleteError {
    /// Try again; a deletion that landed before is found out.
    #[error(transparent)]
    Offline(#[from] Offline),
    /// The session has ended: by time, or because the account is gone. Log in again to see.
    #[error("the session has ended; log in again to see whether the account still exists")]
    SessionEnded,
    /// The account's policy asks for an authenticator first.
    #[error("the account's policy asks for an authenticator before the account is deleted")]
    LevelTooLow,
    /// The server finds the statement's time wrong, by more than a day or still after being given its own.
    #[error(
        "this device's clock and the metadata server's do not go together; set this device's and try again"
    )]
    ClockWrong {
        /// Unix seconds by the server's clock.
        server_time: Option<u64>,
    },
    /// The server broke the protocol.
    #[error(transparent)]
    ServerMisbehaved(#[from] Misbehaviour),
    /// Refused for a reason that a right client never meets.
    #[error("the metadata server refused to delete the account: {0}")]
    Refused(Box<Problem>),
}

impl MetadataClient {
    /// Deletes the session's account; `account_auth` is the opened account's auth key. An account that is deleted
    /// already counts as success.
    ///
    /// # Errors
    /// [`DeleteError`].
    pub async fn delete(
        &self,
        session: &Session,
        account_auth: &AuthPrivateKey,
    ) -> Result<(), DeleteError> {
        let account_id = session.account_id();
        let answer = self.call(|| {
            let statement = self.statement(StatementBody::Delete { account_id }, account_auth);
            self.in_session(Method::DELETE, session, &[])
                .json(body(&DeleteRequest { statement }))
        });
        match answer.await {
            Ok(_) => Ok(()),
            Err(Failure::Problem(problem)) if problem.code == ProblemCode::AccountDeleted => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }
}

impl From<Failure> for DeleteError {
    fn from(failure: Failure) -> Self {
        let problem = match failure {
            Failure::Offline(offline) => return offline.into(),
            Failure::Misbehaved(misbehaviour) => return misbehaviour.into(),
            Failure::Problem(problem) => problem,
        };
        match problem.code {
            ProblemCode::UnknownSession => Self::SessionEnded,
            ProblemCode::LevelTooLow => Self::LevelTooLow,
            ProblemCode::StatementExpired => Self::ClockWrong {
                server_time: problem.server_time,
            },
            _ => Self::Refused(problem),
        }
    }
}
