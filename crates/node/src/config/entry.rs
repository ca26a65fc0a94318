//! A verifier as an operator writes it: what is left out is filled in, what contradicts itself is refused.

use serde::Deserialize;
use trefoil_protocol::social::{NonceForm, VerifierId};
use trefoil_protocol::tenant::Tenant;

use super::presets::Preset;
use super::{
    CaseRule, ConfigError, FetchConfig, KeySource, NodeConfig, ProviderConfig, UserClaim,
    VerifierConfig, VerifierName,
};
use crate::slots::PermitConfig;

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entries {
    #[serde(default, rename = "verifier")]
    verifiers: Vec<Entry>,
    #[serde(default)]
    fetching: FetchConfig,
    #[serde(default, rename = "permit")]
    permits: Vec<PermitConfig>,
}

/// A verifier, or one provider of its aggregate: one form for both, so that a field at the wrong place can be told so.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    tenant: Option<Tenant>,
    id: Option<VerifierId>,
    user: Option<UserClaim>,
    case: Option<CaseRule>,
    custom: Option<bool>,
    aggregate: Option<Vec<Entry>>,
    provider: Option<Preset>,
    issuer: Option<String>,
    directory: Option<String>,
    domain: Option<String>,
    region: Option<String>,
    pool: Option<String>,
    base: Option<String>,
    realm: Option<String>,
    audiences: Option<Vec<String>>,
    pub(super) keys: Option<KeySource>,
    pub(super) pairwise: Option<bool>,
    nonce: Option<NonceForm>,
    max_age: Option<u64>,
    skew: Option<u64>,
}

/// What is wrong with the fields of one verifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// A field that is needed.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// Neither issuer nor provider.
    #[error(
        "`issuer` is missing: give it, or a `provider` whose issuer is known; in an `aggregate` each provider has its own fields"
    )]
    MissingIssuer,
    /// An issuer beside a provider whose issuer is known.
    #[error("provider = \"{0}\" says what the issuer is: leave out `issuer`, or `provider`")]
    FixedIssuer(Preset),
    /// A field of another provider.
    #[error("`{field}` does not belong to provider = \"{preset}\": leave it out")]
    Foreign {
        /// The provider that is named.
        preset: Preset,
        /// The field that it does not have.
        field: &'static str,
    },
    /// A field of a provider, without one.
    #[error("`{0}` means something only beside `provider`")]
    WithoutProvider(&'static str),
    /// Not one directory of Microsoft's.
    #[error(
        "`directory` must be the GUID of one directory: `common`, `organizations` and `consumers` take users of any, and a domain is not what the issuer names"
    )]
    Directory,
    /// Not a host name.
    #[error(
        "`domain` must be a host name, such as acme.eu.auth0.com, without https:// and without a path"
    )]
    Domain,
    /// Not a region.
    #[error(
        "`region` must be a region, such as eu-central-1; for one outside amazonaws.com give the `issuer` and no `provider`"
    )]
    Region,
    /// Not a pool of the region.
    #[error(
        "`pool` must be the id of a user pool of that region, such as eu-central-1_AbCdEf123 in eu-central-1"
    )]
    Pool,
    /// Base or realm make no issuer.
    #[error(
        "`base` must end before /realms, and `realm` must be of letters, digits and -._~; for other names give the `issuer` and no `provider`"
    )]
    Realm,
    /// `pairwise = false` where it is not so.
    #[error("at provider = \"{0}\" every app sees another `sub`: leave out `pairwise`")]
    Pairwise(Preset),
    /// A plain issuer of tokens without keys.
    #[error(
        "provider = \"jwt\" needs pinned `keys`; for an issuer with discovery use provider = \"oidc\""
    )]
    KeysNeeded,
    /// Pinned keys where discovery was asked for.
    #[error("provider = \"oidc\" finds its keys by discovery; to pin them use provider = \"jwt\"")]
    KeysPinned,
    /// The provider does not say whose mailbox it is.
    #[error(
        "provider = \"{0}\" does not say whether an e-mail address is verified, so it cannot be the user: leave out `user`, or put a broker that verifies it before the provider"
    )]
    UnverifiedEmail(Preset),
    /// `tid` and `oid` where there are none.
    #[error("provider = \"{0}\" has no claims `tid` and `oid`: leave out `user`")]
    NoTenantObject(Preset),
    /// `custom` at a provider that no app runs.
    #[error("provider = \"{0}\" is not run by the app: leave out `custom`")]
    Custom(Preset),
    /// One provider is no aggregate.
    #[error(
        "`aggregate` needs at least two providers: write a single one into the verifier itself"
    )]
    LoneProvider,
    /// A verifier's field in one of its providers.
    #[error("`{0}` belongs to the verifier, not to a provider of its `aggregate`")]
    Misplaced(&'static str),
}

impl TryFrom<Entries> for NodeConfig {
    type Error = ConfigError;

