//! The verifiers of a network as an operator writes them, and the check that makes them usable.

mod entry;
mod error;
mod fetching;
mod pairs;
mod presets;

use std::collections::BTreeSet;
use std::iter;

use serde::{Deserialize, Serialize};
use trefoil_protocol::social::{NonceForm, VerifierId};
use trefoil_protocol::tenant::Tenant;

use crate::address;
use crate::jwks::KeySet;
use crate::slots::PermitConfig;

pub use entry::EntryError;
pub use error::{ConfigError, VerifierName};
pub use fetching::FetchConfig;
pub(crate) use pairs::check_together;
pub use presets::Preset;

/// What a node is configured with. All nodes of a network must have the same verifiers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(try_from = "entry::Entries")]
pub struct NodeConfig {
    /// All verifiers of the network, of every tenant.
    #[serde(rename = "verifier")]
    pub verifiers: Vec<VerifierConfig>,
    /// How the providers' keys are fetched.
    pub fetching: FetchConfig,
    /// The metadata servers whose accounts may have slots at this node.
    #[serde(rename = "permit")]
    pub permits: Vec<PermitConfig>,
}

/// One way to log in with its rules, for one tenant. Read from TOML it may name a [`Preset`] instead of an issuer; it is
/// written as what that stands for.
///
/// The user string goes into the user's secret. So **changing `user` or `case` is a new verifier with a new id**: under
/// the old id every user would get another secret and so another wallet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "entry::Entry")]
pub struct VerifierConfig {
    /// The tenant it belongs to.
    pub tenant: Tenant,
    /// Its name within the tenant; goes into the user's secret.
    pub id: VerifierId,
    /// As [`ProviderConfig::issuer`].
    pub issuer: String,
    /// As [`ProviderConfig::audiences`].
    pub audiences: Vec<String>,
    /// As [`ProviderConfig::keys`].
    pub keys: KeySource,
    /// Which claim says who the user is.
    pub user: UserClaim,
    /// What is done with the case of that claim.
    pub case: CaseRule,
    /// As [`ProviderConfig::pairwise`].
    pub pairwise: bool,
    /// As [`ProviderConfig::nonce`].
    pub nonce: NonceForm,
    /// As [`ProviderConfig::max_age`].
    pub max_age: u64,
    /// As [`ProviderConfig::skew`].
    pub skew: u64,
    /// The app runs the provider itself, so that the same party could mint logins; a dApp share may then be enrolled.
    pub custom: bool,
    /// Further providers, of whose users those with the same verified e-mail address are the same user: only with
    /// [`UserClaim::Email`]. **Each of them, and each of their users who gets the mailbox, can open the wallet.**
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aggregate: Vec<ProviderConfig>,
}

/// One login provider of a verifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProviderConfig {
    /// The `iss` claim, character for character. HTTPS outside this machine.
    pub issuer: String,
    /// The client ids whose tokens are taken. Every `aud` value of a token must be among them, and `azp` where there
    /// is one. A pair of issuer and audience belongs to one verifier of the whole network.
    pub audiences: Vec<String>,
    /// Where the provider's keys come from.
    pub keys: KeySource,
    /// The provider's `sub` differs from app to app (OpenID Connect Core 1.0 section 8.1). Then a verifier by `sub` may
    /// have one audience only.
    pub pairwise: bool,
    /// How the provider carries the nonce.
    pub nonce: NonceForm,
    /// Seconds since `iat` at most: 10 to 86,400.
    pub max_age: u64,
    /// Seconds by which the provider's clock may differ: 0 to 300.
    pub skew: u64,
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

impl NodeConfig {
    /// Reads TOML; [`crate::IdTokenVerifier::new`] checks it.
    ///
    /// # Errors
    /// [`ConfigError::Toml`], where unknown fields are refused too; [`ConfigError::Entry`] for fields that do not go
    /// together.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let entries: entry::Entries =
            toml::from_str(text).map_err(|error| ConfigError::Toml(Box::new(error)))?;
        entries.try_into()
    }
}

