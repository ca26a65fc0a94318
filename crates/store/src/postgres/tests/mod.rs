//! The conformance suites on a PostgreSQL of their own, and what they cannot see.

mod faults;
mod nonces;
mod schema;
mod several;

use std::sync::atomic::{AtomicU32, Ordering};

use rand_chacha::ChaCha20Rng;
use trefoil_testkit::postgres::{Durability, PostgresCluster};

use super::{PostgresOptions, PostgresStore};
use crate::at_rest::SealingKeys;
use crate::conformance::fixture::NOW;
use crate::conformance::{self, Backend, LimitBackend, UpkeepBackend};
use crate::error::StoreError;
use crate::store::MetadataStore;
use crate::upkeep_store::StoreReader;

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

/// What a database does that knows no weaker isolation: it refuses where others wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn races_end_the_same_where_every_transaction_is_serializable() {
    let cluster = cluster();
    let fresh = || {
        let fresh = Fresh::new(&cluster);
        for name in &fresh.names {
            let sql =
                format!("ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'");
            cluster.execute("postgres", &sql).unwrap();
        }
        fresh
    };
    conformance::one_of_many_creators_wins_the_locator(&fresh()).await;
    conformance::one_of_many_creators_wins_the_account(&fresh()).await;
    conformance::one_of_many_committers_wins(&fresh()).await;
    conformance::one_of_many_puts_wins_a_place(&fresh()).await;
    conformance::nothing_acknowledged_is_lost_by_reopening(&fresh()).await;
    conformance::a_nonce_ends_with_the_upgrade(&fresh()).await;
}

impl UpkeepBackend for Fresh<'_> {
    fn open_sealed(&self, keys: SealingKeys, rng: ChaCha20Rng) -> PostgresStore {
        block_on(self.options.clone().sealing(keys, rng).open()).unwrap()
    }

    fn open_to_restore(&self) -> PostgresStore {
        block_on(self.options.open_to_restore()).unwrap()
    }

    async fn try_serving(&self) -> Result<(), StoreError> {
        let store = self.options.open().await?;
        store.check_ready(NOW).await
    }

    fn lose_records(&self) {
        let [records, _] = &self.names;
        let lose = format!("DROP DATABASE {records} WITH (FORCE)");
        self.cluster.execute("postgres", &lose).unwrap();
        self.cluster.create_database(records).unwrap();
        block_on(self.options.migrate()).unwrap();
    }

    fn open_reader(&self) -> impl StoreReader {
        self.open_to_restore()
    }
}

crate::upkeep_conformance_tests!(together upkeep, cluster(), Fresh::new);

impl LimitBackend for Fresh<'_> {
    type Store = PostgresStore;

    fn open(&self) -> PostgresStore {
        Backend::open(self)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits() {
    let cluster = cluster();
    conformance::a_bucket_is_full_at_first_and_fills_again(&Fresh::new(&cluster)).await;
    conformance::a_draw_is_granted_whole_or_not_at_all(&Fresh::new(&cluster)).await;
    conformance::buckets_are_apart(&Fresh::new(&cluster)).await;
    conformance::no_more_is_granted_than_there_is(&Fresh::new(&cluster)).await;
    conformance::full_buckets_are_forgotten_and_full(&Fresh::new(&cluster)).await;
}
