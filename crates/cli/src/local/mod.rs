//! A whole network on this machine: metadata server, nodes, login providers. Real servers, real keys; only that one
//! party has everything. The nodes run in this process with dealt keys, or as processes that make their key themselves.

mod listen;
mod nodes;
pub(crate) mod permit;
mod processes;
pub(crate) mod sealing;

pub(crate) use listen::{Running, StopSignal, bind, serve};
pub(crate) use processes::NodeProcesses;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpListener;
use trefoil::{Clock as _, Environment, SignedManifest, Tenant, VerifierId};
use trefoil_client::ceremony::{Coordinator, Member};
use trefoil_client::{HttpTransport, SystemClock};
use trefoil_metadata_server::{Config, MetadataServer, Tenants};
use trefoil_node::{IdTokenVerifier, Node, NodeConfig, PermitConfig, VerifierConfig};
use trefoil_protocol::social::{NodeKey, VerifiedManifest};
use trefoil_store::{SqliteNodeStore, SqliteOptions};
use trefoil_testkit::oidc::{OpenIdProvider, ProviderOptions};
use url::Url;

use crate::app::{AppFile, Verifier};
use crate::args::NetworkSize;
use crate::failure::{Exit, Failure};
use crate::files;

/// The login providers of a local network: one as big providers are, one that the app runs itself.
pub(crate) const VERIFIERS: [(&str, bool); 2] = [("google", false), ("house", true)];

/// Name of the file for wallets.
pub(crate) const APP_FILE: &str = "network.json";

/// Runs until dropped.
#[derive(Debug)]
pub(crate) struct LocalNetwork {
    pub(crate) app: AppFile,
    pub(crate) providers: Vec<(VerifierId, OpenIdProvider)>,
    servers: Vec<Running>,
}

/// Ports and keys, of this run or of an earlier one.
struct Plan {
    metadata: TcpListener,
    metadata_url: String,
    nodes: Vec<TcpListener>,
    manifest: VerifiedManifest,
    tenant: Tenant,
}

impl LocalNetwork {
    /// Starts the network whose data lie in `directory`, or makes a new one there, on loopback ports of its own.
    pub(crate) async fn start(
        directory: &Path,
        tenant: &Tenant,
        size: NetworkSize,
    ) -> Result<Self, Failure> {
        files::private_directory(directory)?;
        let app_path = directory.join(APP_FILE);
        let plan = if app_path.exists() {
            resume(&app_path, tenant, size).await?
        } else {
            lay(directory, tenant, size).await?
        };
        let providers = start_providers().await?;
        let metadata =
            serve_metadata(directory, plan.metadata, &plan.metadata_url, &plan.tenant).await?;
        let mut servers = vec![metadata];
        let mut settings = node_config(&plan.tenant, &providers)?;
        settings.permits.push(PermitConfig {
            tenant: plan.tenant.clone(),
            key: permit::permit_key(directory)?.auth_key(),
        });
        for (listener, node) in plan.nodes.into_iter().zip(plan.manifest.nodes()) {
            let index = node.index.get();
            let secrets =
                trefoil_node::load_secrets(&nodes::path(directory, index), &plan.manifest)
                    .map_err(|error| unexpected(&error))?;
            let verifier =
                IdTokenVerifier::new(settings.clone()).map_err(|error| unexpected(&error))?;
            let clock = trefoil_node::Clock::system();
            let node = Node::new(
                secrets,
                &plan.manifest,
                verifier,
                clock,
                Environment::system().rng(),
            )
            .map_err(|error| unexpected(&error))?
            .with_slots(
                open_slots(&nodes::slots(directory, index)).await?,
                settings.permits.clone(),
            );
            servers.push(serve(listener, node.router()));
        }

        let app = app_file(
            plan.metadata_url,
            plan.tenant,
            &providers,
            plan.manifest.signed().clone(),
        );
        app.write(&app_path)?;
        Ok(Self {
            app,
            providers,
            servers,
        })
    }

