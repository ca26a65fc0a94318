//! `trefoil admin`: one file per verb.

mod backup;
mod prune;
mod report;
mod restore;
mod rotate;
mod stats;
mod verify;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use trefoil::Environment;
use trefoil_store::{AtRest, SqliteOptions, SqliteReader, SqliteStore, StoreError};

use crate::args::{Admin, StorePlace};
use crate::failure::{Exit, Failure};
use crate::files;
use crate::local::sealing::{self, KeyFile};
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

/// A metadata server's store, not opened yet.
struct Place {
    data: PathBuf,
    sealing_keys_file: PathBuf,
}

/// Of the server's settings, what says where its store is.
#[derive(Debug, Default, Deserialize)]
struct Settings {
    data: Option<PathBuf>,
}

impl Place {
    fn of(place: StorePlace) -> Result<Self, Failure> {
        let settings: Settings = super::serve_node::settings(place.config.as_deref())?;
        let data = place.data.or(settings.data).ok_or_else(|| {
            Failure::usage("name the store: --data DIR, or --config FILE with `data` in it")
        })?;
        Ok(Self {
            sealing_keys_file: place
                .sealing_keys_file
                .unwrap_or_else(|| sealing::path(&data)),
            data,
        })
    }

    /// To read beside a running server.
    async fn reader(&self) -> Result<SqliteReader, Failure> {
        self.must_exist()?;
        let options = SqliteOptions::new(&self.data);
        self.opened(move || options.open_reader()).await
    }

    /// With the keys that are there.
    async fn store(&self) -> Result<SqliteStore, Failure> {
        let options = self.options()?;
        self.must_exist()?;
        self.opened(move || options.open()).await
    }

    async fn store_to_restore(&self) -> Result<SqliteStore, Failure> {
        files::private_directory(&self.data)?;
        let options = self.options()?;
        self.opened(move || options.open_to_restore()).await
    }

    fn options(&self) -> Result<SqliteOptions, Failure> {
        let options = SqliteOptions::new(&self.data);
        Ok(match KeyFile::read(&self.sealing_keys_file)? {
            Some(file) => options.sealing(file.keys()?, Environment::system().rng()),
            None => options,
        })
    }

    /// For whoever looks into sealed rows.
    fn at_rest(&self) -> Result<AtRest, Failure> {
        at_rest(&self.sealing_keys_file)
    }

    /// A mistyped directory is not a new store.
    fn must_exist(&self) -> Result<(), Failure> {
        if self.data.join("records.db").exists() {
            return Ok(());
        }
        let message = format!("there is no store in {}", self.data.display());
        Err(Failure::new(Exit::Usage, "no_store", message))
    }

    async fn opened<T: Send + 'static>(
        &self,
        open: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Failure> {
        let opened = tokio::task::spawn_blocking(open).await;
        opened
            .map_err(|error| Failure::new(Exit::Other, "unexpected", error))?
            .map_err(|error| self.failed(&error))
    }

    /// What went wrong with the store, and in which directory.
    fn failed(&self, error: &StoreError) -> Failure {
        let (exit, code) = match error {
            StoreError::InUse => (Exit::Refused, "store_in_use"),
            StoreError::NotEmpty => (Exit::Refused, "store_not_empty"),
            StoreError::OtherRestore => (Exit::Refused, "other_restore"),
            StoreError::Restoring | StoreError::RecordsMissing => (Exit::Refused, "not_restored"),
            StoreError::UnknownSealingKey { .. }
            | StoreError::Unsealable { .. }
            | StoreError::NoSealingKeys => (Exit::Refused, "sealing_key"),
            _ => (Exit::Other, "store"),
        };
        let stop = match error {
            StoreError::InUse => "; stop the server first",
            _ => "",
        };
        let message = format!("the store in {}: {error}{stop}", self.data.display());
        Failure::new(exit, code, message)
    }
}

fn at_rest(sealing_keys_file: &Path) -> Result<AtRest, Failure> {
    Ok(match KeyFile::read(sealing_keys_file)? {
        Some(file) => AtRest::sealing(file.keys()?, Environment::system().rng()),
        None => AtRest::default(),
    })
}
