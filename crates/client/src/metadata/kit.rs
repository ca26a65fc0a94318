//! `POST /v1/{tenant}/accounts/{id}/kit`: everything the server holds of the account, for the recovery kit.

use http::Method;
use trefoil_protocol::problem::{Problem, ProblemCode};
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::statement::StatementBody;
use trefoil_protocol::wire::{KitRequest, KitResponse};

use super::call::{Failure, body};
use super::{MetadataClient, Misbehaviour, Offline, Session};

/// Why there is no kit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KitError {
    /// Try again later.
    #[error(transparent)]
    Offline(#[from] Offline),
    /// Log in again.
    #[error("the session has ended; log in again")]
    SessionEnded,
    /// The account's policy asks for an authenticator first.
    #[error("the account's policy asks for an authenticator before a recovery kit is handed out")]
    LevelTooLow,
    /// The account was deleted.
    #[error("the account was deleted")]
    Gone,
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
    #[error("the metadata server refused to hand out the recovery kit: {0}")]
    Refused(Box<Problem>),
}

impl MetadataClient {
    /// Asks for the record with all envelopes and the sealed nonce; `account_auth` is the opened account's auth key.
    ///
    /// # Errors
    /// [`KitError`].
    pub async fn kit(
        &self,
        session: &Session,
        account_auth: &AuthPrivateKey,
    ) -> Result<KitResponse, KitError> {
        let account_id = session.account_id();
        let answer = self.call(|| {
            let statement = self.statement(StatementBody::Kit { account_id }, account_auth);
            self.in_session(Method::POST, session, &["kit"])
                .json(body(&KitRequest { statement }))
        });
        Ok(answer.await?.json()?)
    }
}

impl From<Failure> for KitError {
    fn from(failure: Failure) -> Self {
        let problem = match failure {
            Failure::Offline(offline) => return offline.into(),
            Failure::Misbehaved(misbehaviour) => return misbehaviour.into(),
            Failure::Problem(problem) => problem,
        };
        match problem.code {
            ProblemCode::UnknownSession => Self::SessionEnded,
            ProblemCode::LevelTooLow => Self::LevelTooLow,
            ProblemCode::AccountDeleted => Self::Gone,
            ProblemCode::StatementExpired => Self::ClockWrong {
                server_time: problem.server_time,
            },
            _ => Self::Refused(problem),
        }
    }
}
