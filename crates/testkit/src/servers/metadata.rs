//! The metadata server as a process that can die and come back.

use core::net::SocketAddr;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use tokio::runtime::Handle;
use trefoil_client::Clock;
use trefoil_metadata_server::{Config, MetadataServer, Tenants};
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_store::{MetadataStore, PostgresOptions, PostgresStore, SqliteOptions, StoreError};

use super::TestkitError;
use super::running::{RunningServer, bind_again};
use crate::environment::os_rng;

/// Where a metadata server keeps what it has.
#[derive(Clone, Debug, Default)]
pub enum MetadataStorage {
    /// SQLite's files in its directory.
    #[default]
    Sqlite,
    /// Two databases of a PostgreSQL, by their URLs. Their tables are made at the start; backups of files hold nothing of them.
    Postgres {
        /// Records, sessions, events.
        records: String,
        /// Sealed nonces.
        nonces: String,
    },
}

/// A metadata server on a loopback port of its own, its files in a directory.
pub struct MetadataProcess {
    url: String,
    address: SocketAddr,
    directory: PathBuf,
    clock: Arc<dyn Clock>,
    permit_key: AuthPrivateKey,
    storage: MetadataStorage,
    running: Option<RunningServer>,
}

impl MetadataProcess {
    pub(super) fn start(
        listener: TcpListener,
        directory: PathBuf,
        clock: Arc<dyn Clock>,
        url: String,
        permit_key: AuthPrivateKey,
        storage: MetadataStorage,
    ) -> Result<Self, TestkitError> {
        let address = listener.local_addr().map_err(TestkitError::Listen)?;
        let mut server = Self {
            url,
            address,
            directory,
            clock,
            permit_key,
            storage,
            running: None,
        };
        server.run(listener)?;
        Ok(server)
    }

    /// Its public base URL, which statements name; a proxy's where there is one.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its files are: everything that a thief of its disk has.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Kills it: open connections break, nothing more is answered. Harmless where it does not run.
    pub async fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill().await;
        }
    }

    /// Starts it again on the same port and files. Harmless where it runs.
    ///
    /// # Errors
    /// [`TestkitError::Listen`], [`TestkitError::Store`].
    pub fn start_again(&mut self) -> Result<(), TestkitError> {
        if self.running.is_some() {
            return Ok(());
        }
        self.run(bind_again(self.address)?)
    }

    fn run(&mut self, listener: TcpListener) -> Result<(), TestkitError> {
        let config = Config::new(&self.url, Tenants::Any)?;
        let clock = Arc::clone(&self.clock);
        let directory = self.directory.clone();
        let permit_key = self.permit_key.clone();
        let storage = self.storage.clone();
        self.running = Some(RunningServer::start(listener, move || {
            let store: Arc<dyn MetadataStore> = match storage {
                MetadataStorage::Sqlite => Arc::new(SqliteOptions::new(directory).open()?),
                MetadataStorage::Postgres { records, nonces } => {
                    Arc::new(open_postgres(&PostgresOptions::new(records, nonces))?)
                }
            };
            let server = MetadataServer::new(config, store, move || clock.unix_time(), os_rng())
                .with_permit_key(permit_key);
            Ok(server.into_router())
        })?);
        Ok(())
    }
}

/// Its connections live in the server's runtime, which this is called in; whoever starts servers cannot be made to wait there.
fn open_postgres(options: &PostgresOptions) -> Result<PostgresStore, StoreError> {
    let runtime = Handle::current();
    thread::scope(|scope| {
        let opened = scope.spawn(|| {
            runtime.block_on(async {
                options.migrate().await?;
                options.open().await
            })
        });
        opened.join().unwrap_or(Err(StoreError::Busy))
    })
}

impl core::fmt::Debug for MetadataProcess {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("MetadataProcess")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}
