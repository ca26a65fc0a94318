//! The probe: anybody may ask, and each look at the store is a durable write.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

mod support;

use std::sync::Arc;

use rusqlite::Connection;
use support::Server;
use support::http::call;

#[tokio::test]
async fn a_crowd_of_probes_is_one_write() {
    let server = Arc::new(Server::start().await);
    let database = Connection::open(server.directory.path().join("records.db")).unwrap();
    database
        .execute_batch(
            "CREATE TABLE written (row INTEGER);
             CREATE TRIGGER first AFTER INSERT ON health BEGIN INSERT INTO written VALUES (1); END;
             CREATE TRIGGER again AFTER UPDATE ON health BEGIN INSERT INTO written VALUES (1); END;",
        )
        .unwrap();
    let crowd = std::iter::repeat_with(|| {
        let server = Arc::clone(&server);
        tokio::spawn(async move { call("GET", "/readyz").send(&server).await.status })
    });
    let crowd: Vec<_> = crowd.take(100).collect();
    for asked in crowd {
        assert_eq!(asked.await.unwrap(), 200);
    }
    let written: u32 = database
        .query_row("SELECT count(*) FROM written", [], |row| row.get(0))
        .unwrap();
    // One each second; the machine may be slow.
    assert!((1..=20).contains(&written), "{written}");
}
