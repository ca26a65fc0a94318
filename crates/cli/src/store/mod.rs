//! A metadata server's store as settings name it: SQLite files of one process, or PostgreSQL for many.

mod database;

use std::path::PathBuf;
use std::sync::Arc;

use trefoil::Environment;
use trefoil_store::{
    LimitStore, MemoryLimits, SqliteOptions, StoreError, StoreReader, UpkeepStore,
};

pub(crate) use self::database::{Database, DatabaseSection};
use crate::failure::{Exit, Failure};
use crate::files;
use crate::local::sealing::{self, KeyFile};
use crate::settings::Problems;

/// What a settings file, the environment and arguments say of it.
#[derive(Debug, Default)]
pub(crate) struct StoreSettings {
    pub(crate) data: Option<PathBuf>,
    pub(crate) database: DatabaseSection,
    pub(crate) sealing_keys_file: Option<PathBuf>,
}

/// A store that is not opened yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Store {
    pub(crate) location: Location,
    pub(crate) sealing_keys_file: PathBuf,
}

/// Where accounts are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// SQLite files, of this process alone.
    Directory(PathBuf),
    /// PostgreSQL, which several processes share.
    Database(Database),
}

/// A store and the buckets of its limits.
pub(crate) struct OpenedStore {
    pub(crate) store: Arc<dyn UpkeepStore>,
    pub(crate) limits: Arc<dyn LimitStore>,
}

impl StoreSettings {
    /// A directory or a database: one of them.
    pub(crate) fn resolve(self, problems: &mut Problems) -> Option<Store> {
        let database = self.database.with_environment();
        let location = match self.data {
            Some(data) if database.is_unset() => {
                database.refuse_rest(problems);
                Location::Directory(data)
            }
            Some(_) => {
                problems.add("data", "does not go with database: set one of them");
                return None;
            }
            None if database.is_unset() => {
                problems.add(
                    "data",
                    "is missing: name the directory where accounts are kept, or a database",
                );
                return None;
            }
            None => Location::Database(database.resolve(problems)?),
        };
        let sealing_keys_file = match (self.sealing_keys_file, &location) {
            (Some(path), _) => path,
            (None, Location::Directory(data)) => sealing::path(data),
            (None, Location::Database(_)) => {
                problems.add(
                    "sealing_keys_file",
                    "is missing: with a database every process needs a copy of the same keys",
                );
                PathBuf::new()
            }
        };
        Some(Store {
            location,
            sealing_keys_file,
        })
    }
}

impl Store {
    /// To serve from. A directory's keys are made where there are none; those of a database every process must have.
    pub(crate) async fn open(&self) -> Result<OpenedStore, Failure> {
        match &self.location {
            Location::Directory(directory) => {
                let opened =
                    crate::local::open_sealed_store(directory.clone(), &self.sealing_keys_file);
                Ok(OpenedStore {
                    store: opened.await?,
                    // No second process has the directory open.
                    limits: Arc::new(MemoryLimits::default()),
                })
            }
            Location::Database(database) => {
                let keys = self.keys()?.ok_or_else(|| self.no_keys())?;
                let options = database.options(Some(&keys))?;
                let store = options.open().await.map_err(|error| self.failed(&error))?;
                Ok(OpenedStore {
                    limits: Arc::new(store.clone()),
                    store: Arc::new(store),
                })
            }
        }
    }

    /// Makes the tables or brings them up to date. Gives the versions of records and nonces before, where that is known.
    pub(crate) async fn migrate(&self) -> Result<Option<(u32, u32)>, Failure> {
        match &self.location {
            // Opening does it.
            Location::Directory(_) => self.open().await.map(|_| None),
            Location::Database(database) => {
                let options = database.options(None)?;
                let from = options.migrate().await;
                from.map(Some).map_err(|error| self.failed(&error))
            }
        }
    }

    /// For the operator: with the keys that are there, and none made.
    pub(crate) async fn open_existing(&self) -> Result<Arc<dyn UpkeepStore>, Failure> {
        let keys = self.keys()?;
        match &self.location {
            Location::Directory(directory) => {
                self.must_exist()?;
                let options = sqlite(directory, keys.as_ref())?;
                self.blocking(move || options.open().map(|store| Arc::new(store) as _))
                    .await
            }
            Location::Database(database) => {
                let opened = database.options(keys.as_ref())?.open().await;
                opened
                    .map(|store| Arc::new(store) as _)
                    .map_err(|error| self.failed(&error))
            }
        }
    }

