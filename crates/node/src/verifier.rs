//! Checks ID tokens against the network's verifiers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use trefoil_protocol::bytes::EnvelopeKey;
use trefoil_protocol::social::{VerifierId, oidc_nonce};
use trefoil_protocol::tenant::Tenant;

use crate::config::{ConfigError, NodeConfig, ProviderConfig, VerifierConfig, check_together};
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
    /// Several only in an aggregate; then no issuer stands there twice.
    sources: Vec<Source>,
}

struct Source {
    provider: ProviderConfig,
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
            permits,
        } = config;
        fetching.check()?;
        // A key that was mistyped would refuse every slot without a word to the operator.
        if let Some(permit) = permits.into_iter().find(|permit| !permit.key.is_key()) {
            return Err(ConfigError::PermitKey(permit.tenant));
        }
        check_together(&verifiers)?;
        let fetches = KeyFetches::default();
        let fetcher = Arc::new(Fetcher::new(&fetching, fetches.clone())?);
        let mut caches: BTreeMap<String, Arc<KeyCache>> = BTreeMap::new();
        let mut tenants: BTreeMap<Tenant, BTreeMap<VerifierId, Verifier>> = BTreeMap::new();
        for config in verifiers {
            config.check()?;
            let mut sources = Vec::new();
            for provider in config.providers() {
                let keys = match provider.check(&config)? {
                    Some(pinned) => Keys::Pinned(Arc::new(pinned)),
                    None => Keys::Fetched(Arc::clone(
                        caches.entry(provider.issuer.clone()).or_insert_with(|| {
                            KeyCache::new(&provider.issuer, Arc::clone(&fetcher), fetching)
                        }),
                    )),
                };
                sources.push(Source { provider, keys });
            }
            tenants
                .entry(config.tenant.clone())
                .or_default()
                .insert(config.id.clone(), Verifier { config, sources });
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
        let source = verifier.source(&jws)?;
        let keys = source.keys(jws.kid.as_deref(), jws.algorithm, now).await?;
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
        let nonce = source.provider.nonce.claim(&oidc_nonce(ephemeral_key));
        let VerifierConfig { user, case, .. } = verifier.config;
        let claims = jws.payload::<Claims>()?;
        claims.check(&source.provider, &nonce, now)?;
        VerifiedUser::from_claims(&claims, user, case)
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
    /// Whose keys a token is checked with. Where there is a choice it falls by what the token says of itself; the issuer
    /// is checked once more among the claims, when the signature holds.
    fn source(&self, jws: &Jws<'_>) -> Result<&Source, TokenError> {
        if let [only] = self.sources.as_slice() {
            return Ok(only);
        }
        let said = jws.unverified_issuer()?;
        let mut sources = self.sources.iter();
        sources
            .find(|source| source.provider.issuer == said)
            .ok_or(TokenError::WrongIssuer)
    }
}

impl Source {
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
