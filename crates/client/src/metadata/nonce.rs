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
    /// The server has no nonce for the current record. Either the account was upgraded since it was read, and opens when it is
    /// opened again; or the server was restored and has lost the nonce, and only a backup or a recovery kit brings it back.
    #[error(
        "the server has no nonce for this account: open it again, since it may have changed; if that does not help, the server \
         has lost it, and its operator must restore it, or a recovery kit opens the account"
    )]
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
