//! `trefoil admin`: one file per verb.

mod backup;
mod prune;
mod report;
mod restore;
mod rotate;
mod stats;
mod verify;

use std::path::PathBuf;

use serde::Deserialize;
use trefoil::Environment;
use trefoil_store::AtRest;

use crate::args::{Admin, StorePlace};
use crate::failure::Failure;
use crate::local::sealing::KeyFile;
use crate::settings::{Problems, parse};
use crate::store::{DatabaseSection, Store, StoreSettings};
use crate::ui::Ui;

pub(crate) async fn run(ui: Ui, command: Admin) -> Result<(), Failure> {
    match command {
        Admin::Stats(arguments) => stats::run(ui, arguments).await,
        Admin::Verify(arguments) => verify::run(ui, arguments).await,
        Admin::Prune(arguments) => prune::run(ui, arguments).await,
        Admin::Backup(arguments) => backup::run(ui, arguments).await,
        Admin::Restore(arguments) => restore::run(ui, arguments).await,
        Admin::Rotate(arguments) => rotate::run(ui, arguments).await,
    }
}

/// Of the server's settings, what says where its store is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Settings {
    data: Option<PathBuf>,
    database: DatabaseSection,
    sealing_keys_file: Option<PathBuf>,
}

/// The store that the arguments name.
fn store(place: StorePlace) -> Result<Store, Failure> {
    let settings: Settings = match &place.config {
        Some(path) => parse(path)?,
        None => Settings::default(),
    };
    let mut problems = Problems::default();
    let store = StoreSettings {
        data: place.data.or(settings.data),
        database: settings.database,
        sealing_keys_file: place.sealing_keys_file.or(settings.sealing_keys_file),
    }
    .resolve(&mut problems);
    match store {
        Some(store) if problems.is_empty() => Ok(store),
        _ => Err(problems.into_failure(place.config.as_deref())),
    }
}

/// For whoever looks into sealed rows.
fn at_rest(keys: Option<KeyFile>) -> Result<AtRest, Failure> {
    Ok(match keys {
        Some(file) => AtRest::sealing(file.keys()?, Environment::system().rng()),
        None => AtRest::default(),
    })
}
