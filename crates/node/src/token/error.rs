//! Why an ID token opens nothing.

use trefoil_protocol::problem::ProblemCode;

/// Why an ID token is refused: one variant, and one [`ProblemCode`], per check. Says nothing of the token's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// No verifier belongs to this tenant.
    #[error("this network does not know the tenant")]
    UnknownTenant,
    /// No verifier of this name in this tenant.
    #[error("this network has no verifier of this name for the tenant")]
    UnknownVerifier,
    /// Above [`trefoil_protocol::social::MAX_ID_TOKEN`] bytes.
    #[error("the ID token is larger than 16 KiB")]
    TooLarge,
    /// Not three base64url parts, header or claims not JSON objects, or a claim of another type than it must have.
    #[error(
        "the ID token is not a signed token: three base64url parts, of which the first two are JSON objects"
    )]
    Malformed,
    /// `none`, HMAC, or any other than RS256, ES256 and EdDSA.
    #[error("the ID token must be signed with RS256, ES256 or EdDSA")]
    AlgorithmRefused,
    /// `crit` names header parameters that must be understood (RFC 7515 section 4.1.11); none are.
    #[error("the ID token's header demands extensions that this node does not know")]
    CriticalHeader,
    /// `typ` says that it is something else, such as an access token (RFC 8725 section 3.11).
    #[error(
        "the token's header says that it is not an ID token: send the ID token, not an access token"
    )]
    WrongType,
    /// The provider's keys are not at hand.
    #[error("the login provider's keys cannot be fetched now: try again in a moment")]
    ProviderUnreachable {
        /// Seconds.
        retry_after: u64,
    },
    /// No published key has the token's key id; or it has none, and several keys could be meant.
    #[error("the ID token's key is not among those its provider publishes: log in again")]
    UnknownKey,
    /// The key of this id is for another algorithm.
    #[error("the ID token's algorithm does not fit the key that it names")]
    WrongKeyType,
    /// The signature does not hold.
    #[error("the ID token's signature does not hold")]
    BadSignature,
    /// `iss` is another.
    #[error("the ID token comes from another issuer than this verifier's")]
    WrongIssuer,
    /// An `aud` value is not in the verifier's list.
    #[error("the ID token was made for an app that does not belong to this verifier")]
    WrongAudience,
    /// `azp` is not in the verifier's list, or missing where `aud` has several values (OpenID Connect Core 1.0 section
    /// 3.1.3.7).
    #[error("the ID token's authorized party is missing or does not belong to this verifier")]
    WrongParty,
    /// `exp` is past.
    #[error("the ID token has expired: log in again")]
    Expired,
    /// `nbf` lies ahead.
    #[error("the ID token is not valid yet")]
    NotYetValid,
    /// `iat` lies ahead.
    #[error("the ID token was issued in the future: check the clocks")]
    IssuedInFuture,
    /// `iat` is too long ago.
    #[error("the ID token was issued too long ago: log in again")]
    TooOld,
    /// `nonce` was not made from the ephemeral key.
    #[error(
        "the ID token was not made for this login: its nonce does not belong to the ephemeral key"
    )]
    WrongNonce,
    /// A claim is not there.
    #[error("the ID token lacks the claim `{0}`")]
    MissingClaim(&'static str),
    /// The user claim is empty, over-long or has control characters.
    #[error("the ID token's claim `{0}` cannot name a user")]
    BadUser(&'static str),
    /// `email_verified` is not true.
    #[error("the provider has not verified the e-mail address: verify it there and log in again")]
    UnverifiedEmail,
}

impl TokenError {
    /// The problem that a node answers with.
    #[must_use]
    pub const fn code(&self) -> ProblemCode {
        match self {
            Self::UnknownTenant => ProblemCode::UnknownTenant,
            Self::UnknownVerifier => ProblemCode::UnknownVerifier,
            Self::TooLarge => ProblemCode::TokenTooLarge,
            Self::Malformed => ProblemCode::TokenMalformed,
            Self::AlgorithmRefused => ProblemCode::TokenAlgorithmRefused,
            Self::CriticalHeader => ProblemCode::TokenCriticalHeader,
            Self::WrongType => ProblemCode::TokenWrongType,
            Self::ProviderUnreachable { .. } => ProblemCode::ProviderUnreachable,
            Self::UnknownKey => ProblemCode::TokenUnknownKey,
            Self::WrongKeyType => ProblemCode::TokenWrongKeyType,
            Self::BadSignature => ProblemCode::TokenBadSignature,
            Self::WrongIssuer => ProblemCode::TokenWrongIssuer,
            Self::WrongAudience => ProblemCode::TokenWrongAudience,
            Self::WrongParty => ProblemCode::TokenWrongParty,
            Self::Expired => ProblemCode::TokenExpired,
            Self::NotYetValid => ProblemCode::TokenNotYetValid,
            Self::IssuedInFuture => ProblemCode::TokenIssuedInFuture,
            Self::TooOld => ProblemCode::TokenTooOld,
            Self::WrongNonce => ProblemCode::TokenWrongNonce,
            Self::MissingClaim(_) => ProblemCode::TokenMissingClaim,
            Self::BadUser(_) => ProblemCode::TokenBadUser,
            Self::UnverifiedEmail => ProblemCode::TokenUnverifiedEmail,
        }
    }

    /// Seconds after which the same request may succeed.
    #[must_use]
    pub const fn retry_after(&self) -> Option<u64> {
        match self {
            Self::ProviderUnreachable { retry_after } => Some(*retry_after),
            _ => None,
        }
    }
}
