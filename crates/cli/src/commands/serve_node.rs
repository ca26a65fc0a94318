//! `trefoil serve node`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use trefoil::{Environment, SignedManifest};
use trefoil_node::{IdTokenVerifier, Node, NodeConfig, load_secrets};

use crate::args::ServeNode;
use crate::failure::{Exit, Failure};
use crate::files;
use crate::local::{StopSignal, bind, serve};
use crate::ui::Ui;

/// The settings file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    listen: Option<SocketAddr>,
    manifest: Option<PathBuf>,
    secrets: Option<PathBuf>,
    verifiers: Option<PathBuf>,
}

pub(crate) async fn run(ui: Ui, arguments: ServeNode) -> Result<(), Failure> {
    super::serve_metadata::log(ui);
    let file: Settings = settings(arguments.config.as_deref())?;
    let named = |argument: Option<PathBuf>, setting: Option<PathBuf>, what: &str| {
        argument.or(setting).ok_or_else(|| Failure::usage(what))
    };
    let manifest_path = named(
        arguments.manifest,
        file.manifest,
        "name the network's manifest: --manifest FILE",
    )?;
    let secrets_path = named(
        arguments.secrets,
        file.secrets,
        "name this node's secret file: --secrets FILE",
    )?;
    let verifiers_path = named(
        arguments.verifiers,
        file.verifiers,
        "name the verifiers' file: --verifiers FILE",
    )?;

    let bad = |path: &Path, error: &dyn std::fmt::Display| {
        Failure::new(
            Exit::Usage,
            "bad_settings",
            format!("{}: {error}", path.display()),
        )
    };
    let manifest: SignedManifest = serde_json::from_str(&files::read(&manifest_path)?)
        .map_err(|error| bad(&manifest_path, &error))?;
    let manifest = manifest
        .trust_pinned()
        .map_err(|error| bad(&manifest_path, &error))?;
    let secrets =
        load_secrets(&secrets_path, &manifest).map_err(|error| bad(&secrets_path, &error))?;
    let config = NodeConfig::from_toml(&files::read(&verifiers_path)?)
        .map_err(|error| bad(&verifiers_path, &error))?;
    let verifier = IdTokenVerifier::new(config).map_err(|error| bad(&verifiers_path, &error))?;

    let index = secrets.index();
    let node = Node::new(
        secrets,
        &manifest,
        verifier,
        trefoil_node::Clock::system(),
        Environment::system().rng(),
    )
    .map_err(|error| bad(&secrets_path, &error))?;
    let listen = arguments
        .listen
        .or(file.listen)
        .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 7879)));
    let listener = bind(listen).await?;
    let address = listener.local_addr().unwrap_or(listen);
    let running = serve(listener, node.router());
    let stop = StopSignal::listen()?;
    ui.step(
        "serving",
        json!({ "listen": address, "index": index.get(), "epoch": manifest.epoch() }),
        format!(
            "Node {index} of {} on {address}. Ctrl-C stops it.",
            manifest.nodes().len()
        ),
    );
    stop.wait().await;
    drop(running);
    ui.note("stopped");
    Ok(())
}

/// A settings file, or the defaults where none is named.
pub(super) fn settings<T: DeserializeOwned + Default>(path: Option<&Path>) -> Result<T, Failure> {
    let Some(path) = path else {
        return Ok(T::default());
    };
    toml::from_str(&files::read(path)?).map_err(|error| {
        Failure::new(
            Exit::Usage,
            "bad_settings",
            format!("{}: {error}", path.display()),
        )
    })
}
