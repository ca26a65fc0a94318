//! Why a configuration is refused.

use std::fmt;

use trefoil_protocol::tenant::Tenant;

use super::{EntryError, VerifierConfig};
use crate::address::AddressError;
use crate::jwks::KeySetError;

/// Tenant and name of a verifier, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierName(pub(super) String);

impl VerifierName {
    pub(super) fn of(verifier: &VerifierConfig) -> Self {
        Self(format!("{}/{}", verifier.tenant.as_str(), verifier.id))
    }
}

impl fmt::Display for VerifierName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not TOML of the expected form.
    #[error("the node's configuration cannot be read: {0}")]
    Toml(#[source] Box<toml::de::Error>),
    /// The fields of a verifier do not go together.
    #[error("verifier {verifier}: {source}")]
    Entry {
        /// Whose; `?` stands for a name that is missing.
        verifier: VerifierName,
        /// What is wrong.
        source: EntryError,
    },
    /// One name twice in a tenant.
    #[error("verifier {0} is configured twice")]
    DuplicateVerifier(VerifierName),
    /// One (issuer, audience) pair twice.
    #[error(
        "audience {audience:?} of issuer {issuer:?} is taken by verifier {first} and by verifier {second}: a login of one app would open the other's secrets; give each its own client id"
    )]
    SharedAudience {
        /// The issuer of both, as the second spells it.
        issuer: String,
        /// The audience of both.
        audience: String,
        /// The one that stands first.
        first: VerifierName,
        /// The other; the same where one verifier names the audience twice.
        second: VerifierName,
    },
    /// No audience, or an empty one.
    #[error("verifier {0} needs at least one audience, and none may be empty")]
    Audience(VerifierName),
    /// Not an issuer to trust.
    #[error("the issuer of verifier {verifier} cannot be used: {source}")]
    Issuer {
        /// Whose.
        verifier: VerifierName,
        /// What is wrong with it.
        source: AddressError,
    },
    /// An endpoint of Microsoft's that serves many directories.
    #[error(
        "the issuer {issuer:?} of verifier {verifier} is no issuer: tokens from it name the user's own directory; use provider = \"microsoft\" with the GUID of one directory"
    )]
    ManyDirectories {
        /// Whose.
        verifier: VerifierName,
        /// As it is written.
        issuer: String,
    },
    /// Several audiences at a provider with pairwise `sub`.
    #[error(
        "verifier {0} has several audiences, between which this provider's `sub` differs: use one audience, or user = \"tid+oid\""
    )]
    Pairwise(VerifierName),
    /// An aggregate by another claim than the e-mail address.
    #[error(
        "verifier {0} has several providers, so it needs user = \"email\": equal values of another claim at two providers are two people"
    )]
    AggregateUser(VerifierName),
    /// One issuer twice in an aggregate.
    #[error(
        "verifier {verifier} names the issuer {issuer:?} twice: put the audiences into one list"
    )]
    AggregateIssuer {
        /// Whose.
        verifier: VerifierName,
        /// As the second spells it.
        issuer: String,
    },
    /// Maximum age or skew out of range.
    #[error("verifier {0}: max_age must be 10 to 86400 seconds and skew at most 300")]
    Times(VerifierName),
    /// The pinned keys cannot be used.
    #[error("the pinned keys of verifier {verifier} cannot be used: {source}")]
    PinnedKeys {
        /// Whose.
        verifier: VerifierName,
        /// What is wrong with them.
        source: KeySetError,
    },
    /// The key of a permit is none.
    #[error(
        "the permit key of tenant {0} is no key: copy what the metadata server answers at /v1/permit_key"
    )]
    PermitKey(Tenant),
    /// A time of [`super::FetchConfig`] makes no sense.
    #[error(
        "fetching: time_limit, fresh_for and retry_pause must be at least 1 second, keep_for at least fresh_for, and longest_pause at least retry_pause"
    )]
    Fetching,
    /// The HTTP client cannot be made.
    #[error("the HTTP client that fetches providers' keys cannot be set up")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}
