//! Where the server keeps its data: files in a directory, or a PostgreSQL cluster.

use std::fmt;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tempfile::TempDir;
use trefoil_testkit::postgres::{Durability, PostgresCluster};

use crate::Failure;

/// Which kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Embedded.
    Sqlite,
    /// A cluster of its own, on the same machine.
    Postgres,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        })
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|kind| kind.to_string() == text);
        named.ok_or_else(|| format!("{text:?} is neither `sqlite` nor `postgres`"))
    }
}

/// A fresh store, removed when dropped.
#[derive(Debug)]
pub struct Backend {
    directory: TempDir,
    cluster: Option<Cluster>,
}

#[derive(Debug)]
struct Cluster {
    primary: PostgresCluster,
    standby: Option<PostgresCluster>,
}

/// Names of key files, by what makes them.
pub(crate) const PERMIT_KEY: &str = "permit.key";
pub(crate) const SEALING_KEYS: &str = "sealing.keys";
/// Databases of the server in a cluster.
const DATABASES: [&str; 2] = ["records", "nonces"];

impl Backend {
    /// A fresh store of this kind, its files below `parent` where one is named.
    ///
    /// # Errors
    /// Where files cannot be made or PostgreSQL does not start.
    pub fn fresh(kind: Kind, parent: Option<&Path>) -> Result<Self, Failure> {
        let directory = match parent {
            Some(parent) => TempDir::new_in(parent)?,
            None => TempDir::new()?,
        };
        let cluster = match kind {
            Kind::Sqlite => None,
            Kind::Postgres => {
                let primary = PostgresCluster::start(Durability::Durable)?;
                for database in DATABASES {
                    primary.create_database(database)?;
                }
                Some(Cluster {
                    primary,
                    standby: None,
                })
            }
        };
        Ok(Self { directory, cluster })
    }

    /// Which kind it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.cluster {
            Some(_) => Kind::Postgres,
            None => Kind::Sqlite,
        }
    }

    /// Where the server's own files go.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Where SQLite's files are.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The server's settings file for this store.
    #[must_use]
    pub fn settings(&self, listen: &str) -> String {
        // All clients here have one address, and accounts are used as nobody's is.
        let mut text =
            format!("listen = \"{listen}\"\nmax_connections = 20000\ntenants = [\"load\"]\n");
        // Paths of temporary directories and loopback addresses: nothing in them needs escaping. Writing to a string cannot
        // fail.
        let limits = "\n[limits]\naddress_per_minute = 0\ncreations_per_minute = 0\nlocator_per_minute = 0\n";
        match &self.cluster {
            Some(cluster) => {
                let [records, nonces] = DATABASES.map(|database| cluster.url(database));
                let _ = write!(
                    text,
                    "permit_key_file = \"{}\"\nsealing_keys_file = \"{}\"\n{limits}\n\
                     [database]\nrecords = \"{records}\"\nnonces = \"{nonces}\"\n",
                    self.key_file(PERMIT_KEY).display(),
                    self.key_file(SEALING_KEYS).display(),
                );
            }
            None => {
                let data = self.data();
                let _ = write!(text, "data = \"{}\"\n{limits}", data.display());
            }
        }
        text
    }

    /// Whether several servers may share the store: then its tables and keys are made by commands of their own.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.cluster.is_some()
    }

    /// A key file that servers of one database share; SQLite's server makes its own beside its files.
    #[must_use]
    pub fn key_file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Kills every process of PostgreSQL at once and starts it again. False where there is none.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn crash_database(&mut self) -> Result<bool, Failure> {
        let Some(cluster) = &mut self.cluster else {
            return Ok(false);
        };
        cluster.primary.kill()?;
        cluster.primary.restart()?;
        Ok(true)
    }

    /// Gives PostgreSQL a synchronous standby. The server has to be started again to know of it.
    ///
    /// # Errors
    /// Where the standby does not start.
    pub fn add_standby(&mut self) -> Result<(), Failure> {
        if let Some(cluster) = &mut self.cluster
            && cluster.standby.is_none()
        {
            cluster.standby = Some(cluster.primary.standby()?);
        }
        Ok(())
    }

    /// Kills the primary for ever and promotes the standby. False where there is none.
    ///
    /// # Errors
    /// Where the standby refuses.
    pub fn fail_over(&mut self) -> Result<bool, Failure> {
        let Some(cluster) = &mut self.cluster else {
            return Ok(false);
        };
        let Some(standby) = cluster.standby.take() else {
            return Ok(false);
        };
        cluster.primary.kill()?;
        standby.promote()?;
        cluster.primary = standby;
        Ok(true)
    }
}

impl Cluster {
    fn url(&self, database: &str) -> String {
        match &self.standby {
            Some(standby) => self.primary.url_with(standby, database),
            None => self.primary.url(database),
        }
    }
}
