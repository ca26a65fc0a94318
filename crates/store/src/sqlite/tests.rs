//! What the conformance suite cannot see: crashes, leftovers, full and damaged files.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rusqlite::Connection;

use super::{NONCES_FILE, RECORDS_FILE, SqliteOptions, SqliteStore};
use crate::conformance::account_slots::OwnSlot;
use crate::conformance::fixture::{NOW, Owner, assert_erased, login};
use crate::error::StoreError;
use crate::store::MetadataStore;

/// Tells the child of the kill test where to work.
const CHILD_DIRECTORY: &str = "TREFOIL_STORE_TEST_CHILD";

fn open(directory: &Path) -> SqliteStore {
    SqliteOptions::new(directory).open().unwrap()
}

fn bytes(directory: &Path, name: &str) -> Option<Vec<u8>> {
    let read = |name: String| std::fs::read(directory.join(name)).unwrap_or_default();
    Some([read(name.to_owned()), read(format!("{name}-wal"))].concat())
}

fn count(directory: &Path, file: &str, sql: &str) -> i64 {
    Connection::open(directory.join(file))
        .unwrap()
        .query_row(sql, [], |row| row.get(0))
        .unwrap()
}

#[tokio::test]
async fn a_second_opening_is_kept_out() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let error = SqliteOptions::new(directory.path()).open().unwrap_err();
    assert!(matches!(error, StoreError::InUse), "{error}");
    drop(store);
    open(directory.path()).check_ready(NOW).await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    Owner::new("acme", "alice").create(&store).await;
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", file.path().display());
    }
}

/// A crash after the nonce and before the record leaves a nonce that nothing names.
#[tokio::test]
async fn an_orphaned_nonce_is_erased_at_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let alice = Owner::new("acme", "alice");
    let caller = alice.create(&open(directory.path())).await;
    let orphan = b"sealed nonce of an account that never was".as_slice();
    let connection = Connection::open(directory.path().join(NONCES_FILE)).unwrap();
    connection
        .execute(
            "INSERT INTO nonces VALUES ('acme', ?1, ?2, ?3, 0)",
            (&[9_u8; 16], &[9_u8; 32], orphan),
        )
        .unwrap();
    // The same crash one step later: the record is there, its nonce was not marked yet.
    connection
        .execute("UPDATE nonces SET settled = 0", [])
        .unwrap();
    drop(connection);
    assert!(
        bytes(directory.path(), NONCES_FILE)
            .unwrap()
            .windows(orphan.len())
            .any(|window| window == orphan)
    );

    let store = open(directory.path());
    assert_erased(|| bytes(directory.path(), NONCES_FILE), orphan).await;
    assert_eq!(
        count(
            directory.path(),
            NONCES_FILE,
            "SELECT count(*) FROM nonces WHERE settled = 0"
        ),
        0
    );
    assert_eq!(
        Some(store.release_nonce(caller).await.unwrap()),
        alice.nonce
    );
}

