//! `trefoil serve metadata`.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::json;
use trefoil::{Clock as _, Environment, Tenant};
use trefoil_client::SystemClock;
use trefoil_metadata_server::{Config, MetadataServer, Tenants};

use crate::args::ServeMetadata;
use crate::failure::Failure;
use crate::files;
use crate::local::{StopSignal, bind, open_store, permit, serve};
use crate::ui::Ui;

/// The settings file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    listen: Option<SocketAddr>,
    public_url: Option<String>,
    data: Option<PathBuf>,
    permit_key_file: Option<PathBuf>,
    tenants: Vec<Tenant>,
}

pub(crate) async fn run(ui: Ui, arguments: ServeMetadata) -> Result<(), Failure> {
    log(ui);
    let settings: Settings = super::serve_node::settings(arguments.config.as_deref())?;
    let listen = arguments
        .listen
        .or(settings.listen)
        .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 7878)));
    let data = arguments
        .data
        .or(settings.data)
        .ok_or_else(|| Failure::usage("name the data directory: --data DIR"))?;
    let permit_key_file = arguments
        .permit_key_file
        .or(settings.permit_key_file)
        .unwrap_or_else(|| permit::path(&data));
    let listed = if arguments.tenants.is_empty() {
        settings.tenants
    } else {
        arguments.tenants
    };
    let tenants = match (arguments.any_tenant, listed.is_empty()) {
        (true, _) => Tenants::Any,
        (false, false) => Tenants::Listed(listed.into_iter().collect()),
        (false, true) => {
            return Err(Failure::usage(
                "name the tenants to serve: --tenant TENANT, or --any-tenant",
            ));
        }
    };
    let listener = bind(listen).await?;
    // The port that was asked for may have been 0.
    let address = listener.local_addr().unwrap_or(listen);
    let public_url = match arguments.public_url.or(settings.public_url) {
        Some(url) => url,
        None if address.ip().is_loopback() => format!("http://{address}"),
        None => {
            return Err(Failure::usage(
                "say how clients reach this server: --public-url URL",
            ));
        }
    };
    let config = Config::new(&public_url, tenants).map_err(Failure::usage)?;
    files::private_directory(&data)?;
    let store = open_store(data).await?;
    // After the database was opened, which no other process can meanwhile.
    let permit_key = permit::read_or_make(&permit_key_file)?;
    let public_key = permit_key.auth_key();
    let clock = || SystemClock.unix_time();
    let server = MetadataServer::new(config, store, clock, Environment::system().rng())
        .with_permit_key(permit_key);
    let running = serve(listener, server.into_router());
    let stop = StopSignal::listen()?;
    ui.step(
        "serving",
        json!({ "listen": address, "public_url": public_url, "permit_key": public_key }),
        format!(
            "Metadata server on {address}, reached at {public_url}. Ctrl-C stops it.\n\
             Nodes tell its permits by the key {public_key}."
        ),
    );
    stop.wait().await;
    drop(running);
    ui.note("stopped");
    Ok(())
}

/// Servers log to standard error, at the level of `TREFOIL_LOG` (`info` unless set).
pub(super) fn log(ui: Ui) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("TREFOIL_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // Fails only where a subscriber is set already.
    let _ = if ui.json() {
        builder.json().try_init()
    } else {
        builder.try_init()
    };
}
