//! Checks ID tokens against the network's verifiers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use trefoil_protocol::bytes::EnvelopeKey;
use trefoil_protocol::social::{VerifierId, oidc_nonce};
use trefoil_protocol::tenant::Tenant;

use crate::config::{ConfigError, NodeConfig, VerifierConfig, check_together};
use crate::jwks::{Fetcher, KeyCache, KeySet, Selection};
use crate::metrics::KeyFetches;
use crate::token::{Algorithm, Claims, Jws, TokenError, VerifiedUser};

/// All verifiers of a network with their providers' keys.
pub struct IdTokenVerifier {
    tenants: BTreeMap<Tenant, BTreeMap<VerifierId, Verifier>>,
    fetches: KeyFetches,
}

struct Verifier {
    config: VerifierConfig,
    keys: Keys,
}

enum Keys {
    Pinned(Arc<KeySet>),
    /// Shared by all verifiers of one issuer.
    Fetched(Arc<KeyCache>),
}

impl IdTokenVerifier {
    /// Checks a configuration. Nothing is fetched before the first login.
    ///
    /// # Errors
    /// [`ConfigError`], naming the verifier, or both where two take the same (issuer, audience) pair.
    pub fn new(config: NodeConfig) -> Result<Self, ConfigError> {
        let NodeConfig {
            verifiers,
            fetching,
        } = config;
        fetching.check()?;
        check_together(&verifiers)?;
        let fetches = KeyFetches::default();
        let fetcher = Arc::new(Fetcher::new(&fetching, fetches.clone())?);
        let mut caches: BTreeMap<String, Arc<KeyCache>> = BTreeMap::new();
        let mut tenants: BTreeMap<Tenant, BTreeMap<VerifierId, Verifier>> = BTreeMap::new();
        for config in verifiers {
            let keys = match config.check()? {
                Some(pinned) => Keys::Pinned(Arc::new(pinned)),
                None => Keys::Fetched(Arc::clone(
                    caches.entry(config.issuer.clone()).or_insert_with(|| {
                        KeyCache::new(&config.issuer, Arc::clone(&fetcher), fetching)
                    }),
                )),
            };
            tenants
                .entry(config.tenant.clone())
                .or_default()
                .insert(config.id.clone(), Verifier { config, keys });
        }
        Ok(Self { tenants, fetches })
    }

    /// A verifier's configuration, as it was given.
    #[must_use]
    pub fn config(&self, tenant: &Tenant, verifier: &VerifierId) -> Option<&VerifierConfig> {
        self.find(tenant, verifier)
            .ok()
            .map(|verifier| &verifier.config)
    }

    /// Checks a token at unix second `now`: signature first, then every claim, then that it was made for the holder of
    /// `ephemeral_key`.
    ///
    /// # Errors
    /// [`TokenError`], one variant per check.
    pub async fn verify(
        &self,
        tenant: &Tenant,
        verifier: &VerifierId,
        token: &str,
        ephemeral_key: &EnvelopeKey,
        now: u64,
    ) -> Result<VerifiedUser, TokenError> {
        let verifier = self.find(tenant, verifier)?;
        let jws = Jws::parse(token)?;
        let keys = verifier
            .keys(jws.kid.as_deref(), jws.algorithm, now)
            .await?;
        let candidates = match keys.select(jws.kid.as_deref(), jws.algorithm) {
            Selection::Keys(candidates) => candidates,
            Selection::Unknown => return Err(TokenError::UnknownKey),
            Selection::OtherAlgorithm => return Err(TokenError::WrongKeyType),
        };
        if !candidates
            .iter()
            .any(|key| key.verify(jws.signed, &jws.signature))
        {
            return Err(TokenError::BadSignature);
        }
        let nonce = verifier.config.nonce.claim(&oidc_nonce(ephemeral_key));
        jws.payload::<Claims>()?
            .check(&verifier.config, &nonce, now)
    }

    /// Counts the fetches of providers' keys.
    pub(crate) const fn key_fetches(&self) -> &KeyFetches {
        &self.fetches
    }

    fn find(&self, tenant: &Tenant, verifier: &VerifierId) -> Result<&Verifier, TokenError> {
        let verifiers = self.tenants.get(tenant).ok_or(TokenError::UnknownTenant)?;
        verifiers.get(verifier).ok_or(TokenError::UnknownVerifier)
    }

    /// Whether the verifier exists: asked before anything is read from the token.
    pub(crate) fn check_name(
        &self,
        tenant: &Tenant,
        verifier: &VerifierId,
    ) -> Result<(), TokenError> {
        self.find(tenant, verifier).map(|_| ())
    }
}

impl Verifier {
    async fn keys(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        now: u64,
    ) -> Result<Arc<KeySet>, TokenError> {
        match &self.keys {
            Keys::Pinned(keys) => Ok(Arc::clone(keys)),
            Keys::Fetched(cache) => cache
                .keys(kid, algorithm, now)
                .await
                .map_err(|unreachable| TokenError::ProviderUnreachable {
                    retry_after: unreachable.retry_after,
                }),
        }
    }
}

impl fmt::Debug for IdTokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self
            .tenants
            .iter()
            .map(|(tenant, verifiers)| (tenant.as_str(), verifiers.keys()));
        f.write_str("IdTokenVerifier ")?;
        f.debug_map()
            .entries(
                names
                    .map(|(tenant, ids)| (tenant, ids.map(VerifierId::as_str).collect::<Vec<_>>())),
            )
            .finish()
    }
}
