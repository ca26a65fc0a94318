//! The conformance suites on a PostgreSQL of their own.

use std::sync::atomic::{AtomicU32, Ordering};

use trefoil_testkit::postgres::{Durability, PostgresCluster};

use super::{PostgresOptions, PostgresStore};
use crate::conformance::Backend;

/// Records and nonces in two databases of one cluster.
struct Fresh<'a> {
    cluster: &'a PostgresCluster,
    names: [String; 2],
    options: PostgresOptions,
}

impl<'a> Fresh<'a> {
    fn new(cluster: &'a PostgresCluster) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);

        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let names = [format!("records_{number}"), format!("nonces_{number}")];
        let [records, nonces] = &names;
        let options = PostgresOptions::new(
            cluster.create_database(records).unwrap(),
            cluster.create_database(nonces).unwrap(),
        )
        .connections(8);
        block_on(options.migrate()).unwrap();
        Self {
            cluster,
            names,
            options,
        }
    }

    /// Every byte that can be seen, as the database's own dump.
    fn bytes(&self, database: &str) -> Vec<u8> {
        let tables = self
            .cluster
            .execute(
                database,
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'",
            )
            .unwrap();
        let mut bytes = Vec::new();
        for table in tables.split_ascii_whitespace() {
            let text = self
                .cluster
                .execute(database, &format!("SELECT * FROM {table}"))
                .unwrap();
            // Byte strings are shown in hexadecimal.
            for column in text.split(['|', '\n', ',', '{', '}', '"']) {
                let hex = column.trim_start_matches('\\').strip_prefix('x');
                bytes.extend(hex.and_then(decode).unwrap_or_else(|| column.into()));
            }
        }
        bytes
    }
}

fn decode(hex: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let digits = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    rest.is_empty()
        .then(|| pairs.iter().map(digits).collect())?
}

/// The tests' own runtime must not be blocked, and back ends are opened where nothing can be awaited.
fn block_on<T: Send>(future: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        scope
            .spawn(|| {
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap()
                    .block_on(future)
            })
            .join()
            .unwrap()
    })
}

impl Backend for Fresh<'_> {
    type Store = PostgresStore;

    fn open(&self) -> PostgresStore {
        block_on(self.options.open()).unwrap()
    }

    fn record_bytes(&self) -> Option<Vec<u8>> {
        Some(self.bytes(&self.names[0]))
    }

    fn nonce_bytes(&self) -> Option<Vec<u8>> {
        Some(self.bytes(&self.names[1]))
    }
}

fn cluster() -> PostgresCluster {
    PostgresCluster::start(Durability::Fast).unwrap()
}

crate::conformance_tests!(together the_suite, cluster(), Fresh::new);
