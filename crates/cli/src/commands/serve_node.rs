//! `trefoil serve node`.

mod approvals;
mod settings;
mod upkeep;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use trefoil::{Environment, SignedManifest};
use trefoil_node::{
    CeremonyError, CeremonyPolicy, ConfigError, IdTokenVerifier, Limits, Node, NodeConfig,
    PermitConfig, Stopwatch, load_secrets,
};
use trefoil_protocol::social::{NodeKey, NodeSecrets, VerifiedManifest};
use trefoil_store::SqliteNodeStore;

pub(super) use self::approvals::Approvals;
use self::settings::{Data, Dealt, Settings};
use crate::args::ServeNode;
use crate::failure::{Exit, Failure};
use crate::files;
use crate::local::{StopSignal, bind, serve};
use crate::serving::{Certificates, PublicServer, TlsFiles};
use crate::settings::not_toml;
use crate::ui::Ui;

pub(crate) async fn run(ui: Ui, arguments: ServeNode) -> Result<(), Failure> {
    crate::serving::log(ui);
    let (check_only, until_stdin_closes) = (arguments.check_config, arguments.until_stdin_closes);
    let settings = Settings::read(arguments);
    if check_only {
        return check(ui, &settings.map_err(as_usage)?);
    }
    let settings = settings?;
    let tls = settings.tls.clone().map(Certificates::load).transpose()?;
    let node = open_node(&settings).await?;
    let limits = Limits::new(
        &settings.limits,
        settings.trusted_proxies,
        &Stopwatch::system(),
        &mut Environment::system().rng(),
    )
    .map_err(Failure::usage)?;
    let node = Arc::new(node.limited(limits));

    let listener = bind(settings.listen).await?;
    let address = listener.local_addr().unwrap_or(settings.listen);
    let mut metrics_address: Option<SocketAddr> = None;
    let mut metrics_server = None;
    if let Some(metrics) = settings.metrics {
        let listener = bind(metrics).await?;
        metrics_address = listener.local_addr().ok();
        metrics_server = Some(serve(listener, node.metrics().router()));
    }
    let server = PublicServer::start(
        listener,
        Node::shared_router(Arc::clone(&node)),
        tls.as_ref().map(Certificates::config),
        settings.max_connections,
    )?;
    let stop = StopSignal::listen()?;
    let upkeep = tokio::spawn(upkeep::run(Arc::clone(&node)));
    let renewal = tls.map(|certificates| tokio::spawn(certificates.renew()));
    let scheme = if renewal.is_some() { "https" } else { "http" };
    ui.step(
        "serving",
        json!({
            "listen": address,
            "scheme": scheme,
            "metrics": metrics_address,
            "identity_key": node.identity_key(),
            "index": node.place().map(|(index, _)| index),
            "epoch": node.epoch(),
        }),
        format!(
            "{} on {address} ({scheme}). Ctrl-C stops it.",
            summary(&node)
        ),
    );
    server.run_until_stopped(ui, stop, until_stdin_closes).await;
    if let Some(renewal) = renewal {
        renewal.abort();
    }
    upkeep.abort();
    drop(metrics_server);
    Ok(())
}

/// Puts the node together: the one place that knows where its shares come from. With a directory of its own a node lives
/// from what its ceremonies leave there, and a dealt share is only its beginning; without one it is a dealt node.
async fn open_node(settings: &Settings) -> Result<Node, Failure> {
    let (verifier, permits) = load_verifiers(&settings.verifiers)?;
    let dealt = settings.dealt.as_ref().map(load_dealt).transpose()?;
    let clock = trefoil_node::Clock::system();
    let rng = Environment::system().rng();
    let node = match (&settings.data, dealt) {
        (Some(data), dealt) => {
            let key = load_key(data)?;
            let store = open_store(data).await?;
            let node = Node::open(store.clone(), key, verifier, clock, rng)
                .await
                .map_err(|error| bad(&data.directory, &error))?;
            if let Some((manifest, secrets)) = dealt {
                adopt(&node, &manifest, &secrets).await?;
            }
            node.with_slots(store, permits)
        }
        (None, Some(_)) if !permits.is_empty() => {
            let message = "data: is missing: a node that takes slots on permits must keep their counts in a directory of its own";
            return Err(Failure::new(Exit::Usage, "bad_settings", message));
        }
        (None, Some((manifest, secrets))) => Node::new(secrets, &manifest, verifier, clock, rng)
            .map_err(|error| Failure::new(Exit::Usage, "bad_settings", error))?,
        (None, None) => return Err(no_dealt_share()),
    };
    Ok(node
        .with_policy(policy(settings))
        .with_overlap(settings.overlap.as_secs()))
}

