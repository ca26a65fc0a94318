//! The verifiers of a network as an operator writes them, and the check that makes them usable.

mod fetching;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use trefoil_protocol::social::{NonceForm, VerifierId};
use trefoil_protocol::tenant::Tenant;

use crate::address::{self, AddressError};
use crate::jwks::{KeySet, KeySetError};

pub use fetching::FetchConfig;

/// What a node is configured with. All nodes of a network must have the same verifiers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// All verifiers of the network, of every tenant.
    #[serde(default, rename = "verifier")]
    pub verifiers: Vec<VerifierConfig>,
    /// How the providers' keys are fetched.
    #[serde(default)]
    pub fetching: FetchConfig,
}

/// One login provider with its rules, for one tenant.
///
/// The user string goes into the user's secret. So **changing `user` or `case` is a new verifier with a new id**: under
/// the old id every user would get another secret and so another wallet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifierConfig {
    /// The tenant it belongs to.
    pub tenant: Tenant,
    /// Its name within the tenant; goes into the user's secret.
    pub id: VerifierId,
    /// The `iss` claim, character for character. HTTPS outside this machine.
    pub issuer: String,
    /// The client ids whose tokens are taken. Every `aud` value of a token must be among them, and `azp` where there
    /// is one. A pair of issuer and audience belongs to one verifier of the whole network.
    pub audiences: Vec<String>,
    /// Where the provider's keys come from.
    #[serde(default)]
    pub keys: KeySource,
    /// Which claim says who the user is.
    #[serde(default)]
    pub user: UserClaim,
    /// What is done with the case of that claim.
    #[serde(default)]
    pub case: CaseRule,
    /// The provider's `sub` differs from app to app (OpenID Connect Core 1.0 section 8.1). Then a verifier by `sub` may
    /// have one audience only.
    #[serde(default)]
    pub pairwise: bool,
    /// How the provider carries the nonce.
    #[serde(default)]
    pub nonce: NonceForm,
    /// Seconds since `iat` at most: 10 to 86,400.
    #[serde(default = "default_max_age")]
    pub max_age: u64,
    /// Seconds by which the provider's clock may differ: 0 to 300.
    #[serde(default = "default_skew")]
    pub skew: u64,
    /// The app runs the provider itself, so that the same party could mint logins; a dApp share may then be enrolled.
    #[serde(default)]
    pub custom: bool,
}

/// Where a provider's keys come from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// OpenID Connect Discovery 1.0: `<issuer>/.well-known/openid-configuration` names them.
    #[default]
    Discovery,
    /// This JWK Set (RFC 7517 section 5); rotation is then up to the operator.
    Pinned(serde_json::Value),
}

/// Which claim says who the user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum UserClaim {
    /// `sub`: the provider's own name of the user, never given to another.
    #[default]
    #[serde(rename = "sub")]
    Subject,
    /// `email`, only where `email_verified` is true. Who gets the mailbox gets the wallet.
    #[serde(rename = "email")]
    Email,
    /// `tid` and `oid`, joined by `/`: for providers whose `sub` differs from app to app.
    #[serde(rename = "tid+oid")]
    TenantObject,
}

/// What is done with the case of the user claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CaseRule {
    /// Nothing.
    #[default]
    Exact,
    /// `A-Z` become `a-z`; other letters stay, since what Unicode says of them changes from version to version and a
    /// user's secret must not.
    Lower,
}

const fn default_max_age() -> u64 {
    600
}

const fn default_skew() -> u64 {
    60
}

/// Tenant and name of a verifier, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierName(String);

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
    /// One name twice in a tenant.
    #[error("verifier {0} is configured twice")]
    DuplicateVerifier(VerifierName),
    /// One (issuer, audience) pair twice.
    #[error(
        "audience {audience:?} of issuer {issuer:?} is taken by verifier {first} and by verifier {second}: a login of one app would open the other's secrets; give each its own client id"
    )]
    SharedAudience {
        /// The issuer of both.
        issuer: String,
        /// The audience of both.
        audience: String,
        /// The one that stands first.
        first: VerifierName,
        /// The other; the same where one list names the audience twice.
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
    /// Several audiences at a provider with pairwise `sub`.
    #[error(
        "verifier {0} has several audiences, between which this provider's `sub` differs: use one audience, or user = \"tid+oid\""
    )]
    Pairwise(VerifierName),
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
    /// A time of [`FetchConfig`] makes no sense.
    #[error(
        "fetching: time_limit, fresh_for and retry_pause must be at least 1 second, keep_for at least fresh_for, and longest_pause at least retry_pause"
    )]
    Fetching,
    /// The HTTP client cannot be made.
    #[error("the HTTP client that fetches providers' keys cannot be set up")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl NodeConfig {
    /// Reads TOML; [`crate::IdTokenVerifier::new`] checks it.
    ///
    /// # Errors
    /// [`ConfigError::Toml`]; unknown fields are refused.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| ConfigError::Toml(Box::new(error)))
    }
}

impl VerifierConfig {
    /// By `sub`, keys by discovery, plain nonce, ten minutes, one minute of skew.
    #[must_use]
    pub fn new(tenant: Tenant, id: VerifierId, issuer: &str, audience: &str) -> Self {
        Self {
            tenant,
            id,
            issuer: issuer.to_owned(),
            audiences: vec![audience.to_owned()],
            keys: KeySource::Discovery,
            user: UserClaim::Subject,
            case: CaseRule::Exact,
            pairwise: false,
            nonce: NonceForm::Plain,
            max_age: default_max_age(),
            skew: default_skew(),
            custom: false,
        }
    }

    fn name(&self) -> VerifierName {
        VerifierName(format!("{}/{}", self.tenant.as_str(), self.id))
    }

    /// What can be said of one verifier alone; gives its keys where they are pinned.
    pub(crate) fn check(&self) -> Result<Option<KeySet>, ConfigError> {
        address::check(&self.issuer).map_err(|source| ConfigError::Issuer {
            verifier: self.name(),
            source,
        })?;
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            return Err(ConfigError::Audience(self.name()));
        }
        if self.pairwise && self.user == UserClaim::Subject && self.audiences.len() > 1 {
            return Err(ConfigError::Pairwise(self.name()));
        }
        if !(10..=86_400).contains(&self.max_age) || self.skew > 300 {
            return Err(ConfigError::Times(self.name()));
        }
        match &self.keys {
            KeySource::Discovery => Ok(None),
            KeySource::Pinned(set) => {
                KeySet::from_value(set)
                    .map(Some)
                    .map_err(|source| ConfigError::PinnedKeys {
                        verifier: self.name(),
                        source,
                    })
            }
        }
    }
}

/// No name twice, and no (issuer, audience) pair twice.
pub(crate) fn check_together(verifiers: &[VerifierConfig]) -> Result<(), ConfigError> {
    let mut names = BTreeMap::new();
    let mut pairs = BTreeMap::new();
    for verifier in verifiers {
        if names.insert((&verifier.tenant, &verifier.id), ()).is_some() {
            return Err(ConfigError::DuplicateVerifier(verifier.name()));
        }
        for audience in &verifier.audiences {
            if let Some(first) = pairs.insert((&verifier.issuer, audience), verifier) {
                return Err(ConfigError::SharedAudience {
                    issuer: verifier.issuer.clone(),
                    audience: audience.clone(),
                    first: first.name(),
                    second: verifier.name(),
                });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