impl VerifierConfig {
    /// By `sub`, keys by discovery, plain nonce, ten minutes, one minute of skew.
    #[must_use]
    pub fn new(tenant: Tenant, id: VerifierId, issuer: &str, audience: &str) -> Self {
        Self::with_provider(tenant, id, ProviderConfig::new(issuer, audience))
    }

    fn with_provider(tenant: Tenant, id: VerifierId, provider: ProviderConfig) -> Self {
        Self {
            tenant,
            id,
            issuer: provider.issuer,
            audiences: provider.audiences,
            keys: provider.keys,
            user: UserClaim::Subject,
            case: CaseRule::Exact,
            pairwise: provider.pairwise,
            nonce: provider.nonce,
            max_age: provider.max_age,
            skew: provider.skew,
            custom: false,
            aggregate: Vec::new(),
        }
    }

    /// Its providers: its own, then those of the aggregate.
    pub(crate) fn providers(&self) -> impl Iterator<Item = ProviderConfig> {
        let own = ProviderConfig {
            issuer: self.issuer.clone(),
            audiences: self.audiences.clone(),
            keys: self.keys.clone(),
            pairwise: self.pairwise,
            nonce: self.nonce,
            max_age: self.max_age,
            skew: self.skew,
        };
        iter::once(own).chain(self.aggregate.iter().cloned())
    }

    /// Issuer and audiences of each provider.
    fn issuers(&self) -> impl Iterator<Item = (&str, &[String])> {
        let further = self.aggregate.iter();
        let further =
            further.map(|provider| (provider.issuer.as_str(), provider.audiences.as_slice()));
        iter::once((self.issuer.as_str(), self.audiences.as_slice())).chain(further)
    }

    /// What can be said of one verifier alone, apart from its providers.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.aggregate.is_empty() {
            return Ok(());
        }
        if self.user != UserClaim::Email {
            return Err(ConfigError::AggregateUser(VerifierName::of(self)));
        }
        let mut seen = BTreeSet::new();
        for (issuer, _) in self.issuers() {
            if !seen.insert(pairs::same_issuer(issuer)) {
                return Err(ConfigError::AggregateIssuer {
                    verifier: VerifierName::of(self),
                    issuer: issuer.to_owned(),
                });
            }
        }
        Ok(())
    }
}

impl ProviderConfig {
    /// Keys by discovery, public `sub`, plain nonce, ten minutes, one minute of skew.
    #[must_use]
    pub fn new(issuer: &str, audience: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audiences: vec![audience.to_owned()],
            keys: KeySource::Discovery,
            pairwise: false,
            nonce: NonceForm::Plain,
            max_age: 600,
            skew: 60,
        }
    }

    /// What can be said of a provider of that verifier; gives its keys where they are pinned.
    pub(crate) fn check(&self, verifier: &VerifierConfig) -> Result<Option<KeySet>, ConfigError> {
        let name = || VerifierName::of(verifier);
        let url = address::check(&self.issuer).map_err(|source| ConfigError::Issuer {
            verifier: name(),
            source,
        })?;
        if presets::is_many_directories(&url) {
            return Err(ConfigError::ManyDirectories {
                verifier: name(),
                issuer: self.issuer.clone(),
            });
        }
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            return Err(ConfigError::Audience(name()));
        }
        if self.pairwise && verifier.user == UserClaim::Subject && self.audiences.len() > 1 {
            return Err(ConfigError::Pairwise(name()));
        }
        if !(10..=86_400).contains(&self.max_age) || self.skew > 300 {
            return Err(ConfigError::Times(name()));
        }
        match &self.keys {
            KeySource::Discovery => Ok(None),
            KeySource::Pinned(set) => {
                KeySet::from_value(set)
                    .map(Some)
                    .map_err(|source| ConfigError::PinnedKeys {
                        verifier: name(),
                        source,
                    })
            }
        }
    }
}

#[cfg(test)]
mod tests;
