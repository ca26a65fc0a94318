//! `POST /v1/evaluate`: an ID token in, this node's part of the user's secret out, sealed to the login.

use trefoil_protocol::problem::ProblemCode;
use trefoil_protocol::social::{
    EvaluateRequest, EvaluateRequestError, EvaluateResponse, UserIdentity,
};

use crate::node::Node;
use crate::token::{TokenError, VerifiedUser};

/// Why a login is not answered. Says nothing of token or user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// The body is not a request.
    #[error(transparent)]
    Request(#[from] EvaluateRequestError),
    /// The ephemeral key is of small order or not in its one encoding.
    #[error("nothing is sealed to this ephemeral key: make a fresh X25519 key")]
    EphemeralKey,
    /// Not an epoch of which this node holds a share.
    #[error(
        "this node answers in epoch {current}, not in the one asked for: fetch the network's current manifest"
    )]
    OtherEpoch {
        /// The newest epoch in which it answers.
        current: u32,
    },
    /// No share of any network's key.
    #[error(
        "this node has no share of a network's key yet: ask again once its network's key is made"
    )]
    NoShare,
    /// The ID token is refused.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The user, whose token holds, asks too often.
    #[error("this user logs in too often: try again in {retry_after} seconds")]
    TooMany {
        /// Seconds, at least 1.
        retry_after: u64,
    },
}

impl EvaluateError {
    /// The problem that a node answers with.
    #[must_use]
    pub const fn code(&self) -> ProblemCode {
        match self {
            Self::Request(error) => error.code(),
            Self::EphemeralKey => ProblemCode::BadEphemeralKey,
            Self::OtherEpoch { .. } => ProblemCode::OtherEpoch,
            Self::NoShare => ProblemCode::NoShare,
            Self::Token(error) => error.code(),
            Self::TooMany { .. } => ProblemCode::TooManyRequests,
        }
    }

    /// Seconds after which the same request may succeed.
    #[must_use]
    pub const fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Token(error) => error.retry_after(),
            Self::TooMany { retry_after } => Some(*retry_after),
            Self::Request(_) | Self::EphemeralKey | Self::OtherEpoch { .. } | Self::NoShare => None,
        }
    }

    /// The newest epoch in which the node answers, where the one asked for is another.
    #[must_use]
    pub const fn current_epoch(&self) -> Option<u32> {
        match self {
            Self::OtherEpoch { current } => Some(*current),
            _ => None,
        }
    }
}

impl Node {
    /// Answers a request body.
    ///
    /// # Errors
    /// [`EvaluateError`]: form, version, tenant and verifier, ephemeral key, token and its binding to that key, the
    /// user's limit.
    pub async fn evaluate(&self, body: &[u8]) -> Result<EvaluateResponse, EvaluateError> {
        let request = Self::read(body)?;
        let EvaluateRequest {
            tenant,
            verifier,
            id_token,
            ephemeral_key,
            ..
        } = &request;
        self.verifier.check_name(tenant, verifier)?;
        if !ephemeral_key.is_usable() {
            return Err(EvaluateError::EphemeralKey);
        }
        let now = self.clock.now();
        // Before the token is looked at: whoever has another manifest is told so at once.
        let serving = self.serving();
        serving
            .share(request.epoch, now)
            .ok_or_else(|| match serving.newest(now) {
                Some(current) => EvaluateError::OtherEpoch { current },
                None => EvaluateError::NoShare,
            })?;
        let user = self
            .verifier
            .verify(
                tenant,
                verifier,
                id_token.expose_secret(),
                ephemeral_key,
                now,
            )
            .await?;
        // After the token: else strangers could spend the user's logins.
        self.limits
            .check_user(tenant, verifier, user.as_str())
            .map_err(|too_many| {
                self.metrics.limited(too_many.of);
                EvaluateError::TooMany {
                    retry_after: too_many.retry_after,
                }
            })?;
        self.answer(&request, &user)
    }

    fn read(body: &[u8]) -> Result<EvaluateRequest, EvaluateRequestError> {
        // serde would also read a struct from an array of its fields' values.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(EvaluateRequestError::Malformed);
        }
        EvaluateRequest::from_json(body)
    }

    /// Everything after the token check: hash to the group, evaluation, proof, seal.
    ///
    /// # Errors
    /// [`EvaluateError::EphemeralKey`], [`EvaluateError::NoShare`] where the epoch has just ended,
    /// [`TokenError::BadUser`] for a user string that no identity can have.
    pub fn answer(
        &self,
        request: &EvaluateRequest,
        user: &VerifiedUser,
    ) -> Result<EvaluateResponse, EvaluateError> {
        let identity = UserIdentity::new(
            request.tenant.clone(),
            request.verifier.clone(),
            user.as_str(),
            request.generation,
        )
        .map_err(|_| TokenError::BadUser("sub"))?;
        let serving = self.serving();
        let secrets = serving
            .share(request.epoch, self.clock.now())
            .ok_or(EvaluateError::NoShare)?;
        let mut rng = self.rng();
        let evaluation = secrets
            .share()
            .evaluate(secrets.epoch(), &identity.input(), &mut rng);
        EvaluateResponse::seal(&evaluation, user.as_str(), &request.ephemeral_key, &mut rng)
            .map_err(|_| EvaluateError::EphemeralKey)
    }
}
