//! A database that is gone, that takes no writes, that asks for TLS.

use std::time::Duration;

use super::super::PostgresOptions;
use super::super::transaction::Transaction;
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
    for (set, used) in [
        ("off", "on"),
        ("local", "on"),
        ("remote_write", "on"),
        ("remote_apply", "remote_apply"),
    ] {
        let sql = format!("ALTER DATABASE postgres SET synchronous_commit = {set}");
        cluster.execute("postgres", &sql).unwrap();
        let store = fresh.open();
        let connection = store.databases.records.get().await.unwrap();
        let row = connection
            .query_one("SHOW synchronous_commit", &[])
            .await
            .unwrap();
        assert_eq!(row.get::<_, &str>(0), used, "{set}");
    }
}

/// Somebody holds an account's row and is gone: nobody waits for ever, and other accounts do not wait at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_nobody_lets_go_of_stops_one_account_for_seconds() {
    let cluster = cluster();
    let fresh = Fresh::new(&cluster);
    let store = fresh.open();
    let (alice, bob) = (Owner::new("acme", "alice"), Owner::new("acme", "bob"));
    let caller = alice.create(&store).await;
    bob.create(&store).await;
    let gone = store.databases.records.get().await.unwrap();
    let lock = "BEGIN; SELECT 1 FROM accounts WHERE logins = 1 AND account_id =
        (SELECT account_id FROM locators ORDER BY account_id LIMIT 1) FOR UPDATE";
    gone.batch_execute(lock).await.unwrap();
    let mut stuck = 0;
    for name in ["alice social", "bob social"] {
        match login(&store, "acme", &[name], NOW).await {
            Ok(_) => {}
            Err(error) => {
                assert!(matches!(error, StoreError::Busy), "{error:?}");
                stuck += 1;
            }
        }
    }
    assert_eq!(stuck, 1);
    assert_eq!(store.read_record(caller).await.unwrap().record.revision, 1);
    // The database ends whoever is silent in mid-transaction.
    let ended = async {
        while login(&store, "acme", &["alice social"], NOW).await.is_err()
            || login(&store, "acme", &["bob social"], NOW).await.is_err()
        {}
    };
    tokio::time::timeout(Duration::from_secs(40), ended)
        .await
        .unwrap();
}

/// What was begun on a connection ends with whoever gave it up, and is nobody else's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_given_up_in_mid_transaction_is_closed() {
    let cluster = cluster();
    let fresh = Fresh::new(&cluster);
    let store = fresh.options.clone().connections(1).open().await.unwrap();
    let put = "INSERT INTO limits (subject, full_at) VALUES ('half', 1)";
    let transaction = Transaction::on(&store.databases.records).await.unwrap();
    transaction.begin().await.unwrap();
    transaction.execute(put, &[]).await.unwrap();
    drop(transaction);
    let next = Transaction::on(&store.databases.records).await.unwrap();
    let rows = next.rows("SELECT 1 FROM limits", &[]).await.unwrap();
    assert!(
        rows.is_empty(),
        "another connection, and nothing of the half"
    );
    let committed = next.execute(put, &[]).await;
    next.end(committed).await.unwrap();
    assert_eq!(fresh.records("SELECT count(*) FROM limits"), "1");
}

/// Readiness is that of both databases.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_either_database_it_is_not_ready() {
    let cluster = cluster();
    for broken in [0, 1] {
        let fresh = Fresh::new(&cluster);
        let store = fresh.open();
        store.check_ready(NOW).await.unwrap();
        fresh.execute(&fresh.schemas[broken], "ALTER TABLE health RENAME TO gone");
        assert!(store.check_ready(NOW).await.is_err(), "{broken}");
    }
}

/// Many more rows are over than one transaction clears away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_over_goes_however_much_it_is() {
    let cluster = cluster();
    let fresh = Fresh::new(&cluster);
    let store = fresh.open();
    fresh.records(
        "INSERT INTO request_ids SELECT 'acme', decode(lpad(to_hex(n), 32, '0'), 'hex'), n
         FROM generate_series(1, 9000) n",
    );
    let alice = Owner::new("acme", "alice");
    alice.create(&store).await;
    let swept = async {
        while fresh.records("SELECT count(*) FROM request_ids") != "1" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), swept)
        .await
        .unwrap();
}

/// What is told of a refusal shows no row.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_show_no_rows() {
    let cluster = cluster();
    let fresh = Fresh::new(&cluster);
    let store = fresh.open();
    let connection = Transaction::on(&store.databases.records).await.unwrap();
    let put = "INSERT INTO tombstones VALUES ('a secret tenant', 'secret'::bytea, 1)";
    connection.execute(put, &[]).await.unwrap();
    let error = connection.execute(put, &[]).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    let told = format!("{error} {error:?} {source}");
    assert!(
        told.contains("23505") && told.contains("tombstones"),
        "{told}"
    );
    assert!(!told.contains("secret"), "{told}");
}

/// A certificate is trusted by its authority and for its name only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_encrypted_to_whom_they_are_meant_for() {
    let cluster = cluster();
    let made = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (own, other) = (made(), made());
    cluster
        .use_tls(&own.cert.pem(), &own.signing_key.serialize_pem())
        .unwrap();
    let open = async |host: &str, authority: &str| {
        let url = cluster.url("postgres").replace("127.0.0.1", host);
        let options = PostgresOptions::new(format!("{url}?sslmode=require"), url);
        let options = options.authorities(authority);
        options.migrate().await?;
        options.open().await
    };
    let store = open("localhost", &own.cert.pem()).await.unwrap();
    let connection = store.databases.records.get().await.unwrap();
    let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let row = connection.query_one(encrypted, &[]).await.unwrap();
    assert!(row.get::<_, bool>(0));
    assert!(
        open("localhost", &other.cert.pem()).await.is_err(),
        "another authority"
    );
    assert!(
        open("127.0.0.1", &own.cert.pem()).await.is_err(),
        "another name"
    );
}
