//! `POST /v1/{tenant}/accounts/{id}/nonce`: release of the sealed nonce where the login did not carry it.

use http::Method;
use trefoil_protocol::bytes::SealedNonce;
use trefoil_protocol::problem::{Problem, ProblemCode};
use trefoil_protocol::wire::NonceResponse;

use super::call::Failure;
use super::{MetadataClient, Misbehaviour, Offline, Session};

/// Why the nonce was not released.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NonceError {
    /// Try again later.
    #[error(transparent)]
    Offline(#[from] Offline),
    /// Log in again.
    #[error("the session has ended; log in again")]
    SessionEnded,
    /// The current record has no nonce: the account was upgraded since it was read. Open it again.
    #[error("the account needs no nonce any more; open it again")]
    NoNonce,
    /// The account's policy asks for an authenticator first.
    #[error("the account's policy asks for an authenticator before the key can be opened")]
    LevelTooLow,
    /// The account was deleted.
    #[error("the account was deleted")]
    Gone,
    /// The server broke the protocol.
    #[error(transparent)]
    ServerMisbehaved(#[from] Misbehaviour),
    /// Refused for a reason that a right client never meets.
    #[error("the metadata server refused to release the nonce: {0}")]
    Refused(Box<Problem>),
}

impl MetadataClient {
    /// Asks for the current record's sealed nonce. Each release is an event that the owner sees.
    ///
    /// # Errors
    /// [`NonceError`].
    pub async fn nonce(&self, session: &Session) -> Result<SealedNonce, NonceError> {
        let answer = self.call(|| self.in_session(Method::POST, session, &["nonce"]));
        let released: NonceResponse = answer.await?.json()?;
        Ok(released.sealed_nonce)
    }
}

impl From<Failure> for NonceError {
    fn from(failure: Failure) -> Self {
        let problem = match failure {
            Failure::Offline(offline) => return offline.into(),
            Failure::Misbehaved(misbehaviour) => return misbehaviour.into(),
            Failure::Problem(problem) => problem,
        };
        match problem.code {
            ProblemCode::UnknownSession => Self::SessionEnded,
            ProblemCode::NoNonce => Self::NoNonce,
            ProblemCode::LevelTooLow => Self::LevelTooLow,
            ProblemCode::AccountDeleted => Self::Gone,
            _ => Self::Refused(problem),
        }
    }
}
