//! Setting the SDK up.

use std::collections::BTreeSet;
use std::sync::Arc;

use trefoil_client::network::NetworkClient;
use trefoil_client::{
    CountingTransport, Environment, HttpTransport, MetadataClient, RoundTrips, SlotClient,
    Transport,
};
use trefoil_factors::device::{DeviceStore, DeviceStoreError, DeviceStoreExt, MemoryDeviceStore};
use trefoil_factors::knowledge::Cost;
use trefoil_factors::passkey::{CredentialId, Passkey, PasskeyAuthenticator, PasskeyError};
use trefoil_protocol::bytes::{AccountId, NetworkKey};
use trefoil_protocol::social::{ManifestError, SignedManifest, VerifiedManifest, VerifierId};
use trefoil_protocol::tenant::{Tenant, TenantError};

use crate::core::Core;
use crate::factor::Factor;
use crate::login::{Login, LoginError, authenticate, authenticate_device};
use crate::mfa::MfaLevel;
use crate::open::Locked;

/// The SDK, set up for one metadata server, one node network and one tenant. Clones share everything.
#[derive(Debug, Clone)]
pub struct Trefoil {
    core: Arc<Core>,
}

/// Collects what [`Trefoil`] needs. Nothing is sent or read before [`Self::build`].
#[must_use]
pub struct TrefoilBuilder {
    metadata_url: String,
    manifest: SignedManifest,
    network_key: Option<NetworkKey>,
    tenant: Option<String>,
    devices: Arc<dyn DeviceStore>,
    level: MfaLevel,
    custom_verifiers: BTreeSet<VerifierId>,
    transport: Option<Arc<dyn Transport>>,
    environment: Environment,
    stretch: Cost,
}

