//! The metadata server as a process that can die and come back.

use core::net::SocketAddr;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use trefoil_client::Clock;
use trefoil_metadata_server::{Config, MetadataServer, Tenants};
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_store::SqliteOptions;

use super::TestkitError;
use super::running::{RunningServer, bind_again};
use crate::environment::os_rng;

/// A metadata server on a loopback port of its own, its files in a directory.
pub struct MetadataProcess {
    url: String,
    address: SocketAddr,
    directory: PathBuf,
    clock: Arc<dyn Clock>,
    permit_key: AuthPrivateKey,
    running: Option<RunningServer>,
}

impl MetadataProcess {
    pub(super) fn start(
        listener: TcpListener,
        directory: PathBuf,
        clock: Arc<dyn Clock>,
        url: String,
        permit_key: AuthPrivateKey,
    ) -> Result<Self, TestkitError> {
        let address = listener.local_addr().map_err(TestkitError::Listen)?;
        let mut server = Self {
            url,
            address,
            directory,
            clock,
            permit_key,
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
        self.running = Some(RunningServer::start(listener, move || {
            let store = Arc::new(SqliteOptions::new(directory).open()?);
            let server = MetadataServer::new(config, store, move || clock.unix_time(), os_rng())
                .with_permit_key(permit_key);
            Ok(server.into_router())
        })?);
        Ok(())
    }
}

impl core::fmt::Debug for MetadataProcess {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("MetadataProcess")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}
