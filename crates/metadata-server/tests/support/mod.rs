//! A real server on a loopback socket, a plain HTTP client, wallets as their owners see them, dumps of the databases.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "every test file uses its own part"
)]

pub mod backend;
pub mod http;
pub mod openapi;
pub mod slot;
pub mod wallet;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use backend::{Backend, Schemas};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use trefoil_metadata_server::{
    Config, LimitKey, Limits, LimitsConfig, MetadataServer, Metrics, Tenants,
};
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::tenant::Tenant;
use trefoil_store::{LimitStore, MetadataStore, SqliteOptions, StoreError};

/// What statements must name. The socket's address does not matter: a proxy may stand before it.
pub const AUDIENCE: &str = "https://meta.example";
/// When every test starts, unix seconds.
pub const NOW: u64 = 1_800_000_000;

/// Signs the permits of the server under test.
pub fn permit_key() -> AuthPrivateKey {
    AuthPrivateKey::from_seed(&[0xa7; 32])
}

fn tenants() -> Tenants {
    Tenants::Listed([tenant("acme"), tenant("other")].into())
}

pub fn tenant(name: &str) -> Tenant {
    Tenant::new(name).unwrap()
}

/// A running server with a directory and a clock of its own.
pub struct Server {
    pub address: SocketAddr,
    pub directory: tempfile::TempDir,
    pub metrics: Metrics,
    /// On PostgreSQL; then the directory is empty.
    schemas: Option<Schemas>,
    clock: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Serves the tenants `acme` and `other`.
    pub async fn start() -> Self {
        Self::start_with(|options| options, |config| config).await
    }

    /// The same on this kind of store.
    pub async fn start_on(backend: &Backend) -> Self {
        let config = Config::new(AUDIENCE, tenants()).unwrap();
        Self::start_over(backend, config, |server| server).await
    }

    async fn start_over(
        backend: &Backend,
        config: Config,
        finish: impl FnOnce(MetadataServer) -> MetadataServer,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (store, schemas): (Arc<dyn MetadataStore>, _) = backend.open(directory.path()).await;
        let clock = Arc::new(AtomicU64::new(NOW));
        let mut server = Self::serve(directory, clock, |now| {
            let rng = ChaCha20Rng::seed_from_u64(1);
            finish(MetadataServer::new(config, store, now, rng).with_permit_key(permit_key()))
        })
        .await;
        server.schemas = schemas;
        server
    }

    /// Can permit no slots.
    pub async fn start_without_permit_key() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteOptions::new(directory.path()).open().unwrap();
        let clock = Arc::new(AtomicU64::new(NOW));
        let config = Config::new(AUDIENCE, tenants()).unwrap();
        Self::serve(directory, clock, |now| {
            MetadataServer::new(config, Arc::new(store), now, ChaCha20Rng::seed_from_u64(1))
        })
        .await
    }

    /// Serves these tenants, within limits whose buckets lie in `store`.
    pub async fn start_limited(
        tenants: Tenants,
        limits: LimitsConfig,
        store: Arc<dyn LimitStore>,
    ) -> Self {
        Self::start_limited_on(&Backend::Sqlite, tenants, limits, store).await
    }

    /// The same on this kind of store.
    pub async fn start_limited_on(
        backend: &Backend,
        tenants: Tenants,
        limits: LimitsConfig,
        store: Arc<dyn LimitStore>,
    ) -> Self {
        let config = Config::new(AUDIENCE, tenants).unwrap();
        let config = config.body_timeout(Duration::from_millis(300));
        let limits = Limits::new(limits, Vec::new(), store, LimitKey::derive(&[0xa7; 32]));
        Self::start_over(backend, config, |server| server.with_limits(limits)).await
    }

    /// Kills it and starts it on the same files.
    pub async fn restart(self) -> Self {
        self.restart_with(tenants()).await
    }

    /// The same, for these tenants.
    pub async fn restart_with(mut self, tenants: Tenants) -> Self {
        self.task.abort();
        let clock = Arc::clone(&self.clock);
        let directory = std::mem::replace(&mut self.directory, tempfile::tempdir().unwrap());
        // The last connections let go of the files a moment later.
        let store = loop {
            match SqliteOptions::new(directory.path()).open() {
                Ok(store) => break store,
                Err(StoreError::InUse) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(error) => panic!("{error}"),
            }
        };
        let config = Config::new(AUDIENCE, tenants).unwrap();
        Self::serve(directory, clock, |now| {
            MetadataServer::new(config, Arc::new(store), now, ChaCha20Rng::seed_from_u64(2))
                .with_permit_key(permit_key())
        })
        .await
    }

    pub async fn start_with(
        options: impl FnOnce(SqliteOptions) -> SqliteOptions,
        config: impl FnOnce(Config) -> Config,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = options(SqliteOptions::new(directory.path()))
            .open()
            .unwrap();
        let clock = Arc::new(AtomicU64::new(NOW));
        let config = config(Config::new(AUDIENCE, tenants()).unwrap());
        Self::serve(directory, clock, |now| {
            MetadataServer::new(config, Arc::new(store), now, ChaCha20Rng::seed_from_u64(1))
                .with_permit_key(permit_key())
        })
        .await
    }

    async fn serve(
        directory: tempfile::TempDir,
        clock: Arc<AtomicU64>,
        server: impl FnOnce(Box<dyn Fn() -> u64 + Send + Sync>) -> MetadataServer,
    ) -> Self {
        let now = Arc::clone(&clock);
        let server = server(Box::new(move || now.load(Ordering::SeqCst)));
        let (metrics, router) = (server.metrics(), server.into_router());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            directory,
            metrics,
            schemas: None,
            clock,
            task,
        }
    }

    pub fn now(&self) -> u64 {
        self.clock.load(Ordering::SeqCst)
    }

    pub fn advance(&self, seconds: u64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Every row of every table of both databases, but for what housekeeping writes.
    pub fn dump(&self) -> Vec<String> {
        self.dump_without(
            &["health", "nonce_erasures", "trefoil_schema"],
            &["settled"],
        )
    }

    /// Every row of every table of both databases.
    pub fn dump_all(&self) -> Vec<String> {
        self.dump_without(&[], &[])
    }

    fn dump_without(&self, tables: &[&str], columns: &[&str]) -> Vec<String> {
        if let Some(schemas) = &self.schemas {
            return schemas.dump(tables, columns);
        }
        let files = ["records.db", "nonces.db"];
        let dumps = files.map(|file| dump(&self.directory.path().join(file), tables, columns));
        dumps.concat()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn dump(path: &Path, without: &[&str], columns_without: &[&str]) -> Vec<String> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    let tables: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let mut rows = Vec::new();
    for table in tables {
        if without.contains(&table.as_str()) {
            continue;
        }
        let mut statement = connection
            .prepare(&format!("SELECT * FROM {table}"))
            .unwrap();
        let names: Vec<String> = statement
            .column_names()
            .into_iter()
            .map(str::to_owned)
            .collect();
        let mut found = statement.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let columns = names
                .iter()
                .filter(|name| !columns_without.contains(&name.as_str()))
                .map(|name| {
                    let value: Value = row.get(name.as_str()).unwrap();
                    format!("{name}={value:?}")
                });
            rows.push(format!("{table} {}", columns.collect::<Vec<_>>().join(" ")));
        }
    }
    rows.sort();
    rows
}