/// Why the SDK cannot be set up like this.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Guesses would be too cheap.
    #[error("stretching must cost at least 19 MiB of memory and two passes")]
    StretchCost,
    /// No tenant was named.
    #[error("name the tenant: .tenant(\"…\")")]
    NoTenant,
    /// The tenant's name is none.
    #[error(transparent)]
    Tenant(#[from] TenantError),
    /// The metadata server's address is none, or not safe.
    #[error("the metadata server: {0}")]
    Metadata(#[from] trefoil_client::metadata::BadAddress),
    /// The manifest is not one of the network that the app pins.
    #[error("the network's manifest: {0}")]
    Manifest(#[from] ManifestError),
    /// A node's address is none, or not safe.
    #[error("the node network: {0}")]
    Network(#[from] trefoil_client::network::BadNetwork),
    /// The HTTP client cannot be made.
    #[error(transparent)]
    Transport(#[from] trefoil_client::TransportError),
    /// The device store cannot be read.
    #[error(transparent)]
    Device(#[from] DeviceStoreError),
}

impl Trefoil {
    /// Starts setting up: the metadata server's public base URL and a manifest of the network, both pinned by the app.
    ///
    /// The network moves on from epoch to epoch, and the SDK follows it by itself from whichever manifest it was given:
    /// the wallets stay the same, since they depend on the network's key alone.
    pub fn builder(metadata_url: impl Into<String>, manifest: SignedManifest) -> TrefoilBuilder {
        TrefoilBuilder {
            metadata_url: metadata_url.into(),
            manifest,
            network_key: None,
            tenant: None,
            devices: Arc::new(MemoryDeviceStore::new()),
            level: MfaLevel::default(),
            custom_verifiers: BTreeSet::new(),
            transport: None,
            environment: Environment::system(),
            stretch: Cost::DEFAULT,
        }
    }

    pub(crate) const fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Begins a social login: makes the ephemeral key, and while the user is at the provider opens connections ahead and
    /// learns whether the network has moved to another epoch.
    #[must_use]
    pub fn begin_login(&self) -> Login {
        Login::begin(Arc::clone(&self.core))
    }

    /// Logs in with factors that need no provider, such as a recovery phrase. The device's own factor joins by itself.
    ///
    /// # Errors
    /// [`LoginError`]: offline, no account, a removed factor, or a server that shows the past.
    pub async fn log_in_with(
        &self,
        factors: impl IntoIterator<Item = Factor>,
    ) -> Result<Locked, LoginError> {
        let keys: Vec<_> = factors
            .into_iter()
            .map(|factor| factor.keys(&self.core.tenant))
            .collect();
        if keys.is_empty() {
            return Err(LoginError::NoFactor);
        }
        authenticate(&self.core, keys, &[]).await
    }

    /// A passkey of this wallet, of those that the account's other factors name or, where none is named, whichever the user
    /// chooses: an opening can start with it.
    ///
    /// # Errors
    /// [`PasskeyError`].
    pub async fn passkey(
        &self,
        rp_id: &str,
        authenticator: &dyn PasskeyAuthenticator,
        credentials: Vec<CredentialId>,
    ) -> Result<Passkey, PasskeyError> {
        Passkey::get(authenticator, &self.core.tenant, rp_id, credentials).await
    }

    /// Logs in with this device's own factor alone, for a user who has lost the social login.
    ///
    /// # Errors
    /// [`LoginError::NoFactor`] where this device has no factor of the account, and the others.
    pub async fn log_in_with_device(&self, account: &AccountId) -> Result<Locked, LoginError> {
        authenticate_device(&self.core, account).await
    }

    /// The accounts that this device has seen, but for those of which it is only a trusted contact.
    ///
    /// # Errors
    /// [`DeviceStoreError`].
    pub fn known_accounts(&self) -> Result<Vec<AccountId>, DeviceStoreError> {
        let state = self.core.devices.read()?;
        let mine = state.accounts().filter(|(id, known)| {
            *known.tenant() == self.core.tenant && !state.is_contact_only(id)
        });
        Ok(mine.map(|(id, _)| *id).collect())
    }

    /// Makes this device forget an account, its own factor of it included: for an account that its owner has deleted
    /// elsewhere. Without it this device keeps refusing a server that knows no such account.
    ///
    /// # Errors
    /// [`DeviceStoreError`].
    pub fn forget_account(&self, account: &AccountId) -> Result<(), DeviceStoreError> {
        self.core.devices.update(|state| state.forget(account))
    }

    /// The newest manifest of the network that is in use. An app that keeps it and starts from it the next time
    /// ([`Self::builder`], without [`TrefoilBuilder::network_key`]) has less to catch up with, and finds the network
    /// where all nodes of the first manifest are gone.
    #[must_use]
    pub fn manifest(&self) -> SignedManifest {
        self.core.network.manifest().signed().clone()
    }

    /// Counts sequential round trips over the network that a user waits for. What goes on while the user is at the provider
    /// does not count.
    #[must_use]
    pub fn round_trips(&self) -> &RoundTrips {
        &self.core.trips
    }

    /// The name space of accounts.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.core.tenant
    }
}

impl TrefoilBuilder {
    /// The name space of accounts. Apps that should open the same wallets share it.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// Where this device keeps its factor and what it has seen. Without one, nothing outlives the process.
    pub fn device_store(mut self, store: impl DeviceStore + 'static) -> Self {
        self.devices = Arc::new(store);
        self
    }

    /// How strongly users are asked to turn on MFA.
    pub const fn mfa_level(mut self, level: MfaLevel) -> Self {
        self.level = level;
        self
    }

    /// Declares a verifier to be a custom one of this app: only its accounts can have a dApp share.
    pub fn custom_verifier(mut self, verifier: VerifierId) -> Self {
        self.custom_verifiers.insert(verifier);
        self
    }

    /// Pins the network by its group key as well: then the manifest given must be the network's first, signed by its own
    /// nodes. Without it the manifest is trusted as it is, of whatever epoch: the first one, a later one that the app was
    /// built with, or what [`Trefoil::manifest`] gave.
    pub const fn network_key(mut self, key: NetworkKey) -> Self {
        self.network_key = Some(key);
        self
    }

    /// What it costs to try a password, PIN or set of answers, unless set [`Cost::DEFAULT`]: less for weak devices, at least
    /// [`Cost::LEAST`]. What was set up with less is set up anew when it is next used.
    pub const fn stretch_cost(mut self, cost: Cost) -> Self {
        self.stretch = cost;
        self
    }

    /// Another HTTP transport, for tests or for an app's own stack.
    pub fn transport(mut self, transport: impl Transport + 'static) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Another clock and random source.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Checks everything and sets up.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn build(self) -> Result<Trefoil, BuildError> {
        if self.stretch.memory_kib < Cost::LEAST.memory_kib
            || self.stretch.passes < Cost::LEAST.passes
            || self.stretch.lanes < 1
        {
            return Err(BuildError::StretchCost);
        }
        let tenant = Tenant::new(&self.tenant.ok_or(BuildError::NoTenant)?)?;
        let manifest: VerifiedManifest = match &self.network_key {
            Some(key) => self.manifest.verify_first(key)?,
            None => self.manifest.trust_pinned()?,
        };
        // A damaged device file must be known before anything relies on it.
        self.devices.read()?;
        let inner = match self.transport {
            Some(transport) => transport,
            None => Arc::new(HttpTransport::new()?),
        };
        let trips = RoundTrips::new();
        let transport: Arc<dyn Transport> = Arc::new(CountingTransport::new(inner, trips.clone()));
        let metadata = MetadataClient::new(
            Arc::clone(&transport),
            &self.metadata_url,
            tenant.clone(),
            self.environment.clone(),
        )?;
        let network =
            NetworkClient::new(Arc::clone(&transport), manifest, self.environment.clone())?;
        let slots = SlotClient::new(
            transport,
            metadata.clone(),
            network.clone(),
            self.environment.clone(),
        );
        Ok(Trefoil {
            core: Arc::new(Core {
                tenant,
                metadata,
                network,
                devices: self.devices,
                level: self.level,
                custom_verifiers: self.custom_verifiers,
                environment: self.environment,
                trips,
                slots,
                stretch: self.stretch,
            }),
        })
    }
}
