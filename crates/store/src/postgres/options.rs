//! How a [`PostgresStore`] is opened.

use std::fmt;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts,
};
use rand_core::CryptoRng;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::sweep::Sweeper;
use super::upkeep::restore;
use super::{Databases, PostgresStore, schema, tls};
use crate::at_rest::{AtRest, SealingKeys};
use crate::error::StoreError;

const CONNECTIONS: usize = 16;
/// Within which one host accepts a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// For which an operation waits for a free connection before the store is busy.
const WAIT_LIMIT: Duration = Duration::from_secs(5);
/// Between two looks whether a silent connection's other end is there.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);
/// After which the system gives up a connection whose other end does not acknowledge what was sent.
const SILENCE_LIMIT: Duration = Duration::from_secs(15);

/// Commits must be flushed here and at synchronous standbys before they are acknowledged, whatever the role or the database has
/// set; a stronger setting stays. Nobody waits for ever: not for a lock, and not for a client that is gone in mid-transaction.
const SESSION: &str = "SELECT set_config('synchronous_commit', 'on', false)
         WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write');
     SET lock_timeout = '5s';
     SET idle_in_transaction_session_timeout = '15s';
     SET statement_timeout = '15s'";

/// How a [`PostgresStore`] is opened.
#[derive(Clone)]
pub struct PostgresOptions {
    records: String,
    nonces: String,
    connections: usize,
    authorities: Option<String>,
    at_rest: AtRest,
}

impl PostgresOptions {
    /// A store whose records and nonces are at these URLs (`postgres://user:password@host:port/database`, several hosts with
    /// commas between them and `?target_session_attrs=read-write` for a cluster that fails over). The two may be one.
    #[must_use]
    pub fn new(records: impl Into<String>, nonces: impl Into<String>) -> Self {
        Self {
            records: records.into(),
            nonces: nonces.into(),
            connections: CONNECTIONS,
            authorities: None,
            at_rest: AtRest::default(),
        }
    }

    /// Connections to each of the two, at least 1; 16 unless set.
    #[must_use]
    pub const fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// Certificates (PEM) of the authorities that the databases' certificates are trusted by; those that browsers trust
    /// unless set.
    #[must_use]
    pub fn authorities(mut self, pem: impl Into<String>) -> Self {
        self.authorities = Some(pem.into());
        self
    }

    /// Seals what the server must be able to read under these keys; `rng` makes the nonces. What was stored before stays
    /// readable and is sealed as it is written again, or by [`reseal`](crate::UpkeepStore::reseal).
    #[must_use]
    pub fn sealing(mut self, keys: SealingKeys, rng: impl CryptoRng + Send + 'static) -> Self {
        self.at_rest = AtRest::sealing(keys, rng);
        self
    }

    /// Whether URLs and certificates can be used; connects to nothing.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`] or what is wrong with the certificates.
    pub fn check(&self) -> Result<(), StoreError> {
        config(&self.records)?;
        config(&self.nonces)?;
        tls::connector(self.authorities.as_deref()).map(drop)
    }

    /// Opens the store. Its tables must be there and up to date.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`], [`StoreError::OlderSchema`], [`StoreError::NewerSchema`], [`StoreError::Unreachable`],
    /// [`StoreError::Restoring`] where a restore was begun and not finished, [`StoreError::RecordsMissing`] where there are
    /// nonces and no records, or another fault.
    pub async fn open(&self) -> Result<PostgresStore, StoreError> {
        let store = self.open_to_restore().await?;
        restore::refuse_while_under_way(&store.databases).await?;
        restore::refuse_without_records(&store.databases).await?;
        Ok(store)
    }

    /// Opens a store that is to be restored, or whose restore was cut off, or that is only to be read.
    ///
    /// # Errors
    /// As [`Self::open`] but for the last two.
    pub async fn open_to_restore(&self) -> Result<PostgresStore, StoreError> {
        let store = self.connect()?;
        schema::RECORDS.check(&store.databases.records).await?;
        schema::NONCES.check(&store.databases.nonces).await?;
        Ok(store)
    }

    /// Makes the tables or brings them up to date; safe beside other processes that do the same. Gives the versions from
    /// which it started, records and nonces, 0 for none.
    ///
    /// # Errors
    /// As [`Self::open`], without [`StoreError::OlderSchema`].
    pub async fn migrate(&self) -> Result<(u32, u32), StoreError> {
        let store = self.connect()?;
        Ok((
            schema::RECORDS.migrate(&store.databases.records).await?,
            schema::NONCES.migrate(&store.databases.nonces).await?,
        ))
    }

    fn connect(&self) -> Result<PostgresStore, StoreError> {
        Ok(PostgresStore {
            databases: Arc::new(Databases {
                records: self.pool(&self.records)?,
                nonces: self.pool(&self.nonces)?,
                at_rest: self.at_rest.clone(),
                sweeper: Sweeper::default(),
            }),
        })
    }

    fn pool(&self, url: &str) -> Result<Pool, StoreError> {
        let settings = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let connector = tls::connector(self.authorities.as_deref())?;
        let manager = Manager::from_config(config(url)?, connector, settings);
        Pool::builder(manager)
            .max_size(self.connections.max(1))
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts {
                wait: Some(WAIT_LIMIT),
                create: Some(CONNECT_LIMIT.saturating_mul(2)),
                recycle: Some(CONNECT_LIMIT),
            })
            .post_create(Hook::async_fn(|connection, _| {
                Box::pin(async move {
                    connection
                        .batch_execute(SESSION)
                        .await
                        .map_err(HookError::Backend)
                })
            }))
            .build()
            .map_err(StoreError::backend)
    }
}

/// Passwords stand in URLs.
impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

/// Encrypted to other machines.
fn config(url: &str) -> Result<Config, StoreError> {
    // The driver's words may quote the URL.
    let mut config = Config::from_str(url).map_err(|_| StoreError::BadUrl)?;
    if config.get_hosts().is_empty() || config.get_dbname().is_none() {
        return Err(StoreError::BadUrl);
    }
    if !config.get_hosts().iter().all(is_this_machine) {
        config.ssl_mode(SslMode::Require);
    }
    config.application_name("trefoil");
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_LIMIT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE_LIMIT);
    }
    config.keepalives_idle(SILENCE_LIMIT);
    config.keepalives_interval(KEEPALIVE_EVERY);
    config.keepalives_retries(3);
    Ok(config)
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1"),
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_are_reached_encrypted_only() {
        let mode = |url: &str| config(url).unwrap().get_ssl_mode();
        assert_eq!(mode("postgres://a:b@db.example/x"), SslMode::Require);
        assert_eq!(
            mode("postgres://a@localhost,db.example/x?sslmode=disable"),
            SslMode::Require
        );
        assert_eq!(mode("postgres://a@127.0.0.1:1/x"), SslMode::Prefer);
    }

    #[test]
    fn a_wrong_url_is_refused_without_being_shown() {
        for bad in [
            "",
            "secret",
            "postgres://secret@/x",
            "postgres://secret@host",
        ] {
            let error = PostgresOptions::new(bad, bad).check().unwrap_err();
            assert!(matches!(error, StoreError::BadUrl), "{bad}");
            assert!(!format!("{error} {error:?}").contains("secret"));
        }
        let options = PostgresOptions::new("postgres://secret@h/x", "postgres://secret@h/x");
        options.check().unwrap();
        assert!(!format!("{options:?}").contains("secret"));
    }
}