/// A crash after the record that ended a nonce and before its erasure.
#[tokio::test]
async fn a_queued_erasure_is_finished_at_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let (alice, bob) = (Owner::new("acme", "alice"), Owner::new("acme", "bob"));
    let store = open(directory.path());
    let caller = alice.create(&store).await;
    let of_bob = bob.create(&store).await;
    let upgraded = alice
        .next(&["alice social", "phone", "phrase"])
        .without_nonce();
    upgraded.commit_over(&alice, &caller, &store).await.unwrap();
    drop(store);
    assert_eq!(
        count(
            directory.path(),
            RECORDS_FILE,
            "SELECT count(*) FROM nonce_erasures"
        ),
        0
    );

    let nonce = alice.nonce.clone().unwrap();
    let nonces = Connection::open(directory.path().join(NONCES_FILE)).unwrap();
    let row = (
        alice.account_id.as_bytes(),
        nonce.hash().as_bytes().to_vec(),
        nonce.as_bytes(),
    );
    nonces
        .execute("INSERT INTO nonces VALUES ('acme', ?1, ?2, ?3, 1)", row)
        .unwrap();
    drop(nonces);
    let records = Connection::open(directory.path().join(RECORDS_FILE)).unwrap();
    for owner in [&alice, &bob] {
        // Bob's record still names his: that one must stay.
        let hash = owner.nonce.as_ref().unwrap().hash();
        records
            .execute(
                "INSERT INTO nonce_erasures VALUES ('acme', ?1, ?2)",
                (owner.account_id.as_bytes(), hash.as_bytes()),
            )
            .unwrap();
    }
    drop(records);

    let store = open(directory.path());
    assert_erased(|| bytes(directory.path(), NONCES_FILE), nonce.as_bytes()).await;
    assert!(matches!(
        store.release_nonce(caller).await,
        Err(StoreError::NoNonce)
    ));
    assert_eq!(Some(store.release_nonce(of_bob).await.unwrap()), bob.nonce);
    drop(store);
    assert_eq!(
        count(
            directory.path(),
            RECORDS_FILE,
            "SELECT count(*) FROM nonce_erasures"
        ),
        0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_store_refuses_and_keeps_what_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(
        SqliteOptions::new(directory.path())
            .max_bytes(160 * 1024)
            .open()
            .unwrap(),
    );
    let tasks = (0..60).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let owner = Owner::new("acme", &format!("account {number}"));
            let (create, token) = owner.creation(NOW);
            (
                store.create_account(create).await,
                owner.caller(token, NOW),
                owner,
            )
        })
    });
    let (mut kept, mut refused) = (Vec::new(), Vec::new());
    for task in tasks.collect::<Vec<_>>() {
        let (result, caller, owner) = task.await.unwrap();
        match result {
            Ok(_) => kept.push((caller, owner)),
            Err(error) => {
                assert!(matches!(error, StoreError::Full), "{error}");
                refused.push(owner);
            }
        }
    }
    assert!(!refused.is_empty());
    for (caller, owner) in &kept {
        assert_eq!(
            store
                .read_record(caller.clone())
                .await
                .unwrap()
                .record
                .payload,
            owner.payload()
        );
    }
    drop(Arc::into_inner(store));

    let store = open(directory.path());
    for owner in refused {
        let nonce = owner.nonce.clone().unwrap();
        assert_erased(|| bytes(directory.path(), NONCES_FILE), nonce.as_bytes()).await;
        let social = owner.factors[0].1.clone();
        assert!(matches!(
            login(&store, "acme", &[&social], NOW).await,
            Err(StoreError::NoAccount)
        ));
        owner.create(&store).await;
    }
    for (caller, owner) in kept {
        assert_eq!(
            Some(store.release_nonce(caller).await.unwrap()),
            owner.nonce
        );
    }
}

