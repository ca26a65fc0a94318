//! Fetching a provider's keys: discovery (OpenID Connect Discovery 1.0 section 4), then the JWK Set.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use serde_json::Value;

use super::{KeySet, KeySetError};
use crate::address::{self, AddressError};
use crate::config::{ConfigError, FetchConfig};
use crate::metrics::KeyFetches;

const MAX_DISCOVERY: usize = 64 * 1024;
const MAX_KEYS: usize = 256 * 1024;

/// Why keys could not be fetched. For the operator's log; clients learn only that the provider is unreachable.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("no answer")]
    NoAnswer(#[source] reqwest::Error),
    #[error("no answer within the time limit")]
    TimeLimit,
    #[error("answered with status {0}")]
    Status(StatusCode),
    #[error("the answer is too large")]
    TooLarge,
    #[error("the answer is not JSON of the expected form")]
    Malformed,
    #[error("the discovery document names another issuer")]
    OtherIssuer,
    #[error("the keys' address cannot be used: {0}")]
    KeysAddress(AddressError),
    #[error("the keys cannot be used: {0}")]
    Keys(#[from] KeySetError),
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// The HTTP client for all providers.
pub(crate) struct Fetcher {
    client: Client,
    time_limit: Duration,
    fetches: KeyFetches,
}

impl Fetcher {
    pub(crate) fn new(config: &FetchConfig, fetches: KeyFetches) -> Result<Self, ConfigError> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| ConfigError::Client(error.into()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            // A redirect could lead off HTTPS or into the operator's network.
            .redirect(Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| ConfigError::Client(error.into()))?;
        Ok(Self {
            client,
            time_limit: Duration::from_secs(config.time_limit),
            fetches,
        })
    }

    /// The keys that `issuer` publishes now.
    pub(crate) async fn fetch(&self, issuer: &str) -> Result<KeySet, FetchError> {
        let result = tokio::time::timeout(self.time_limit, self.discover(issuer))
            .await
            .map_err(|_| FetchError::TimeLimit)
            .flatten();
        self.fetches.count(result.is_ok());
        result
    }

    async fn discover(&self, issuer: &str) -> Result<KeySet, FetchError> {
        // A slash at the end of the issuer is not doubled (section 4 of the specification).
        let base = issuer.strip_suffix('/').unwrap_or(issuer);
        let document = self
            .json(
                &format!("{base}/.well-known/openid-configuration"),
                MAX_DISCOVERY,
            )
            .await?;
        let discovery = Discovery::deserialize(&document).map_err(|_| FetchError::Malformed)?;
        if discovery.issuer != issuer {
            return Err(FetchError::OtherIssuer);
        }
        let keys =
            address::check_keys(&discovery.jwks_uri, issuer).map_err(FetchError::KeysAddress)?;
        Ok(KeySet::from_value(
            &self.json(keys.as_str(), MAX_KEYS).await?,
        )?)
    }

    async fn json(&self, url: &str, limit: usize) -> Result<Value, FetchError> {
        let mut response = self
            .client
            .get(url)
            .send()
            .await
            .map_err(FetchError::NoAnswer)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(FetchError::NoAnswer)? {
            if body.len().saturating_add(chunk.len()) > limit {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|_| FetchError::Malformed)
    }
}
