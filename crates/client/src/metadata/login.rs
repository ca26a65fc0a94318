//! `POST /v1/{tenant}/sessions`: from factors to the record, their envelopes and a session.

use http::Method;
use trefoil_protocol::problem::{Problem, ProblemCode};
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::statement::StatementBody;
use trefoil_protocol::wire::{LoginRequest, LoginResponse};

use super::call::{Failure, body};
use super::{MetadataClient, Misbehaviour, Offline};

/// Why a login gave no session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// Try again later.
    #[error(transparent)]
    Offline(#[from] Offline),
    /// None of the factors is enrolled in any account of this tenant: create one, or log in as somebody else.
    #[error("there is no account for this login; create one, or log in the way you did before")]
    NoAccount,
    /// The factors were removed from their account: use another factor of it.
    #[error("this factor was removed from its account; use another factor")]
    FactorRemoved,
    /// The factors belong to different accounts: use factors of one.
    #[error("these factors belong to different accounts; use factors of one account")]
    SeveralAccounts,
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
    /// Refused for a reason that a right client never meets: another version, another server behind the address.
    #[error("the metadata server refused the login: {0}")]
    Refused(Box<Problem>),
}

impl MetadataClient {
    /// Logs in with one statement per factor, 1 to 16 of them, made afresh for every attempt.
    ///
    /// The answer holds the envelopes of these factors only. Factors that the server does not know or that were
    /// removed are listed in the answer as long as one is enrolled.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn login(&self, factors: &[&AuthPrivateKey]) -> Result<LoginResponse, LoginError> {
        let answer = self.call(|| {
            let statements = factors
                .iter()
                .map(|factor| self.statement(StatementBody::Login {}, factor))
                .collect();
            self.outside(Method::POST, "sessions")
                .json(body(&LoginRequest { statements }))
        });
        Ok(answer.await?.json()?)
    }
}

impl From<Failure> for LoginError {
    fn from(failure: Failure) -> Self {
        let problem = match failure {
            Failure::Offline(offline) => return offline.into(),
            Failure::Misbehaved(misbehaviour) => return misbehaviour.into(),
            Failure::Problem(problem) => problem,
        };
        match problem.code {
            ProblemCode::NoAccount => Self::NoAccount,
            ProblemCode::FactorRemoved => Self::FactorRemoved,
            ProblemCode::SeveralAccounts => Self::SeveralAccounts,
            ProblemCode::StatementExpired => Self::ClockWrong {
                server_time: problem.server_time,
            },
            _ => Self::Refused(problem),
        }
    }
}
