//! What the conformance suite of a node's store cannot see: modes, locks, crashes, foreign files, readers beside it.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use rusqlite::Connection;

use super::{SqliteNodeStore, SqliteOptions};
use crate::error::StoreError;
use crate::node_store::NodeStore;

const NOW: u64 = 1_700_000_000;
/// Tells the child of the kill test where to work.
const CHILD_DIRECTORY: &str = "TREFOIL_NODE_STORE_TEST_CHILD";

fn open(directory: &Path) -> SqliteNodeStore {
    SqliteNodeStore::open(directory).unwrap()
}

fn contains(directory: &Path, part: &[u8]) -> bool {
    std::fs::read_dir(directory).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(part.len()).any(|window| window == part)
    })
}

#[tokio::test]
async fn a_second_opening_is_kept_out_and_a_reader_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("made");
    assert_eq!(SqliteNodeStore::read(&path).unwrap(), None);
    assert!(!path.exists(), "reading makes nothing");
    let store = open(&path);
    assert_eq!(SqliteNodeStore::read(&path).unwrap(), None);
    store.replace(None, b"one".to_vec()).await.unwrap();
    let error = SqliteNodeStore::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::InUse), "{error}");
    // Nor a store of another kind.
    let error = SqliteOptions::new(&path).open().unwrap_err();
    assert!(matches!(error, StoreError::InUse), "{error}");
    let read = SqliteNodeStore::read(&path).unwrap();
    assert_eq!(read, store.load().await.unwrap());
    assert_eq!(read.unwrap().sealed, b"one");
    store.replace(Some(1), b"two".to_vec()).await.unwrap();
    drop(store);
    assert_eq!(SqliteNodeStore::read(&path).unwrap().unwrap().version, 2);
    open(&path).check_ready(NOW).await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.replace(None, b"one".to_vec()).await.unwrap();
    store.check_ready(NOW).await.unwrap();
    let mut names = Vec::new();
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let file = file.unwrap();
        names.push(file.file_name().into_string().unwrap());
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", file.path().display());
    }
    assert!(names.contains(&"node.db-wal".to_owned()), "{names:?}");
}

#[tokio::test]
async fn foreign_damaged_and_newer_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(
        SqliteOptions::new(directory.path().join("metadata"))
            .open()
            .unwrap(),
    );
    let foreign = directory.path().join("foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::copy(
        directory.path().join("metadata/records.db"),
        foreign.join("node.db"),
    )
    .unwrap();
    for error in [
        SqliteNodeStore::open(&foreign).unwrap_err(),
        SqliteNodeStore::read(&foreign).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::ForeignFile), "{error}");
    }

    let path = directory.path().join("node");
    let store = open(&path);
    store.replace(None, b"one".to_vec()).await.unwrap();
    drop(store);
    let spoil = |sql: &str| {
        let connection = Connection::open(path.join("node.db")).unwrap();
        connection.execute_batch(sql).unwrap();
    };
    spoil("UPDATE node_state SET version = -1");
    let error = open(&path).load().await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    spoil("UPDATE node_state SET version = 1, sealed = 'text'");
    let error = open(&path).load().await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    spoil("PRAGMA user_version = 99");
    for error in [
        SqliteNodeStore::open(&path).unwrap_err(),
        SqliteNodeStore::read(&path).unwrap_err(),
    ] {
        assert!(
            matches!(error, StoreError::NewerSchema { found: 99, .. }),
            "{error}"
        );
    }
}

/// Somebody holds a snapshot of the file: the change is kept, but it is not said that the old state is gone.
#[tokio::test]
async fn an_erasure_that_a_reader_blocks_is_told_and_made_up_for() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store
        .replace(None, b"the old sealed state".to_vec())
        .await
        .unwrap();
    let reader = Connection::open(directory.path().join("node.db")).unwrap();
    reader
        .execute_batch("BEGIN; SELECT * FROM node_state;")
        .unwrap();
    let error = store
        .replace(Some(1), b"the new sealed state".to_vec())
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::NotErased { version: 2 }) && error.is_fault(),
        "{error}"
    );
    assert!(contains(directory.path(), b"the old sealed state"));
    assert_eq!(store.load().await.unwrap().unwrap().version, 2);
    drop(reader);
    store.check_ready(NOW).await.unwrap();
    assert!(!contains(directory.path(), b"the old sealed state"));
    assert_eq!(
        store.load().await.unwrap().unwrap().sealed,
        b"the new sealed state"
    );
}

/// A crash after the commit and before the log was cut.
#[tokio::test]
async fn an_erasure_that_was_cut_off_is_finished_at_the_next_start() {
    let (directory, crashed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(directory.path());
    store
        .replace(None, b"the old sealed state".to_vec())
        .await
        .unwrap();
    // The same change by other hands, which cut no log; then the files as a crash leaves them.
    let other = Connection::open(directory.path().join("node.db")).unwrap();
    other.pragma_update(None, "secure_delete", true).unwrap();
    other
        .execute("UPDATE node_state SET version = 2, sealed = x'6e6577'", [])
        .unwrap();
    for name in ["node.db", "node.db-wal"] {
        std::fs::copy(directory.path().join(name), crashed.path().join(name)).unwrap();
    }
    assert!(contains(crashed.path(), b"the old sealed state"));
    let store = open(crashed.path());
    assert!(!contains(crashed.path(), b"the old sealed state"));
    assert_eq!(store.load().await.unwrap().unwrap().sealed, b"new");
}

/// Runs in a process of its own until it is killed, and tells what was acknowledged.
#[tokio::test]
#[ignore = "the child process of a_killed_process_loses_no_acknowledged_state"]
async fn child() {
    let Ok(directory) = std::env::var(CHILD_DIRECTORY) else {
        return;
    };
    let store = open(Path::new(&directory));
    let mut expected = store.load().await.unwrap().map(|state| state.version);
    loop {
        let next = expected.unwrap_or_default() + 1;
        let version = store.replace(expected, sealed(next)).await.unwrap();
        assert_eq!(version, next);
        expected = Some(version);
        let mut out = std::io::stdout().lock();
        writeln!(out, "acknowledged {version}").unwrap();
        out.flush().unwrap();
    }
}

fn sealed(version: u64) -> Vec<u8> {
    format!("<sealed state {version}>").repeat(500).into_bytes()
}

#[tokio::test]
async fn a_killed_process_loses_no_acknowledged_state() {
    let directory = tempfile::tempdir().unwrap();
    let mut least = 0;
    for wanted in [1, 30, 100] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "sqlite::node_tests::child",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env(CHILD_DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap);
        let version = |line: String| line.strip_prefix("acknowledged ")?.parse::<u64>().ok();
        let mut acknowledged: Vec<u64> = lines.by_ref().filter_map(version).take(wanted).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        // What was said before the kill and not read yet counts too.
        acknowledged.extend(lines.filter_map(version));
        assert!(acknowledged.len() >= wanted);
        let last = acknowledged.last().copied().unwrap();
        assert!(last > least);

        let store = open(directory.path());
        let state = store.load().await.unwrap().unwrap();
        // The one after the last may have been committed and not told.
        assert!(
            (last..=last + 1).contains(&state.version),
            "{last}: {state:?}"
        );
        assert_eq!(state.sealed, sealed(state.version));
        for old in state.version.saturating_sub(3)..state.version {
            let marker = format!("<sealed state {old}>");
            assert!(!contains(directory.path(), marker.as_bytes()), "{marker}");
        }
        least = state.version;
    }
}
