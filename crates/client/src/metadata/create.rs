//! `POST /v1/{tenant}/accounts`: the first record of an account.

use http::Method;
use trefoil_protocol::bytes::SealedNonce;
use trefoil_protocol::problem::{Problem, ProblemCode};
use trefoil_protocol::record::VerifiedRecord;
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::statement::StatementBody;
use trefoil_protocol::wire::{CreateRequest, IndexedEnvelope, LoginResponse};

use super::call::{Failure, body};
use super::{MetadataClient, Misbehaviour, Offline};

/// Why an account was not created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// Not known to be created: show no address yet. Repeat with the same bytes, or log in to see.
    #[error(transparent)]
    Offline(#[from] Offline),
    /// One of the factors already has an account, perhaps made on another device a moment ago: drop this key, log in.
    #[error("this login has an account already; log in to open it")]
    LocatorTaken,
    /// The same wallet key is already in an account of this tenant: open that one.
    #[error("this wallet key already has an account here; open it with one of its factors")]
    AccountExists,
    /// The account of this wallet key was deleted; its id is not given out again.
    #[error("the account of this wallet key was deleted; its id cannot be used again")]
    AccountDeleted,
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
    #[error("the metadata server refused to create the account: {0}")]
    Refused(Box<Problem>),
}

impl MetadataClient {
    /// Creates the account of `record`; `factor` is the auth key of one of its entries.
    ///
    /// Repeating the same bytes succeeds again and gives a session again, so a caller that lost the answer may
    /// repeat. The answer's record is another one where the account has moved on since.
    ///
    /// # Errors
    /// [`CreateError`].
    pub async fn create(
        &self,
        factor: &AuthPrivateKey,
        record: &VerifiedRecord,
        envelopes: &[IndexedEnvelope],
        sealed_nonce: Option<&SealedNonce>,
    ) -> Result<LoginResponse, CreateError> {
        let payload_hash = record.hash();
        let answer = self.call(|| {
            let request = CreateRequest {
                statement: self.statement(StatementBody::Create { payload_hash }, factor),
                record: record.signed().clone(),
                envelopes: envelopes.to_vec(),
                sealed_nonce: sealed_nonce.cloned(),
            };
            self.outside(Method::POST, "accounts").json(body(&request))
        });
        let created: LoginResponse = answer.await?.json()?;
        if created.account_id != record.account_id {
            return Err(Misbehaviour::Mismatch.into());
        }
        Ok(created)
    }
}

impl From<Failure> for CreateError {
    fn from(failure: Failure) -> Self {
        let problem = match failure {
            Failure::Offline(offline) => return offline.into(),
            Failure::Misbehaved(misbehaviour) => return misbehaviour.into(),
            Failure::Problem(problem) => problem,
        };
        match problem.code {
            ProblemCode::LocatorTaken => Self::LocatorTaken,
            ProblemCode::AccountExists => Self::AccountExists,
            ProblemCode::AccountDeleted => Self::AccountDeleted,
            ProblemCode::StatementExpired => Self::ClockWrong {
                server_time: problem.server_time,
            },
            _ => Self::Refused(problem),
        }
    }
}
