//! Where the server keeps its data: files in a directory, or a PostgreSQL cluster.

use std::fmt;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;
use trefoil_protocol::bytes::{AccountId, NonceHash};
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
    clusters: Option<Clusters>,
}

/// Records and nonces have a cluster each.
#[derive(Debug)]
struct Clusters {
    records: Replicated,
    nonces: Replicated,
}

/// A cluster with a database of the same name as its contents.
#[derive(Debug)]
struct Replicated {
    database: &'static str,
    primary: PostgresCluster,
    standby: Option<PostgresCluster>,
}

/// One of the two databases, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Records, sessions, events.
    Records,
    /// Sealed nonces.
    Nonces,
    /// Both at once.
    Both,
}

/// A sealed nonce, by what it belongs to.
pub type NonceName = (AccountId, NonceHash);

/// Names of key files, by what makes them.
pub(crate) const PERMIT_KEY: &str = "permit.key";
pub(crate) const SEALING_KEYS: &str = "sealing.keys";
/// SQLite's file of nonces.
const NONCES_FILE: &str = "nonces.db";
/// Within which another process lets go of a lock on it.
const BUSY: Duration = Duration::from_secs(5);

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
        let clusters = match kind {
            Kind::Sqlite => None,
            Kind::Postgres => Some(Clusters {
                records: Replicated::start("records", parent)?,
                nonces: Replicated::start("nonces", parent)?,
            }),
        };
        Ok(Self {
            directory,
            clusters,
        })
    }

    /// Which kind it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.clusters {
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
        match &self.clusters {
            Some(clusters) => {
                let (records, nonces) = (clusters.records.url(), clusters.nonces.url());
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
        self.clusters.is_some()
    }

    /// A key file that servers of one database share; SQLite's server makes its own beside its files.
    #[must_use]
    pub fn key_file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Kills every process of these PostgreSQL clusters at once and starts them again. Nothing where there are none.
    ///
    /// # Errors
    /// Where one does not start.
    pub fn crash_database(&mut self, part: Part) -> Result<(), Failure> {
        // All are dead before the first comes back.
        for cluster in self.clusters(part) {
            cluster.primary.kill()?;
        }
        for cluster in self.clusters(part) {
            cluster.primary.restart()?;
        }
        Ok(())
    }

    /// Starts PostgreSQL where it has ended by itself, as it does when it cannot write its log. Gives whether it had.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn revive_database(&mut self) -> Result<bool, Failure> {
        let mut revived = false;
        for cluster in self.clusters(Part::Both) {
            revived |= cluster.primary.revive()?;
        }
        Ok(revived)
    }

    /// Gives PostgreSQL a synchronous standby. The server has to be started again to know of it.
    ///
    /// # Errors
    /// Where the standby does not start.
    pub fn add_standby(&mut self, part: Part) -> Result<(), Failure> {
        for cluster in self.clusters(part) {
            if cluster.standby.is_none() {
                cluster.standby = Some(cluster.primary.standby()?);
            }
        }
        Ok(())
    }

    /// Kills the primary for ever and promotes the standby. Nothing where there is none.
    ///
    /// # Errors
    /// Where the standby refuses.
    pub fn fail_over(&mut self, part: Part) -> Result<(), Failure> {
        for cluster in self.clusters(part) {
            if let Some(standby) = cluster.standby.take() {
                cluster.primary.kill()?;
                standby.promote()?;
                cluster.primary = standby;
            }
        }
        Ok(())
    }

    /// Runs SQL in the database of records. Empty on SQLite.
    ///
    /// # Errors
    /// With what PostgreSQL says.
    pub fn execute(&self, sql: &str) -> Result<String, Failure> {
        let Some(clusters) = &self.clusters else {
            return Ok(String::new());
        };
        let Replicated {
            database, primary, ..
        } = &clusters.records;
        Ok(primary.execute(database, sql)?)
    }

    /// Every nonce that the nonce store holds, read behind the server's back.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn nonces_held(&self) -> Result<Vec<NonceName>, Failure> {
        match &self.clusters {
            Some(clusters) => {
                let Replicated {
                    database, primary, ..
                } = &clusters.nonces;
                let sql =
                    "SELECT encode(account_id, 'hex') || encode(nonce_hash, 'hex') FROM nonces";
                let text = primary.execute(database, sql)?;
                text.lines().map(name_of_hex).collect()
            }
            None => {
                let connection = self.sqlite_nonces()?;
                let mut statement =
                    connection.prepare("SELECT account_id, nonce_hash FROM nonces")?;
                let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
                rows.map(|row| {
                    let (account, hash) = row?;
                    Ok((AccountId::from_bytes(account), NonceHash::from_bytes(hash)))
                })
                .collect()
            }
        }
    }

    /// Puts a nonce into SQLite's nonce store that no record names: what no server does.
    ///
    /// # Errors
    /// On PostgreSQL, or where the file cannot be written.
    pub fn forge_nonce(&self, (account, hash): NonceName) -> Result<(), Failure> {
        if self.is_shared() {
            return Err("only on SQLite".into());
        }
        self.sqlite_nonces()?.execute(
            "INSERT INTO nonces (tenant, account_id, nonce_hash, sealed, settled) VALUES ('load', ?1, ?2, x'00', 1)",
            (account.as_bytes(), hash.as_bytes()),
        )?;
        Ok(())
    }

    fn sqlite_nonces(&self) -> Result<Connection, Failure> {
        let file = self.data().join(NONCES_FILE);
        let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(BUSY)?;
        Ok(connection)
    }

    fn clusters(&mut self, part: Part) -> Vec<&mut Replicated> {
        let Some(Clusters { records, nonces }) = &mut self.clusters else {
            return Vec::new();
        };
        match part {
            Part::Records => vec![records],
            Part::Nonces => vec![nonces],
            Part::Both => vec![records, nonces],
        }
    }
}

fn name_of_hex(text: &str) -> Result<NonceName, Failure> {
    let byte = |at: usize| {
        let digits = text.get(at * 2..at * 2 + 2).ok_or("half a name")?;
        Ok::<_, Failure>(u8::from_str_radix(digits, 16)?)
    };
    let bytes = (0..48).map(byte).collect::<Result<Vec<u8>, _>>()?;
    let (account, hash) = bytes.split_at(16);
    Ok((
        AccountId::from_bytes(account.try_into()?),
        NonceHash::from_bytes(hash.try_into()?),
    ))
}

impl Replicated {
    fn start(database: &'static str, parent: Option<&Path>) -> Result<Self, Failure> {
        let primary = match parent {
            Some(parent) => PostgresCluster::start_in(parent, Durability::Durable)?,
            None => PostgresCluster::start(Durability::Durable)?,
        };
        primary.create_database(database)?;
        Ok(Self {
            database,
            primary,
            standby: None,
        })
    }

    fn url(&self) -> String {
        match &self.standby {
            Some(standby) => self.primary.url_with(standby, self.database),
            None => self.primary.url(self.database),
        }
    }
}
