//! What a deployment decides.

use std::time::Duration;

use trefoil_protocol::tenant::Tenant;
use trefoil_protocol::wire::MAX_BODY;

use crate::tenants::{TenantConfig, TenantTable, Tenants};

/// How long a body may take to arrive unless set otherwise.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes that all bodies together may have which are being taken in, unless set otherwise: 256 of the longest.
const BODY_BYTES: usize = 64 * 1024 * 1024;
/// How long a request may take in all unless set otherwise.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Settings of a metadata server.
#[derive(Debug, Clone)]
pub struct Config {
    pub(crate) public_url: String,
    tenants: TenantTable,
    pub(crate) body_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) body_bytes: usize,
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
    /// Session tokens would travel in the clear.
    #[error("the public URL must be https unless its host is 127.0.0.1, [::1] or localhost")]
    Insecure,
}

impl Config {
    /// A server that clients reach at `public_url`, which is also the audience that their statements must name.
    ///
    /// # Errors
    /// [`ConfigError::PublicUrl`] where the URL is not of the form that it says, [`ConfigError::Insecure`] for plain HTTP to
    /// anywhere but this machine.
    pub fn new(public_url: &str, tenants: Tenants) -> Result<Self, ConfigError> {
        let (rest, secure) = match public_url.strip_prefix("https://") {
            Some(rest) => (rest, true),
            None => (
                public_url
                    .strip_prefix("http://")
                    .ok_or(ConfigError::PublicUrl)?,
                false,
            ),
        };
        let plain = |byte: u8| {
            byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'"' | b'\\' | b'@')
        };
        if rest.is_empty()
            || rest.starts_with('/')
            || rest.ends_with('/')
            || !rest.bytes().all(plain)
        {
            return Err(ConfigError::PublicUrl);
        }
        if !secure && !is_loopback(rest) {
            return Err(ConfigError::Insecure);
        }
        Ok(Self {
            public_url: public_url.to_owned(),
            tenants: tenants.into(),
            body_timeout: BODY_TIMEOUT,
            request_timeout: REQUEST_TIMEOUT,
            body_bytes: BODY_BYTES,
        })
    }

    /// How long a request's body may take to arrive; 10 seconds unless set.
    #[must_use]
    pub const fn body_timeout(mut self, limit: Duration) -> Self {
        self.body_timeout = limit;
        self
    }

    /// How long a request may take from its headers to its answer; 30 seconds unless set.
    #[must_use]
    pub const fn request_timeout(mut self, limit: Duration) -> Self {
        self.request_timeout = limit;
        self
    }

    /// How many bytes all bodies together may have which are being taken in, by what they say or the most that one may have;
    /// 64 MiB unless set, and at least what one may have.
    #[must_use]
    pub fn body_bytes(mut self, limit: usize) -> Self {
        self.body_bytes = limit.max(MAX_BODY);
        self
    }

    /// What the tenant decides, if it is one that this server serves.
    pub(crate) fn tenant(&self, tenant: &Tenant) -> Option<&TenantConfig> {
        self.tenants.get(tenant)
    }
}

/// Whether what follows `http://` names this machine.
pub(crate) fn is_loopback(rest: &str) -> bool {
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    matches!(host, "127.0.0.1" | "[::1]" | "localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_of_url() {
        for good in [
            "https://meta.example",
            "https://meta.example:8443",
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
            "https://a@x",
        ] {
            assert_eq!(
                Config::new(bad, Tenants::Any).unwrap_err(),
                ConfigError::PublicUrl,
                "{bad}"
            );
        }
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        for good in [
            "http://127.0.0.1:8080",
            "http://localhost",
            "http://[::1]:1/x",
            "http://[::1]",
        ] {
            assert!(Config::new(good, Tenants::Any).is_ok(), "{good}");
        }
        for bad in [
            "http://meta.example",
            "http://localhost.example",
            "http://127.0.0.1.example:80",
            "http://[::2]",
        ] {
            assert_eq!(
                Config::new(bad, Tenants::Any).unwrap_err(),
                ConfigError::Insecure,
                "{bad}"
            );
        }
    }
}
