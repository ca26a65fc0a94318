//! Making the tables and looking at their version.

use super::super::PostgresOptions;
use super::{Fresh, cluster};
use crate::error::StoreError;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_are_made_once_by_however_many() {
    let cluster = cluster();
    let url = cluster.create_database("records_and_nonces").unwrap();
    let options = PostgresOptions::new(url.clone(), url).connections(2);
    let error = options.open().await.unwrap_err();
    assert!(
        matches!(error, StoreError::OlderSchema { found: 0, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("--migrate"), "{error}");
    let migrations = (0..6).map(|_| {
        let options = options.clone();
        tokio::spawn(async move { options.migrate().await })
    });
    for migration in migrations.collect::<Vec<_>>() {
        migration.await.unwrap().unwrap();
    }
    options.open().await.unwrap();
    let (records, nonces) = options.migrate().await.unwrap();
    assert!(records > 0 && nonces > 0, "up to date already");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newer_tables_are_left_alone() {
    let cluster = cluster();
    let fresh = Fresh::new(&cluster);
    fresh.nonces("UPDATE trefoil_schema SET version = 99");
    let newer = |error: StoreError| matches!(error, StoreError::NewerSchema { found: 99, .. });
    assert!(newer(fresh.options.open().await.unwrap_err()));
    assert!(newer(fresh.options.migrate().await.unwrap_err()));
}
