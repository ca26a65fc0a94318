//! Which tenants a server serves, and what each of them decides.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use trefoil_protocol::tenant::Tenant;

use crate::limits::TenantLimits;

/// How long a session lasts unless the tenant says otherwise, in seconds, and at most.
pub const SESSION_SECONDS: u64 = 15 * 60;
/// How long a session lasts at least.
pub const MIN_SESSION_SECONDS: u64 = 60;

/// Which tenants the server serves.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tenants {
    /// Every well-formed name, for development.
    Any,
    /// These.
    Listed(BTreeSet<Tenant>),
    /// These, each as it wants it.
    Configured(BTreeMap<Tenant, TenantConfig>),
}

/// What one tenant decides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantConfig {
    /// Web pages that may call; none unless set.
    pub origins: Vec<Origin>,
    /// What is offered to its users.
    pub policy: TenantPolicy,
    /// Where its limits differ from the server's.
    pub limits: TenantLimits,
}

/// What a tenant offers to its users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TenantPolicy {
    /// Whether accounts may be created; `false` closes the door and keeps those that are inside.
    pub create: bool,
    /// Whether slots for passwords, PINs and answers may be enrolled; those that are there keep working.
    pub slots: bool,
    /// Whether devices may exchange ciphertexts through mailboxes.
    pub mailboxes: bool,
    /// How long a session lasts, [`MIN_SESSION_SECONDS`] to [`SESSION_SECONDS`].
    pub session_seconds: u64,
}

impl Default for TenantPolicy {
    fn default() -> Self {
        Self {
            create: true,
            slots: true,
            mailboxes: true,
            session_seconds: SESSION_SECONDS,
        }
    }
}

/// Something that a tenant may not offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    Create,
    Slots,
    Mailboxes,
}

impl TenantPolicy {
    pub(crate) const fn offers(&self, offer: Offer) -> bool {
        match offer {
            Offer::Create => self.create,
            Offer::Slots => self.slots,
            Offer::Mailboxes => self.mailboxes,
        }
    }
}

/// Where a web page comes from, as browsers write it: `https://wallet.example`, `http://localhost:3000`, or that of a browser
/// extension, `chrome-extension://…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

/// Not an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an origin such as https://wallet.example: scheme, lower-case host and port, without a slash at the end; http only for \
     this machine"
)]
pub struct OriginError;

impl Origin {
    /// As browsers write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let (scheme, rest) = text.split_once("://").ok_or(OriginError)?;
        let secure = scheme == "https" || scheme.ends_with("-extension");
        let local = scheme == "http" && crate::config::is_loopback(rest);
        let plain = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:[]".contains(&byte)
        };
        let default_port = match scheme {
            "https" => rest.ends_with(":443"),
            "http" => rest.ends_with(":80"),
            _ => false,
        };
        let fits = (secure || local)
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
            && !rest.is_empty()
            && rest.bytes().all(plain)
            && !default_port;
        fits.then(|| Self(text.to_owned())).ok_or(OriginError)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The same, looked up by name.
#[derive(Debug, Clone)]
pub(crate) struct TenantTable {
    named: BTreeMap<Tenant, TenantConfig>,
    /// For names that are not in the table.
    others: Option<TenantConfig>,
}

impl TenantTable {
    pub(crate) fn get(&self, tenant: &Tenant) -> Option<&TenantConfig> {
        self.named.get(tenant).or(self.others.as_ref())
    }
}

impl From<Tenants> for TenantTable {
    fn from(tenants: Tenants) -> Self {
        let (named, others) = match tenants {
            Tenants::Any => (BTreeMap::new(), Some(TenantConfig::default())),
            Tenants::Listed(names) => {
                let default = |name| (name, TenantConfig::default());
                (names.into_iter().map(default).collect(), None)
            }
            Tenants::Configured(named) => (named, None),
        };
        Self { named, others }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_as_browsers_write_them() {
        for good in [
            "https://wallet.example",
            "https://wallet.example:8443",
            "https://[2001:db8::1]:8443",
            "http://localhost:3000",
            "http://127.0.0.1:8080",
            "chrome-extension://abcdefghijklmnop",
            "moz-extension://5d2d5e2c-1f4b-4c1c-9b0a-0d5b1a1a2b3c",
        ] {
            let origin: Origin = good.parse().unwrap();
            assert_eq!(origin.as_str(), good);
        }
        for bad in [
            "",
            "*",
            "null",
            "wallet.example",
            "https://",
            "https://wallet.example/",
            "https://wallet.example/app",
            "https://Wallet.example",
            "HTTPS://wallet.example",
            "https://wallet.example:443",
            "https://user@wallet.example",
            "https://*.example",
            "http://wallet.example",
            "ftp://wallet.example",
        ] {
            assert_eq!(bad.parse::<Origin>(), Err(OriginError), "{bad}");
        }
    }
}
