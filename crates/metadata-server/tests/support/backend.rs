//! The store under the server: files, or two schemas of a PostgreSQL cluster.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use trefoil_store::{MetadataStore, PostgresOptions, SqliteOptions};
use trefoil_testkit::postgres::{Durability, PostgresCluster};

const DATABASE: &str = "postgres";

/// Where a server keeps what it has.
#[derive(Clone)]
pub enum Backend {
    Sqlite,
    Postgres(Arc<PostgresCluster>),
}

impl Backend {
    /// A cluster of its own.
    pub fn postgres() -> Self {
        Self::Postgres(Arc::new(PostgresCluster::start(Durability::Fast).unwrap()))
    }

    /// An empty store, its files in this directory where it has any.
    pub async fn open(&self, directory: &Path) -> (Arc<dyn MetadataStore>, Option<Schemas>) {
        match self {
            Self::Sqlite => {
                let store = SqliteOptions::new(directory).open().unwrap();
                (Arc::new(store), None)
            }
            Self::Postgres(cluster) => {
                let schemas = Schemas::new(Arc::clone(cluster));
                let [records, nonces] = schemas.urls();
                let options = PostgresOptions::new(records, nonces).connections(6);
                options.migrate().await.unwrap();
                (Arc::new(options.open().await.unwrap()), Some(schemas))
            }
        }
    }
}

/// Records and nonces, as far apart as two databases for whoever is connected to one of them.
pub struct Schemas {
    cluster: Arc<PostgresCluster>,
    names: [String; 2],
}

impl Schemas {
    fn new(cluster: Arc<PostgresCluster>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);

        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let names = [format!("records_{number}"), format!("nonces_{number}")];
        let [records, nonces] = &names;
        let make = format!("CREATE SCHEMA {records}; CREATE SCHEMA {nonces}");
        cluster.execute(DATABASE, &make).unwrap();
        Self { cluster, names }
    }

    fn urls(&self) -> [String; 2] {
        let url = self.cluster.url(DATABASE);
        let within = |name: &String| format!("{url}?options=-c%20search_path%3D{name}");
        self.names.each_ref().map(within)
    }

    /// Every row of every table but these, without these columns: the table's name, then its columns.
    pub fn dump(&self, without: &[&str], columns_without: &[&str]) -> Vec<String> {
        let tables = self.lines(&format!(
            "SELECT table_schema || '.' || table_name || ' ' || table_name FROM information_schema.tables
             WHERE table_schema IN ('{}', '{}')",
            self.names[0], self.names[1]
        ));
        let minus: String = columns_without
            .iter()
            .map(|column| format!(" - '{column}'"))
            .collect();
        let parts: Vec<String> = tables
            .iter()
            .map(|line| line.split_once(' ').unwrap())
            .filter(|(_, name)| !without.contains(name))
            .map(|(table, name)| {
                format!(
                    "SELECT '{name} ' || (to_jsonb(held){minus})::text AS line FROM {table} AS held"
                )
            })
            .collect();
        let mut rows = self.lines(&parts.join(" UNION ALL "));
        rows.sort();
        rows
    }

    fn lines(&self, sql: &str) -> Vec<String> {
        let text = self.cluster.execute(DATABASE, sql).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

/// Each of these functions as a test on SQLite, and all of them as one test on one PostgreSQL.
#[macro_export]
macro_rules! on_every_backend {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::support::backend::Backend::Sqlite).await;
                }
            )+
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn the_same_on_postgres() {
            let backend = $crate::support::backend::Backend::postgres();
            $($name(backend.clone()).await;)+
        }
    };
}
