//! The conformance suites on a PostgreSQL of their own, and what they cannot see.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

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

/// Where the schemas are made.
const DATABASE: &str = "postgres";

/// Records and nonces in two schemas of one database: quicker to make than databases, and as far apart for whoever is connected
/// to one of them.
struct Fresh<'a> {
    cluster: &'a PostgresCluster,
    schemas: [String; 2],
    options: PostgresOptions,
}

impl<'a> Fresh<'a> {
    fn new(cluster: &'a PostgresCluster) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);

        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let schemas = [format!("records_{number}"), format!("nonces_{number}")];
        let url = |schema: &String| {
            format!(
                "{}?options=-c%20search_path%3D{schema}",
                cluster.url(DATABASE)
            )
        };
        let [records, nonces] = &schemas;
        let options = PostgresOptions::new(url(records), url(nonces)).connections(8);
        let make = format!("CREATE SCHEMA {records}; CREATE SCHEMA {nonces}");
        cluster.execute(DATABASE, &make).unwrap();
        block_on(options.migrate()).unwrap();
        Self {
            cluster,
            options,
            schemas,
        }
    }

    /// Runs SQL on the records' tables.
    fn records(&self, sql: &str) -> String {
        self.execute(&self.schemas[0], sql)
    }

    /// Runs SQL on the nonces' tables.
    fn nonces(&self, sql: &str) -> String {
        self.execute(&self.schemas[1], sql)
    }

    fn execute(&self, schema: &str, sql: &str) -> String {
        let sql = format!("SET search_path TO {schema}; {sql}");
        let answer = self.cluster.execute(DATABASE, &sql).unwrap();
        answer.trim().to_owned()
    }

    /// Every byte that can be seen, as the database's own dump.
    fn bytes(&self, schema: &str) -> Vec<u8> {
        let tables = self.execute(
            schema,
            "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()",
        );
        let mut bytes = Vec::new();
        for table in tables.split_ascii_whitespace() {
            let text = self.execute(schema, &format!("SELECT * FROM {table}"));
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
        Some(self.bytes(&self.schemas[0]))
    }

    fn nonce_bytes(&self) -> Option<Vec<u8>> {
        Some(self.bytes(&self.schemas[1]))
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
    let sql = "ALTER DATABASE postgres SET default_transaction_isolation = 'serializable'";
    cluster.execute(DATABASE, sql).unwrap();
    let fresh = || Fresh::new(&cluster);
    conformance::one_of_many_creators_wins_the_locator(&fresh()).await;
    conformance::one_of_many_creators_wins_the_account(&fresh()).await;
    conformance::one_of_many_committers_wins(&fresh()).await;
    conformance::one_of_many_puts_wins_a_place(&fresh()).await;
    conformance::nothing_acknowledged_is_lost_by_reopening(&fresh()).await;
    conformance::a_nonce_ends_with_the_upgrade(&fresh()).await;
    conformance::no_more_is_granted_than_there_is(&fresh()).await;
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
        let [records, _] = &self.schemas;
        let lose = format!("DROP SCHEMA {records} CASCADE; CREATE SCHEMA {records}");
        self.cluster.execute(DATABASE, &lose).unwrap();
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
