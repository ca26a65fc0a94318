//! All servers together, as an app's users meet them.

use core::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand_core::Rng as _;
use tempfile::TempDir;
use trefoil_client::{Clock, SystemClock};
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::social::{NodeSecrets, SignedManifest, VerifierId, deal_network};
use trefoil_protocol::tenant::Tenant;

use super::nodes::VerifierSettings;
use super::running::bind;
use super::{Backup, MetadataProcess, MetadataStorage, NodeProcess, TestkitError};
use crate::environment::os_rng;
use crate::oidc::{Algorithm, Claims, OpenIdProvider, ProviderOptions};
use crate::proxy::Proxy;

/// A login provider's client registration, as one tenant's nodes are configured with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    /// Whose users log in with it.
    pub tenant: String,
    /// Its name within the tenant.
    pub id: String,
    /// The client id that its ID tokens name.
    pub audience: String,
    /// Whether the app runs the provider itself.
    pub custom: bool,
}

impl Verifier {
    /// A verifier whose audience no other has.
    #[must_use]
    pub fn new(tenant: &str, id: &str) -> Self {
        Self {
            tenant: tenant.to_owned(),
            id: id.to_owned(),
            audience: format!("{tenant}-{id}"),
            custom: false,
        }
    }

    /// As an app configures it whose own backend is the provider.
    #[must_use]
    pub fn custom(mut self) -> Self {
        self.custom = true;
        self
    }
}

/// What servers to start.
#[derive(Clone)]
pub struct WorldOptions {
    /// How many nodes.
    pub nodes: usize,
    /// How many of them are needed.
    pub threshold: u16,
    /// Who may log in; the first one is what [`World::id_token`] uses.
    pub verifiers: Vec<Verifier>,
    /// The clock of all servers.
    pub clock: Arc<dyn Clock>,
    /// Where files go; a directory that is removed in the end unless set.
    pub data: Option<PathBuf>,
    /// Whether clients reach each server through a [`Proxy`], so that wires can be made slow or cut.
    pub proxied: bool,
    /// Where the metadata server keeps what it has.
    pub storage: MetadataStorage,
}

impl Default for WorldOptions {
    /// 2 of 3 nodes; tenant `acme` with the verifiers `google` and `house` (custom), tenant `other` with `google`; the
    /// system's clock.
    fn default() -> Self {
        Self {
            nodes: 3,
            threshold: 2,
            verifiers: vec![
                Verifier::new("acme", "google"),
                Verifier::new("acme", "house").custom(),
                Verifier::new("other", "google"),
            ],
            clock: Arc::new(SystemClock),
            data: None,
            proxied: false,
            storage: MetadataStorage::Sqlite,
        }
    }
}

impl core::fmt::Debug for WorldOptions {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("WorldOptions")
            .field("nodes", &self.nodes)
            .field("threshold", &self.threshold)
            .field("verifiers", &self.verifiers)
            .field("data", &self.data)
            .field("proxied", &self.proxied)
            .field("storage", &self.storage)
            .finish_non_exhaustive()
    }
}

/// A metadata server, a dealt node network and an OpenID provider, all running.
#[derive(Debug)]
pub struct World {
    /// The metadata server.
    pub metadata: MetadataProcess,
    /// The nodes, index 1 first.
    pub nodes: Vec<NodeProcess>,
    /// Where users log in.
    pub provider: OpenIdProvider,
    /// The wires, where the options asked for them: the metadata server's first, then the nodes'.
    pub proxies: Vec<Proxy>,
    manifest: SignedManifest,
    secrets: Vec<NodeSecrets>,
    verifiers: Vec<Verifier>,
    permit_key: AuthPrivateKey,
    // Removed with the world where no place was named.
    _temporary: Option<TempDir>,
}

impl World {
    /// Starts the default servers.
    ///
    /// # Errors
    /// [`TestkitError`].
    pub async fn start() -> Result<Self, TestkitError> {
        Self::with(WorldOptions::default()).await
    }