/// The share of a dealt network becomes that of a node which has none; later starts find it in the store.
async fn adopt(
    node: &Node,
    manifest: &VerifiedManifest,
    secrets: &NodeSecrets,
) -> Result<(), Failure> {
    match node.adopt_dealt(secrets, manifest).await {
        Ok(()) | Err(CeremonyError::NetworkExists) => Ok(()),
        Err(CeremonyError::OtherKey) => {
            Err(
                Failure::new(Exit::Usage, "bad_settings", CeremonyError::OtherKey)
                    .of_setting("key_file"),
            )
        }
        Err(error) => Err(Failure::new(Exit::Other, "store", error)),
    }
}

/// Plans of the coordinator that the settings name, and those that the operator has approved in the directory.
fn policy(settings: &Settings) -> CeremonyPolicy {
    let policy = match &settings.ceremony {
        Some(ceremony) => CeremonyPolicy::coordinator(ceremony.coordinator, ceremony.trust),
        None => CeremonyPolicy::default(),
    };
    let policy = match &settings.public_url {
        Some(url) => policy.at(url),
        None => policy,
    };
    match &settings.data {
        Some(data) => {
            let approvals = Approvals::in_directory(&data.directory);
            policy.approvals(move |plan| approvals.holds(plan))
        }
        None => policy,
    }
}

/// Reads everything that the settings name, and neither opens the store nor takes a port: a server may be running.
fn check(ui: Ui, settings: &Settings) -> Result<(), Failure> {
    let problems = [
        settings
            .tls
            .as_ref()
            .map(TlsFiles::load)
            .and_then(Result::err),
        load_verifiers(&settings.verifiers).err(),
        match &settings.dealt {
            Some(dealt) => load_dealt(dealt).err(),
            None if settings.data.is_some() => None,
            None => Some(no_dealt_share()),
        },
        settings.data.as_ref().map(load_key).and_then(Result::err),
    ];
    let lines: Vec<&str> = problems.iter().flatten().map(Failure::message).collect();
    if !lines.is_empty() {
        return Err(Failure::new(Exit::Usage, "bad_settings", lines.join("\n")));
    }
    ui.step("settings_fit", json!({}), "The settings fit.");
    Ok(())
}

fn summary(node: &Node) -> String {
    match node.place() {
        Some((index, nodes)) => format!("Node {index} of {nodes}"),
        None => format!("Node {} without a share", node.identity_key()),
    }
}

fn as_usage(failure: Failure) -> Failure {
    Failure::new(Exit::Usage, failure.code(), failure.message())
}

fn no_dealt_share() -> Failure {
    let message = "manifest: is missing: a node needs a share to start with; name the network's manifest and this \
                   node's secrets";
    Failure::new(Exit::Usage, "bad_settings", message)
}

/// The verifiers, and whose permits slots are taken on.
fn load_verifiers(path: &Path) -> Result<(IdTokenVerifier, Vec<PermitConfig>), Failure> {
    let text = files::read(path).map_err(|failure| failure.of_setting("verifiers"))?;
    NodeConfig::from_toml(&text)
        .and_then(|config| {
            let permits = config.permits.clone();
            Ok((IdTokenVerifier::new(config)?, permits))
        })
        .map_err(|error| match error {
            ConfigError::Toml(error) => not_toml(path, &text, &error),
            error => bad(path, &error),
        })
        .map_err(|failure| failure.of_setting("verifiers"))
}

fn load_dealt(dealt: &Dealt) -> Result<(VerifiedManifest, NodeSecrets), Failure> {
    let Dealt { manifest, secrets } = dealt;
    let text = files::read(manifest).map_err(|failure| failure.of_setting("manifest"))?;
    let signed: SignedManifest = serde_json::from_str(&text)
        .map_err(|error| bad(manifest, &error).of_setting("manifest"))?;
    let verified = signed
        .trust_pinned()
        .map_err(|error| bad(manifest, &error).of_setting("manifest"))?;
    let secrets = load_secrets(secrets, &verified)
        .map_err(|error| bad(secrets, &error).of_setting("secrets"))?;
    Ok((verified, secrets))
}

/// The node's key, from a file that nobody else may read.
fn load_key(data: &Data) -> Result<NodeKey, Failure> {
    let path = &data.key_file;
    let text = files::read_private(path).map_err(|failure| failure.of_setting("key_file"))?;
    NodeKey::from_json(text.trim_ascii().as_bytes())
        .map_err(|error| bad(path, &error).of_setting("key_file"))
}

/// Opens the node's database on a thread that may block.
async fn open_store(data: &Data) -> Result<Arc<SqliteNodeStore>, Failure> {
    files::private_directory(&data.directory)?;
    let directory = data.directory.clone();
    let shown = directory.display().to_string();
    let failed = |error: &dyn std::fmt::Display| {
        let message = format!("data: the database in {shown}: {error}");
        Failure::new(Exit::Other, "store", message)
    };
    tokio::task::spawn_blocking(move || SqliteNodeStore::open(directory))
        .await
        .map_err(|error| failed(&error))?
        .map(Arc::new)
        .map_err(|error| failed(&error))
}

fn bad(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    let message = format!("{}: {error}", path.display());
    Failure::new(Exit::Usage, "bad_settings", message)
}
