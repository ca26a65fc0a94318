//! Databases that several servers share, by URL.

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer};
use trefoil::Environment;
use trefoil_store::PostgresOptions;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::files;
use crate::local::sealing::KeyFile;
use crate::settings::Problems;

/// Connections to each database.
const CONNECTIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(15);
/// No arguments: other users of the machine would see the passwords.
const RECORDS_VARIABLE: &str = "TREFOIL_DATABASE_RECORDS";
const NONCES_VARIABLE: &str = "TREFOIL_DATABASE_NONCES";

/// Where a database is and who asks: it may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct DatabaseUrl(Zeroizing<String>);

impl DatabaseUrl {
    fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    fn fits(&self) -> bool {
        PostgresOptions::new(&**self.0, &**self.0).check().is_ok()
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(redacted)")
    }
}

impl<'de> Deserialize<'de> for DatabaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// The table `database` of a settings file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DatabaseSection {
    records: Option<DatabaseUrl>,
    nonces: Option<DatabaseUrl>,
    connections: Option<NonZeroU32>,
    authorities: Option<PathBuf>,
}

/// A pair of databases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Database {
    records: DatabaseUrl,
    nonces: DatabaseUrl,
    /// To each of them.
    pub(crate) connections: NonZeroU32,
    /// Certificates (PEM) that the databases' are trusted by.
    authorities: Option<PathBuf>,
}

impl DatabaseSection {
    /// What the environment says goes first.
    pub(super) fn with_environment(mut self) -> Self {
        let variable = |name| std::env::var(name).ok().map(DatabaseUrl::new);
        self.records = variable(RECORDS_VARIABLE).or(self.records);
        self.nonces = variable(NONCES_VARIABLE).or(self.nonces);
        self
    }

    /// Whether nothing is named.
    pub(super) const fn is_unset(&self) -> bool {
        self.records.is_none() && self.nonces.is_none()
    }

    /// What goes with URLs only.
    pub(super) fn refuse_rest(&self, problems: &mut Problems) {
        if self.connections.is_some() {
            problems.add("database.connections", "goes with database.records");
        }
        if self.authorities.is_some() {
            problems.add("database.authorities", "goes with database.records");
        }
    }

    pub(super) fn resolve(self, problems: &mut Problems) -> Option<Database> {
        let missing = |problems: &mut Problems, field: &'static str, with: &str| {
            problems.add(field, format!("is missing: it goes with {with}"));
        };
        match (&self.records, &self.nonces) {
            (Some(_), None) => missing(problems, "database.nonces", "database.records"),
            (None, Some(_)) => missing(problems, "database.records", "database.nonces"),
            _ => {}
        }
        let (records, nonces) = (self.records?, self.nonces?);
        for (field, url) in [("database.records", &records), ("database.nonces", &nonces)] {
            if !url.fits() {
                problems.add(
                    field,
                    "must be postgres://user:password@host:port/database, with options after `?`",
                );
            }
        }
        if records == nonces {
            problems.add(
                "database.nonces",
                "must be another database than that of the records: they are kept apart",
            );
        }
        Some(Database {
            records,
            nonces,
            connections: self.connections.unwrap_or(CONNECTIONS),
            authorities: self.authorities,
        })
    }
}

impl Database {
    /// With the authorities read, and the keys if there are any.
    pub(super) fn options(&self, keys: Option<&KeyFile>) -> Result<PostgresOptions, Failure> {
        let connections = usize::try_from(self.connections.get()).unwrap_or(usize::MAX);
        let mut options =
            PostgresOptions::new(&**self.records.0, &**self.nonces.0).connections(connections);
        if let Some(path) = &self.authorities {
            let pem =
                files::read(path).map_err(|failure| failure.of_setting("database.authorities"))?;
            options = options.authorities(&**pem);
        }
        options.check().map_err(|error| {
            Failure::usage(format!("database: {error}")).of_setting("database.authorities")
        })?;
        Ok(match keys {
            Some(file) => options.sealing(file.keys()?, Environment::system().rng()),
            None => options,
        })
    }
}
