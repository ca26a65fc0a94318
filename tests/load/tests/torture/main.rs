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
use trefoil_load::torture::{Blow, Report, Target, Torture, TortureOptions, run};

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
        grace: Duration::from_secs(30),
    }
}

async fn survives(kind: Kind, target: Target, rounds: usize) {
    let report = run(kind, target, &options(rounds)).await.unwrap();
    assert!(report.acknowledged > 0);
    assert_eq!((report.rounds, report.lost), (rounds, 0), "{report:?}");
    assert!(report.torn.is_empty(), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_survives_kills_of_the_server() {
    survives(Kind::Sqlite, Target::Server, 3).await;
}

/// Two processes, of which one dies.
#[tokio::test(flavor = "multi_thread")]
async fn postgres_survives_kills_of_a_server() {
    survives(Kind::Postgres, Target::Server, 2).await;
}

/// The records' cluster, that of the nonces, and both at once.
#[tokio::test(flavor = "multi_thread")]
async fn postgres_survives_kills_of_its_own_processes() {
    survives(Kind::Postgres, Target::Database, 3).await;
}

/// To a synchronous standby of the records' cluster; longer runs do the same to that of the nonces.
#[tokio::test(flavor = "multi_thread")]
async fn postgres_survives_a_fail_over() {
    survives(Kind::Postgres, Target::FailOver, 1).await;
}

/// The look would find it: here the files really are those of before the round.
#[tokio::test(flavor = "multi_thread")]
async fn a_loss_is_found() {
    let mut torture = Torture::start(Kind::Sqlite, options(1)).await.unwrap();
    torture.round(Blow::Server).await.unwrap();
    torture.round(Blow::Loss).await.unwrap();
    let report = torture.finish(Target::Server).await.unwrap();
    assert!(report.lost > 0 && !report.torn.is_empty(), "{report:?}");
}

/// So is a nonce that outlives the upgrade or the deletion that ended it.
#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_that_is_held_for_too_long_is_found() {
    let short = TortureOptions {
        grace: Duration::from_secs(2),
        ..options(1)
    };
    let mut torture = Torture::start(Kind::Sqlite, short).await.unwrap();
    torture.round(Blow::Server).await.unwrap();
    torture.forge_nonce().unwrap();
    let report: Report = torture.finish(Target::Server).await.unwrap();
    assert_eq!((report.lost, report.torn.len()), (0, 1), "{report:?}");
    assert!(report.torn[0].contains("still held"), "{report:?}");
}