    /// Starts the network whose data lie in `directory`, or makes a new one there, with every node a process of its own.
    /// The processes of a new network make its key among themselves.
    pub(crate) async fn start_processes(
        directory: &Path,
        tenant: &Tenant,
        size: NetworkSize,
    ) -> Result<(Self, NodeProcesses), Failure> {
        files::private_directory(directory)?;
        let app_path = directory.join(APP_FILE);
        let nodes_directory = directory.join("nodes");
        let earlier = match app_path.exists() {
            true => Some(read_app(&app_path, tenant, size)?),
            false => None,
        };
        if earlier.is_none() && nodes_directory.exists() {
            // Of a start that was cut off: while the network file is missing nothing relies on it.
            std::fs::remove_dir_all(&nodes_directory)
                .map_err(|source| Failure::io("remove", &nodes_directory, &source))?;
        }
        files::private_directory(&nodes_directory)?;
        let coordinator = coordinator_key(&nodes_directory)?;

        let (metadata, metadata_url, addresses) = match &earlier {
            Some((app, manifest)) => {
                let nodes = manifest.nodes().iter();
                let addresses = nodes
                    .map(|node| address(&node.url))
                    .collect::<Result<_, _>>()?;
                let metadata = bind(address(&app.metadata_url)?).await?;
                (metadata, app.metadata_url.clone(), addresses)
            }
            None => {
                let metadata = listen::bind_lasting().await?;
                let url = url_of(&metadata)?;
                (metadata, url, free_addresses(size.count()).await?)
            }
        };
        let providers = start_providers().await?;
        let metadata = serve_metadata(directory, metadata, &metadata_url, tenant).await?;
        let processes = NodeProcesses::start(
            &nodes_directory,
            &addresses,
            tenant,
            &providers,
            coordinator.identity_key(),
            permit::permit_key(directory)?.auth_key(),
        )
        .await?;
        let manifest = match earlier {
            Some((app, _)) => app.manifest,
            None => make_key(&coordinator, &addresses, size.needed()).await?,
        };
        let app = app_file(metadata_url, tenant.clone(), &providers, manifest);
        app.write(&app_path)?;
        let network = Self {
            app,
            providers,
            servers: vec![metadata],
        };
        Ok((network, processes))
    }
}

impl LocalNetwork {
    /// Where the metadata server, the nodes and the login providers listen.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let manifest = self.app.manifest.trust_pinned().ok();
        let nodes = manifest.iter().flat_map(VerifiedManifest::nodes);
        let urls = nodes.map(|node| node.url.clone());
        let urls = urls.chain([self.app.metadata_url.clone()]);
        let urls = urls.chain(
            self.providers
                .iter()
                .map(|(_, provider)| provider.issuer().to_owned()),
        );
        urls.filter_map(|url| address(&url).ok()).collect()
    }

    /// Stops the servers that run in this process, login providers included.
    pub(crate) async fn stop(&mut self) {
        for server in self.servers.drain(..) {
            server.stop().await;
        }
        self.providers.clear();
    }
}

/// The key of whoever lets the nodes make theirs.
fn coordinator_key(directory: &Path) -> Result<NodeKey, Failure> {
    let path = directory.join("coordinator.key");
    if !path.exists() {
        let key = NodeKey::random(&mut Environment::system().rng());
        files::write_new_private(&path, &key.expose_json())?;
    }
    NodeKey::from_json(files::read_private(&path)?.trim_ascii().as_bytes())
        .map_err(|error| unexpected(&error))
}

async fn make_key(
    coordinator: &NodeKey,
    addresses: &[SocketAddr],
    threshold: u16,
) -> Result<SignedManifest, Failure> {
    let transport = HttpTransport::new().map_err(|error| unexpected(&error))?;
    let coordinator = Coordinator::new(
        Arc::new(transport),
        coordinator.identity().clone(),
        Environment::system(),
    );
    let members: Vec<Member> = addresses
        .iter()
        .map(|address| Member {
            url: format!("http://{address}"),
            identity_key: None,
        })
        .collect();
    let plan = coordinator.plan_key(&members, threshold).await?;
    let outcome = coordinator.carry_out(&plan, None).await?;
    Ok(outcome.manifest.signed().clone())
}

