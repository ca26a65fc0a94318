//! `trefoil serve metadata`.

mod database;
mod settings;
mod store;

use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;
use trefoil::{Clock as _, Environment};
use trefoil_client::SystemClock;
use trefoil_metadata_server::{Config, Limits, MetadataServer, openapi_json};

use self::settings::{Place, Settings};
use self::store::open_store;
use crate::args::ServeMetadata;
use crate::failure::{Exit, Failure};
use crate::local::permit::{self, PermitKey};
use crate::local::{StopSignal, bind, serve};
use crate::serving::{Certificates, PublicServer, TlsFiles};
use crate::ui::Ui;

pub(crate) async fn run(ui: Ui, arguments: ServeMetadata) -> Result<(), Failure> {
    if let Some(path) = &arguments.new_permit_key {
        return new_permit_key(ui, path);
    }
    if arguments.openapi {
        ui.document(openapi_json());
        return Ok(());
    }
    crate::serving::log(ui);
    let (check_only, until_stdin_closes) = (arguments.check_config, arguments.until_stdin_closes);
    let settings = Settings::read(arguments);
    if check_only {
        return check(ui, &settings.map_err(as_usage)?);
    }
    let settings = settings?;
    let tls = settings.tls.clone().map(Certificates::load).transpose()?;
    let listener = bind(settings.listen).await?;
    // The port that was asked for may have been 0.
    let address = listener.local_addr().unwrap_or(settings.listen);
    let public_url = match &settings.public_url {
        Some(url) => url.clone(),
        // Only where nobody comes from outside.
        None => format!("http://{address}"),
    };
    let config = Config::new(&public_url, settings.tenants.clone()).map_err(Failure::usage)?;
    let store = open_store(&settings).await?;
    // With a directory of its own after the database was opened, which no other process can meanwhile.
    let permit_key = load_permit_key(&settings)?;
    let public_key = permit_key.key.auth_key();
    let clock = || SystemClock.unix_time();
    let limits = Limits::new(
        settings.limits,
        settings.trusted_proxies.clone(),
        store.limits,
        permit_key.limit_key,
    );
    let server = MetadataServer::new(config, store.metadata, clock, Environment::system().rng())
        .with_permit_key(permit_key.key)
        .with_limits(limits);
    let mut metrics_address: Option<SocketAddr> = None;
    let mut metrics_server = None;
    if let Some(metrics) = settings.metrics {
        let listener = bind(metrics).await?;
        metrics_address = listener.local_addr().ok();
        metrics_server = Some(serve(listener, server.metrics().router()));
    }
    let running = PublicServer::start(
        listener,
        server.into_router(),
        tls.as_ref().map(Certificates::config),
        settings.max_connections,
    )?;
    let stop = StopSignal::listen()?;
    let renewal = tls.map(|certificates| tokio::spawn(certificates.renew()));
    let scheme = if renewal.is_some() { "https" } else { "http" };
    ui.step(
        "serving",
        json!({
            "listen": address,
            "scheme": scheme,
            "metrics": metrics_address,
            "public_url": public_url,
            "permit_key": public_key,
        }),
        format!(
            "Metadata server on {address} ({scheme}), reached at {public_url}. Ctrl-C stops it.\n\
             Nodes tell its permits by the key {public_key}."
        ),
    );
    running
        .run_until_stopped(ui, stop, until_stdin_closes)
        .await;
    if let Some(renewal) = renewal {
        renewal.abort();
    }
    drop(metrics_server);
    Ok(())
}

/// Several processes on one database must have the same key, so none of them makes it.
fn load_permit_key(settings: &Settings) -> Result<PermitKey, Failure> {
    let path = &settings.permit_key_file;
    let key = match &settings.place {
        Place::Directory(_) => permit::read_or_make(path),
        Place::Database(_) => permit::read(path),
    };
    key.map_err(|failure| failure.of_setting("permit_key_file"))
}

/// Reads everything that the settings name, and neither opens the store nor takes a port: a server may be running.
fn check(ui: Ui, settings: &Settings) -> Result<(), Failure> {
    let is_made_later =
        matches!(settings.place, Place::Directory(_)) && !settings.permit_key_file.exists();
    let permit_key = || {
        permit::read(&settings.permit_key_file)
            .err()
            .map(|failure| failure.of_setting("permit_key_file"))
    };
    let problems = [
        settings
            .tls
            .as_ref()
            .map(TlsFiles::load)
            .and_then(Result::err),
        if is_made_later { None } else { permit_key() },
    ];
    let lines: Vec<&str> = problems.iter().flatten().map(Failure::message).collect();
    if !lines.is_empty() {
        return Err(Failure::new(Exit::Usage, "bad_settings", lines.join("\n")));
    }
    ui.step("settings_fit", json!({}), "The settings fit.");
    Ok(())
}

fn new_permit_key(ui: Ui, path: &Path) -> Result<(), Failure> {
    crate::files::refuse_existing(path)?;
    let key = permit::read_or_make(path)?.key.auth_key();
    ui.step(
        "permit_key_made",
        json!({ "permit_key": key, "file": path }),
        format!(
            "{} holds a new permit key. Give a copy to every process of the deployment.\n\
             Nodes tell its permits by the key {key}.",
            path.display()
        ),
    );
    Ok(())
}

fn as_usage(failure: Failure) -> Failure {
    Failure::new(Exit::Usage, failure.code(), failure.message())
}
