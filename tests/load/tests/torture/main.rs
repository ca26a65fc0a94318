//! The torture in short, and a disk that is full or cannot be written: against the server's binary as it was built for the
//! tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests fail by panicking and say what they skip"
)]

mod disk;

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use trefoil_load::backend::Kind;
use trefoil_load::load::server_beside;
use trefoil_load::torture::{Blow, Torture, TortureOptions, run};

/// The binary beside this test. `cargo test --workspace` has built it; where this package is tested alone, it is built here.
fn server() -> PathBuf {
    static SERVER: OnceLock<PathBuf> = OnceLock::new();
    SERVER
        .get_or_init(|| {
            let program = std::env::current_exe().unwrap();
            server_beside(&program).unwrap_or_else(|_| {
                let built = Command::new(env!("CARGO"))
                    .args(["build", "--package", "trefoil-cli", "--bin", "trefoil"])
                    .status();
                assert!(built.unwrap().success());
                server_beside(&program).unwrap()
            })
        })
        .clone()
}

fn options(rounds: usize) -> TortureOptions {
    TortureOptions {
        server: server(),
        rounds,
        racers: 4,
        creators: 1,
        work: Duration::from_millis(300),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_survives_kills_of_the_server() {
    let report = run(Kind::Sqlite, &options(3)).await.unwrap();
    assert!(report.acknowledged > 0);
    assert_eq!((report.rounds, report.lost), (3, 0), "{report:?}");
    assert!(report.torn.is_empty(), "{report:?}");
}

/// A kill of all of PostgreSQL's processes, then a fail-over to a synchronous standby.
#[tokio::test(flavor = "multi_thread")]
async fn postgres_survives_kills_and_a_fail_over() {
    let report = run(Kind::Postgres, &options(2)).await.unwrap();
    assert!(report.acknowledged > 0);
    assert_eq!((report.rounds, report.lost), (2, 0), "{report:?}");
    assert!(report.torn.is_empty(), "{report:?}");
}

/// The look would find it: here the files really are those of before the round.
#[tokio::test(flavor = "multi_thread")]
async fn a_loss_is_found() {
    let mut torture = Torture::start(Kind::Sqlite, options(1)).await.unwrap();
    torture.round(Blow::Server).await.unwrap();
    torture.round(Blow::Loss).await.unwrap();
    let report = torture.finish().await.unwrap();
    assert!(report.lost > 0 && !report.torn.is_empty(), "{report:?}");
}