    /// An empty store, or one whose restore was cut off.
    pub(crate) async fn open_to_restore(&self) -> Result<Arc<dyn UpkeepStore>, Failure> {
        let keys = self.keys()?;
        match &self.location {
            Location::Directory(directory) => {
                files::private_directory(directory)?;
                let options = sqlite(directory, keys.as_ref())?;
                self.blocking(move || options.open_to_restore().map(|store| Arc::new(store) as _))
                    .await
            }
            Location::Database(database) => {
                let opened = database.options(keys.as_ref())?.open_to_restore().await;
                opened
                    .map(|store| Arc::new(store) as _)
                    .map_err(|error| self.failed(&error))
            }
        }
    }

    /// To read beside running servers.
    pub(crate) async fn reader(&self) -> Result<Box<dyn StoreReader>, Failure> {
        match &self.location {
            Location::Directory(directory) => {
                self.must_exist()?;
                let options = SqliteOptions::new(directory);
                self.blocking(move || options.open_reader().map(|reader| Box::new(reader) as _))
                    .await
            }
            Location::Database(database) => {
                let opened = database.options(None)?.open_to_restore().await;
                opened
                    .map(|reader| Box::new(reader) as _)
                    .map_err(|error| self.failed(&error))
            }
        }
    }

    /// The keys, if their file is there.
    pub(crate) fn keys(&self) -> Result<Option<KeyFile>, Failure> {
        KeyFile::read(&self.sealing_keys_file)
            .map_err(|failure| failure.of_setting("sealing_keys_file"))
    }

    /// What could be found wrong without opening anything.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let keys = self.keys()?;
        match &self.location {
            Location::Directory(_) => Ok(()),
            Location::Database(database) => {
                database.options(None)?;
                keys.map(drop).ok_or_else(|| self.no_keys())
            }
        }
    }

    /// A mistyped directory is not a new store.
    pub(crate) fn must_exist(&self) -> Result<(), Failure> {
        match &self.location {
            Location::Directory(directory) if !directory.join("records.db").exists() => {
                let message = format!("there is no store in {}", directory.display());
                Err(Failure::new(Exit::Usage, "no_store", message))
            }
            _ => Ok(()),
        }
    }

    /// What went wrong with the store, and with which.
    pub(crate) fn failed(&self, error: &StoreError) -> Failure {
        let (exit, code) = match error {
            StoreError::InUse => (Exit::Refused, "store_in_use"),
            StoreError::NotEmpty => (Exit::Refused, "store_not_empty"),
            StoreError::OtherRestore => (Exit::Refused, "other_restore"),
            StoreError::Restoring | StoreError::RecordsMissing => (Exit::Refused, "not_restored"),
            StoreError::OlderSchema { .. } | StoreError::NewerSchema { .. } => {
                (Exit::Refused, "schema")
            }
            StoreError::UnknownSealingKey { .. }
            | StoreError::Unsealable { .. }
            | StoreError::NoSealingKeys => (Exit::Refused, "sealing_key"),
            _ => (Exit::Other, "store"),
        };
        let stop = match error {
            StoreError::InUse => "; stop the server first",
            _ => "",
        };
        let place = match &self.location {
            Location::Directory(directory) => format!("the store in {}", directory.display()),
            Location::Database(_) => "the database".to_owned(),
        };
        Failure::new(exit, code, format!("{place}: {error}{stop}"))
    }

    fn no_keys(&self) -> Failure {
        let path = self.sealing_keys_file.display();
        let message = format!(
            "{path} does not exist: make it once with `trefoil serve metadata --new-sealing-keys {path}` and give a copy to \
             every process"
        );
        Failure::new(Exit::Usage, "bad_settings", message).of_setting("sealing_keys_file")
    }

    async fn blocking<T: Send + 'static>(
        &self,
        open: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Failure> {
        let opened = tokio::task::spawn_blocking(open).await;
        opened
            .map_err(|error| Failure::new(Exit::Other, "unexpected", error))?
            .map_err(|error| self.failed(&error))
    }
}

fn sqlite(directory: &std::path::Path, keys: Option<&KeyFile>) -> Result<SqliteOptions, Failure> {
    let options = SqliteOptions::new(directory);
    Ok(match keys {
        Some(file) => options.sealing(file.keys()?, Environment::system().rng()),
        None => options,
    })
}