#[tokio::test]
async fn damage_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let alice = Owner::new("acme", "alice");
    let caller = alice.create(&open(directory.path())).await;
    for (file, damage) in [
        (
            RECORDS_FILE,
            "UPDATE records SET payload = zeroblob(length(payload))",
        ),
        (RECORDS_FILE, "UPDATE records SET payload_hash = x'00'"),
        (RECORDS_FILE, "UPDATE records SET payload = 7"),
        (RECORDS_FILE, "UPDATE factors SET envelope = x'00'"),
        (RECORDS_FILE, "UPDATE sessions SET proven = x'00'"),
        (RECORDS_FILE, "UPDATE sessions SET level = 9"),
        (RECORDS_FILE, "DELETE FROM records"),
        (NONCES_FILE, "UPDATE nonces SET sealed = x'00'"),
    ] {
        let copy = tempfile::tempdir().unwrap();
        for name in [RECORDS_FILE, NONCES_FILE] {
            std::fs::copy(directory.path().join(name), copy.path().join(name)).unwrap();
        }
        Connection::open(copy.path().join(file))
            .unwrap()
            .execute(damage, [])
            .unwrap();
        let store = open(copy.path());
        let result = if file == RECORDS_FILE {
            store.read_record(caller.clone()).await.map(drop)
        } else {
            store.release_nonce(caller.clone()).await.map(drop)
        };
        let error = result.unwrap_err();
        assert!(
            matches!(error, StoreError::Corrupt { .. }) && error.is_fault(),
            "{damage}: {error}"
        );
    }

    let path = directory.path().join(RECORDS_FILE);
    let mut whole = std::fs::read(&path).unwrap();
    whole[..100].fill(0x55);
    std::fs::write(&path, whole).unwrap();
    let error = SqliteOptions::new(directory.path()).open().unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn a_damaged_slot_is_noticed_and_not_taken_for_none() {
    let directory = tempfile::tempdir().unwrap();
    let slot = OwnSlot::new("acme", 1);
    let caller = {
        let store = open(directory.path());
        let caller = Owner::new("acme", "alice").create(&store).await;
        slot.enrol(&store, &caller).await.unwrap();
        caller
    };
    for damage in [
        "UPDATE slots SET record = x'00'",
        "UPDATE slots SET record = substr(record, 1, length(record) - 1)",
        "UPDATE slots SET record = 7",
    ] {
        Connection::open(directory.path().join(RECORDS_FILE))
            .unwrap()
            .execute(damage, [])
            .unwrap();
        let store = open(directory.path());
        let listed = store.list_slots(caller.clone()).await.unwrap_err();
        let enrolled = slot.enrol(&store, &caller).await.unwrap_err();
        for error in [listed, enrolled] {
            assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        }
    }
}

/// Runs in a process of its own until it is killed, and tells what was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child process of a_killed_process_loses_nothing_acknowledged"]
async fn child() {
    let Ok(directory) = std::env::var(CHILD_DIRECTORY) else {
        return;
    };
    let store = Arc::new(open(Path::new(&directory)));
    let round = std::process::id();
    let tasks = (0..8).map(|worker| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for number in 0.. {
                let name = format!("{round}-{worker}-{number}");
                let mut owner = Owner::new("acme", &name);
                let caller = owner.create(&*store).await;
                report(&name, 1);
                for _ in 0..3 {
                    let next = owner.update("later");
                    next.commit_over(&owner, &caller, &*store).await.unwrap();
                    owner = next;
                    report(&name, owner.revision);
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

fn report(name: &str, revision: u64) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "acknowledged {name} {revision}").unwrap();
    out.flush().unwrap();
}

#[tokio::test]
async fn a_killed_process_loses_nothing_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    for wanted in [1, 60, 300] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "sqlite::tests::child",
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
        let mut acknowledged: Vec<String> = Vec::new();
        let is_report = |line: &String| line.starts_with("acknowledged");
        acknowledged.extend(lines.by_ref().filter(is_report).take(wanted));
        child.kill().unwrap();
        child.wait().unwrap();
        // What was said before the kill and not read yet counts too; the last line may be cut off.
        acknowledged.extend(lines.filter(is_report));
        assert!(acknowledged.len() >= wanted);

        let store = open(directory.path());
        for line in acknowledged {
            let [_, name, revision] = line.split(' ').collect::<Vec<_>>()[..] else {
                continue;
            };
            let Ok(revision) = revision.parse::<u64>() else {
                continue;
            };
            let social = format!("{name} social");
            let (opened, caller) = login(&store, "acme", &[&social], NOW).await.unwrap();
            assert!(
                opened.record.revision >= revision,
                "{line}: at {}",
                opened.record.revision
            );
            assert_eq!(opened.sealed_nonce, Owner::new("acme", name).nonce);
            assert_eq!(opened.envelopes.len(), 1);
            let log = store.read_events(caller).await.unwrap();
            let events = trefoil_protocol::event::verify_chain(&log.events, &log.head).unwrap();
            assert_eq!(events.len() as u64, opened.record.revision);
        }
    }
}
