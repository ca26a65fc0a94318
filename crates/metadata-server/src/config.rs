//! What a deployment decides.

use std::collections::BTreeSet;
use std::time::Duration;

use trefoil_protocol::tenant::Tenant;

/// How long a session lasts, in seconds.
pub const SESSION_SECONDS: u64 = 15 * 60;
/// How long a body may take to arrive unless set otherwise.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Which tenants the server serves.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tenants {
    /// Every well-formed name, for development.
    Any,
    /// These.
    Listed(BTreeSet<Tenant>),
}

impl Tenants {
    pub(crate) fn serves(&self, tenant: &Tenant) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(tenants) => tenants.contains(tenant),
        }
    }
}

/// Settings of a metadata server.
#[derive(Debug, Clone)]
pub struct Config {
    pub(crate) public_url: String,
    pub(crate) tenants: Tenants,
    pub(crate) body_timeout: Duration,
}

/// Settings that do not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Statements name the server by this text, so it has one form only.
    #[error(
        "the public URL must be `https://host[:port][/path]` (or http), without a trailing slash, query or blank"
    )]
    PublicUrl,
}

impl Config {
    /// A server that clients reach at `public_url`, which is also the audience that their statements must name.
    ///
    /// # Errors
    /// [`ConfigError::PublicUrl`] where the URL is not of the form that it says.
    pub fn new(public_url: &str, tenants: Tenants) -> Result<Self, ConfigError> {
        let rest = public_url
            .strip_prefix("https://")
            .or_else(|| public_url.strip_prefix("http://"));
        let plain =
            |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'"' | b'\\');
        let fits = rest.is_some_and(|rest| {
            !rest.is_empty()
                && !rest.starts_with('/')
                && !rest.ends_with('/')
                && rest.bytes().all(plain)
        });
        if !fits {
            return Err(ConfigError::PublicUrl);
        }
        Ok(Self {
            public_url: public_url.to_owned(),
            tenants,
            body_timeout: BODY_TIMEOUT,
        })
    }

    /// How long a request's body may take to arrive; 10 seconds unless set.
    #[must_use]
    pub const fn body_timeout(mut self, limit: Duration) -> Self {
        self.body_timeout = limit;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_of_url() {
        for good in [
            "https://meta.example",
            "http://127.0.0.1:8080",
            "https://example.com/trefoil",
        ] {
            assert!(Config::new(good, Tenants::Any).is_ok(), "{good}");
        }
        for bad in [
            "",
            "meta.example",
            "ftp://x",
            "https://",
            "https:///",
            "https://x/",
            "https://x?y",
            "https://x y",
        ] {
            assert_eq!(
                Config::new(bad, Tenants::Any).unwrap_err(),
                ConfigError::PublicUrl,
                "{bad}"
            );
        }
    }
}
