//! A database that is gone, that takes no writes, that asks for TLS.

use std::time::Duration;

use super::super::PostgresOptions;
use super::{Fresh, cluster};
use crate::conformance::Backend;
use crate::conformance::fixture::{NOW, Owner, login};
use crate::error::StoreError;
use crate::store::MetadataStore;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_went_away_is_found_again() {
    let mut cluster = cluster();
    let (options, alice) = {
        let fresh = Fresh::new(&cluster);
        (fresh.options.clone(), Owner::new("acme", "alice"))
    };
    let store = options.open().await.unwrap();
    let caller = alice.create(&store).await;
    cluster.kill().unwrap();
    for error in [
        store.check_ready(NOW).await.unwrap_err(),
        store.read_record(caller.clone()).await.unwrap_err(),
        login(&store, "acme", &["alice social"], NOW)
            .await
            .unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Unreachable), "{error:?}");
        assert!(error.is_retryable() && error.is_fault());
    }
    let error = options.open().await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable), "{error:?}");
    cluster.restart().unwrap();
    store.check_ready(NOW).await.unwrap();
    let read = store.read_record(caller).await.unwrap();
    assert_eq!(read.record.payload, alice.payload());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_takes_no_writes_still_reads() {
    let cluster = cluster();
    let fresh = Fresh::new(&cluster);
    let store = fresh.open();
    let alice = Owner::new("acme", "alice");
    let caller = alice.create(&store).await;
    cluster
        .execute(
            "postgres",
            "ALTER SYSTEM SET default_transaction_read_only = on",
        )
        .unwrap();
    cluster
        .execute("postgres", "SELECT pg_reload_conf()")
        .unwrap();
    let refused = async {
        loop {
            match store.check_ready(NOW).await {
                // The servers of the open connections have not read the setting yet.
                Ok(()) => tokio::time::sleep(Duration::from_millis(20)).await,
                Err(error) => return error,
            }
        }
    };
    let error = refused.await;
    assert!(matches!(error, StoreError::ReadOnly), "{error:?}");
    let next = alice.update("second");
    let error = next.commit_over(&alice, &caller, &store).await.unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly), "{error:?}");
    let read = store.read_record(caller).await.unwrap();
    assert_eq!(read.record.revision, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_without_tls_is_refused_where_it_is_asked_for() {
    let cluster = cluster();
    let url = format!("{}?sslmode=require", cluster.url("postgres"));
    let options = PostgresOptions::new(url.clone(), url);
    assert!(options.open().await.is_err());
}

/// What a role or database has set for itself does not make an acknowledgement worthless.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_are_flushed_whatever_the_role_has_set() {
    let cluster = cluster();
    let fresh = Fresh::new(&cluster);
    let off = "ALTER DATABASE postgres SET synchronous_commit = off";
    cluster.execute("postgres", off).unwrap();
    let store = fresh.open();
    let connection = store.databases.records.get().await.unwrap();
    let row = connection
        .query_one("SHOW synchronous_commit", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, &str>(0), "on");
}