    /// Starts the servers. Their keys and ports are new each time.
    ///
    /// # Errors
    /// [`TestkitError`].
    pub async fn with(options: WorldOptions) -> Result<Self, TestkitError> {
        let (directory, temporary) = match options.data {
            Some(directory) => (directory, None),
            None => {
                let temporary = TempDir::new().map_err(TestkitError::Files)?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        let clock = options.clock;
        let mut proxies = Vec::new();
        let (listener, address) = bind()?;
        let url = front(options.proxied, address, &mut proxies).await?;
        let permit_key = permit_key();
        let metadata = MetadataProcess::start(
            listener,
            directory.join("metadata"),
            Arc::clone(&clock),
            url,
            permit_key.clone(),
            options.storage,
        )?;

        let provider_clock = Arc::clone(&clock);
        let audience = options
            .verifiers
            .first()
            .map(|verifier| verifier.audience.clone())
            .unwrap_or_default();
        let provider_options =
            ProviderOptions::new(&audience, Arc::new(move || provider_clock.unix_time()));
        let provider = OpenIdProvider::start(provider_options, &mut os_rng()).await?;

        // The manifest names the nodes' addresses, so the ports come before the keys.
        let sockets = (0..options.nodes)
            .map(|_| bind())
            .collect::<Result<Vec<_>, _>>()?;
        let mut urls = Vec::new();
        for (_, address) in &sockets {
            urls.push(front(options.proxied, *address, &mut proxies).await?);
        }
        let dealt = deal_network(&urls, options.threshold, &mut os_rng())?;
        let settings = VerifierSettings::of(&options.verifiers, provider.issuer())?
            .with_permits(permit_key.auth_key());
        let nodes = sockets
            .into_iter()
            .zip(&dealt.nodes)
            .map(|((listener, _), secrets)| {
                let (settings, clock) = (settings.clone(), Arc::clone(&clock));
                NodeProcess::start(
                    listener,
                    secrets.clone(),
                    dealt.manifest.clone(),
                    settings,
                    clock,
                )
            })
            .collect::<Result<Vec<_>, _>>()?;

        Ok(Self {
            metadata,
            nodes,
            provider,
            proxies,
            manifest: dealt.manifest,
            secrets: dealt.nodes,
            verifiers: options.verifiers,
            permit_key,
            _temporary: temporary,
        })
    }

    /// The metadata server's public base URL.
    #[must_use]
    pub fn metadata_url(&self) -> &str {
        self.metadata.url()
    }

    /// What apps pin.
    #[must_use]
    pub fn manifest(&self) -> &SignedManifest {
        &self.manifest
    }

    /// What a thief of nodes has, index 1 first.
    #[must_use]
    pub fn node_secrets(&self) -> &[NodeSecrets] {
        &self.secrets
    }

    /// By which the metadata server permits slots at the nodes: what its thief has, too.
    #[must_use]
    pub const fn permit_key(&self) -> &AuthPrivateKey {
        &self.permit_key
    }

    /// Where the metadata server's files are.
    #[must_use]
    pub fn metadata_directory(&self) -> &Path {
        self.metadata.directory()
    }

    /// A user logs in with the first verifier's provider: an honest ID token with this OIDC nonce.
    ///
    /// # Errors
    /// [`TestkitError::Provider`].
    pub fn id_token(&self, subject: &str, oidc_nonce: &str) -> Result<String, TestkitError> {
        Ok(self
            .provider
            .id_token(&self.provider.claims(subject).nonce(oidc_nonce))?)
    }

    /// A user logs in with a verifier of a tenant.
    ///
    /// # Errors
    /// [`TestkitError::UnknownVerifier`], [`TestkitError::Provider`].
    pub fn id_token_for(
        &self,
        tenant: &str,
        verifier: &str,
        subject: &str,
        oidc_nonce: &str,
    ) -> Result<String, TestkitError> {
        let known = self
            .verifiers
            .iter()
            .find(|known| known.tenant == tenant && known.id == verifier);
        let known =
            known.ok_or_else(|| TestkitError::UnknownVerifier(format!("{tenant}/{verifier}")))?;
        let claims: Claims = self
            .provider
            .claims(subject)
            .audiences(&[&known.audience])
            .nonce(oidc_nonce);
        Ok(self.provider.id_token_with(Algorithm::Es256, &claims)?)
    }

    /// Copies the metadata server's files while it is stopped for a moment.
    ///
    /// # Errors
    /// As [`Backup::of`].
    pub async fn backup(&mut self) -> Result<Backup, TestkitError> {
        Backup::of(&mut self.metadata).await
    }

    /// Sets the metadata server back to a copy of its files.
    ///
    /// # Errors
    /// As [`Backup::restore`].
    pub async fn restore(&mut self, backup: &Backup) -> Result<(), TestkitError> {
        backup.restore(&mut self.metadata).await
    }

    /// Makes every wire slow: bytes take half of `round_trip` in each direction. Only in a proxied world.
    pub fn latency(&self, round_trip: core::time::Duration) {
        for proxy in &self.proxies {
            proxy.latency(round_trip);
        }
    }

    /// Kills all servers and waits for them.
    pub async fn stop(&mut self) {
        self.metadata.kill().await;
        for node in &mut self.nodes {
            node.kill().await;
        }
    }
}

fn permit_key() -> AuthPrivateKey {
    let mut seed = [0; 32];
    os_rng().fill_bytes(&mut seed);
    AuthPrivateKey::from_seed(&seed)
}

/// The address by which clients know a server: its own, or that of a proxy before it.
async fn front(
    proxied: bool,
    server: SocketAddr,
    proxies: &mut Vec<Proxy>,
) -> Result<String, TestkitError> {
    if !proxied {
        return Ok(format!("http://{server}"));
    }
    let proxy = Proxy::start(server).await.map_err(TestkitError::Listen)?;
    let url = proxy.base_url();
    proxies.push(proxy);
    Ok(url)
}

/// Tenant and verifier names as the protocol has them.
pub(super) fn names(verifier: &Verifier) -> Result<(Tenant, VerifierId), TestkitError> {
    let tenant =
        Tenant::new(&verifier.tenant).map_err(|_| TestkitError::Name(verifier.tenant.clone()))?;
    let id = VerifierId::new(&verifier.id).map_err(|_| TestkitError::Name(verifier.id.clone()))?;
    Ok((tenant, id))
}