/// Loopback addresses that were free a moment ago; the processes take them themselves.
async fn free_addresses(count: u16) -> Result<Vec<SocketAddr>, Failure> {
    let mut listeners = Vec::new();
    for _ in 0..count {
        listeners.push(listen::bind_lasting().await?);
    }
    let addresses = listeners.iter().map(TcpListener::local_addr);
    addresses
        .collect::<Result<_, _>>()
        .map_err(|error| unexpected(&error))
}

async fn serve_metadata(
    directory: &Path,
    listener: TcpListener,
    url: &str,
    tenant: &Tenant,
) -> Result<Running, Failure> {
    let config = Config::new(url, Tenants::Listed([tenant.clone()].into()))
        .map_err(|error| unexpected(&error))?;
    let store = open_store(directory.join("metadata")).await?;
    let clock = || SystemClock.unix_time();
    let metadata = MetadataServer::new(config, store, clock, Environment::system().rng())
        .with_permit_key(permit::permit_key(directory)?);
    Ok(serve(listener, metadata.into_router()))
}

/// The network file of an earlier run, if it is of the size that was asked for.
fn read_app(
    app_path: &Path,
    tenant: &Tenant,
    size: NetworkSize,
) -> Result<(AppFile, VerifiedManifest), Failure> {
    let app = AppFile::read(app_path)?;
    let manifest = app.manifest.trust_pinned().map_err(|error| {
        Failure::new(
            Exit::Usage,
            "bad_network_file",
            format!("{}: {error}", app_path.display()),
        )
    })?;
    let has = (manifest.nodes().len(), manifest.threshold());
    let asked = (
        size.nodes.map_or(has.0, usize::from),
        size.threshold.unwrap_or(has.1),
    );
    if has != asked || app.tenant != *tenant {
        return Err(Failure::usage(format!(
            "the network in this directory has {} nodes of which {} must answer, and tenant {}: leave these options \
             out, or name an empty directory",
            has.0, has.1, app.tenant
        )));
    }
    Ok((app, manifest))
}

/// Takes the ports and keys of an earlier run.
async fn resume(app_path: &Path, tenant: &Tenant, size: NetworkSize) -> Result<Plan, Failure> {
    let (app, manifest) = read_app(app_path, tenant, size)?;
    let mut nodes = Vec::new();
    for node in manifest.nodes() {
        nodes.push(bind(address(&node.url)?).await?);
    }
    let metadata = bind(address(&app.metadata_url)?).await?;
    Ok(Plan {
        metadata,
        metadata_url: app.metadata_url,
        nodes,
        manifest,
        tenant: app.tenant,
    })
}

/// Makes a new network. The network file comes last: while it is missing nothing relies on what was written before.
async fn lay(directory: &Path, tenant: &Tenant, size: NetworkSize) -> Result<Plan, Failure> {
    let (count, threshold) = (size.count(), size.needed());
    let mut listeners = Vec::new();
    let mut urls = Vec::new();
    for _ in 0..count {
        let listener = listen::bind_lasting().await?;
        urls.push(url_of(&listener)?);
        listeners.push(listener);
    }
    let manifest = nodes::deal(directory, &urls, threshold)?;
    let metadata = listen::bind_lasting().await?;
    let metadata_url = url_of(&metadata)?;
    Ok(Plan {
        metadata,
        metadata_url,
        nodes: listeners,
        manifest,
        tenant: tenant.clone(),
    })
}