    fn try_from(entries: Entries) -> Result<Self, ConfigError> {
        let verifiers = entries.verifiers.into_iter().map(VerifierConfig::try_from);
        Ok(Self {
            verifiers: verifiers.collect::<Result<_, _>>()?,
            fetching: entries.fetching,
            permits: entries.permits,
        })
    }
}

impl TryFrom<Entry> for VerifierConfig {
    type Error = ConfigError;

    fn try_from(entry: Entry) -> Result<Self, ConfigError> {
        let tenant = entry.tenant.as_ref().map_or("?", Tenant::as_str);
        let id = entry.id.as_ref().map_or("?", VerifierId::as_str);
        let verifier = VerifierName(format!("{tenant}/{id}"));
        entry
            .verifier()
            .map_err(|source| ConfigError::Entry { verifier, source })
    }
}

impl Entry {
    fn verifier(mut self) -> Result<VerifierConfig, EntryError> {
        let tenant = self.tenant.take().ok_or(EntryError::Missing("tenant"))?;
        let id = self.id.take().ok_or(EntryError::Missing("id"))?;
        let (user, case, custom) = (self.user.take(), self.case.take(), self.custom.take());
        let user = user.unwrap_or_else(|| self.provider.map(Preset::user).unwrap_or_default());
        let custom = custom.unwrap_or(false);
        let aggregate = self.aggregate.take();
        let aggregated = aggregate.is_some();
        let mut entries = aggregate.unwrap_or_default();
        if !aggregated || self.is_provider() {
            entries.insert(0, self);
        }
        if aggregated && entries.len() < 2 {
            return Err(EntryError::LoneProvider);
        }
        let mut providers = entries
            .into_iter()
            .map(|entry| entry.provider(user, custom))
            .collect::<Result<Vec<_>, _>>()?
            .into_iter();
        let first = providers.next().ok_or(EntryError::MissingIssuer)?;
        Ok(VerifierConfig {
            user,
            case: case.unwrap_or_default(),
            custom,
            aggregate: providers.collect(),
            ..VerifierConfig::with_provider(tenant, id, first)
        })
    }

    /// Whether anything of a provider is said.
    fn is_provider(&self) -> bool {
        let placed = self.places().iter().any(|(_, value)| value.is_some());
        let times = self.max_age.is_some() || self.skew.is_some();
        let keys = self.keys.is_some() || self.pairwise.is_some() || self.nonce.is_some();
        placed || times || keys || self.provider.is_some() || self.audiences.is_some()
    }

    fn provider(self, user: UserClaim, custom: bool) -> Result<ProviderConfig, EntryError> {
        let misplaced = [
            ("tenant", self.tenant.is_some()),
            ("id", self.id.is_some()),
            ("user", self.user.is_some()),
            ("case", self.case.is_some()),
            ("custom", self.custom.is_some()),
            ("aggregate", self.aggregate.is_some()),
        ];
        if let Some((field, _)) = misplaced.into_iter().find(|(_, given)| *given) {
            return Err(EntryError::Misplaced(field));
        }
        let issuer = match self.provider {
            Some(preset) => {
                preset.check(&self)?;
                preset.check_user(user)?;
                if custom && !preset.can_be_custom() {
                    return Err(EntryError::Custom(preset));
                }
                preset.issuer(&self)?
            }
            None => self.plain_issuer()?,
        };
        let pairwise = self.provider.is_some_and(Preset::pairwise);
        let plain = ProviderConfig::new(&issuer, "");
        Ok(ProviderConfig {
            issuer,
            audiences: self.audiences.ok_or(EntryError::Missing("audiences"))?,
            keys: self.keys.unwrap_or_default(),
            pairwise: self.pairwise.unwrap_or(pairwise),
            nonce: self.nonce.unwrap_or_default(),
            max_age: self.max_age.unwrap_or(plain.max_age),
            skew: self.skew.unwrap_or(plain.skew),
        })
    }

    fn plain_issuer(&self) -> Result<String, EntryError> {
        let mut places = self.places().into_iter();
        let foreign = places.find(|(name, value)| value.is_some() && *name != "issuer");
        match (foreign, &self.issuer) {
            (Some((field, _)), _) => Err(EntryError::WithoutProvider(field)),
            (None, Some(issuer)) => Ok(issuer.clone()),
            (None, None) => Err(EntryError::MissingIssuer),
        }
    }

    /// The fields that say where a provider is.
    pub(super) fn places(&self) -> [(&'static str, Option<&str>); 7] {
        [
            ("issuer", self.issuer.as_deref()),
            ("directory", self.directory.as_deref()),
            ("domain", self.domain.as_deref()),
            ("region", self.region.as_deref()),
            ("pool", self.pool.as_deref()),
            ("base", self.base.as_deref()),
            ("realm", self.realm.as_deref()),
        ]
    }

    pub(super) fn place(&self, field: &str) -> Option<&str> {
        let mut places = self.places().into_iter();
        places.find(|(name, _)| *name == field)?.1
    }
}

#[cfg(test)]
mod tests;