async fn start_providers() -> Result<Vec<(VerifierId, OpenIdProvider)>, Failure> {
    let mut providers = Vec::new();
    for (name, _) in VERIFIERS {
        let id = VerifierId::new(name).map_err(|error| unexpected(&error))?;
        let options = ProviderOptions::new(&audience(name), Arc::new(|| SystemClock.unix_time()));
        let provider = OpenIdProvider::start(options, &mut Environment::system().rng())
            .await
            .map_err(|error| unexpected(&error))?;
        providers.push((id, provider));
    }
    Ok(providers)
}

fn audience(verifier: &str) -> String {
    format!("trefoil-dev-{verifier}")
}

fn node_config(
    tenant: &Tenant,
    providers: &[(VerifierId, OpenIdProvider)],
) -> Result<NodeConfig, Failure> {
    let mut config = NodeConfig::default();
    for ((id, provider), (name, custom)) in providers.iter().zip(VERIFIERS) {
        let mut verifier = VerifierConfig::new(
            tenant.clone(),
            id.clone(),
            provider.issuer(),
            &audience(name),
        );
        verifier.custom = custom;
        config.verifiers.push(verifier);
    }
    Ok(config)
}

fn app_file(
    metadata_url: String,
    tenant: Tenant,
    providers: &[(VerifierId, OpenIdProvider)],
    manifest: SignedManifest,
) -> AppFile {
    let verifiers = providers
        .iter()
        .zip(VERIFIERS)
        .map(|((id, provider), (_, custom))| Verifier {
            id: id.clone(),
            custom,
            dev_token_url: Some(provider.dev_token_url()),
        })
        .collect();
    AppFile::new(metadata_url, tenant, verifiers, manifest)
}

/// Opens the database in which a node of `serve dev` keeps its slots.
async fn open_slots(directory: &Path) -> Result<Arc<SqliteNodeStore>, Failure> {
    files::private_directory(directory)?;
    let directory = directory.to_owned();
    tokio::task::spawn_blocking(move || SqliteNodeStore::open(directory))
        .await
        .map_err(|error| unexpected(&error))?
        .map(Arc::new)
        .map_err(|error| Failure::new(Exit::Other, "store", error))
}

/// Opens the metadata server's database, whose sealing keys lie in its directory and are made at the first start.
pub(crate) async fn open_store(
    directory: PathBuf,
) -> Result<Arc<trefoil_store::SqliteStore>, Failure> {
    let keys = sealing::path(&directory);
    open_sealed_store(directory, &keys).await
}

/// Opens the metadata server's database on a thread that may block, with the sealing keys of this file, which is made where
/// there is none.
pub(crate) async fn open_sealed_store(
    directory: PathBuf,
    sealing_keys_file: &Path,
) -> Result<Arc<trefoil_store::SqliteStore>, Failure> {
    files::private_directory(&directory)?;
    let keys = sealing::KeyFile::read_or_make(sealing_keys_file)?.keys()?;
    let shown = directory.display().to_string();
    let options = SqliteOptions::new(directory).sealing(keys, Environment::system().rng());
    tokio::task::spawn_blocking(move || options.open())
        .await
        .map_err(|error| unexpected(&error))?
        .map(Arc::new)
        .map_err(|error| {
            Failure::new(
                Exit::Other,
                "store",
                format!("the database in {shown}: {error}"),
            )
        })
}

fn url_of(listener: &TcpListener) -> Result<String, Failure> {
    let address = listener.local_addr().map_err(|error| unexpected(&error))?;
    Ok(format!("http://{address}"))
}

/// The loopback address in a URL that an earlier run wrote.
fn address(url: &str) -> Result<SocketAddr, Failure> {
    let parsed = Url::parse(url).ok();
    let found = parsed
        .and_then(|url| url.socket_addrs(|| None).ok())
        .and_then(|found| found.first().copied());
    found
        .filter(|address| address.ip().is_loopback())
        .ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                "bad_network_file",
                format!("{url} in the network file is not an address of this machine"),
            )
        })
}

fn unexpected(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Other, "unexpected", error)
}
