//! What a verification finds.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use rusqlite::Connection;
use trefoil_metadata_server::upkeep::{self, RestoreError, VerifyReport};
use trefoil_store::{AtRest, SqliteOptions, StoreReader as _};

use crate::support::slot::TestSlot;
use crate::support::wallet::{Wallet, upgraded};
use crate::support::{NOW, Server};
use crate::world::{Place, create, name, plan, restore};

async fn verified(place: &Place) -> VerifyReport {
    let reader = SqliteOptions::new(place.data()).open_reader().unwrap();
    upkeep::verify(&reader, &AtRest::default()).await.unwrap()
}

fn damage(place: &Place, file: &str, sql: &str) {
    let connection = Connection::open(place.data().join(file)).unwrap();
    connection.execute_batch(sql).unwrap();
}

#[tokio::test]
async fn a_server_at_work_holds_together() {
    let server = Server::start().await;
    let (_, second, session) = upgraded(&server, "acme", 10).await;
    let third = second.with_factors(&[(1, 10), (2, 11)]);
    assert_eq!(third.commit(&second, &session, &server).await.status, 200);
    let alice = Wallet::one_click("acme", 50, 50);
    let of_alice = alice.create(&server).await;
    let slot = TestSlot::new(1, &[1, 2]);
    slot.enrol(&alice, &of_alice, &server).await;
    let gone = Wallet::one_click("other", 60, 60);
    let of_gone = gone.create(&server).await;
    assert_eq!(
        gone.delete_call(&of_gone, &server)
            .send(&server)
            .await
            .status,
        204
    );

    // Beside the server, which has the store open.
    let reader = SqliteOptions::new(server.directory.path())
        .open_reader()
        .unwrap();
    let report = upkeep::verify(&reader, &AtRest::default()).await.unwrap();
    assert_eq!((report.accounts, report.tombstones), (2, 1));
    assert_eq!((report.factors, report.slots), (4, 1));
    assert_eq!(report.nonces_named, 1);
    assert_eq!(report.problems, []);
    assert_eq!(report.without_nonce, []);

    let place = Place::new();
    let (records, nonces) = (place.file("records"), place.file("nonces"));
    upkeep::back_up(&reader, Some(&records), Some(&nonces), NOW)
        .await
        .unwrap();
    let of_files = upkeep::verify_files(&records, &[nonces], &AtRest::default())
        .await
        .unwrap();
    assert_eq!(of_files, report);
    let without = upkeep::verify_files(&records, &[], &AtRest::default())
        .await
        .unwrap();
    assert_eq!(without.without_nonce, [name(&alice)]);
}

#[tokio::test]
async fn each_kind_of_damage_is_named() {
    let place = Place::new();
    let alice = Wallet::one_click("acme", 1, 1);
    let bob = Wallet::one_click("acme", 2, 2);
    {
        let store = place.open();
        create(&store, &alice).await;
        create(&store, &bob).await;
    }
    assert_eq!(verified(&place).await.problems, []);
    let whole = std::fs::read(place.data().join("records.db")).unwrap();
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let of_alice = format!("WHERE account_id = x'{}'", hex(alice.id().as_bytes()));
    let of_bob = format!("WHERE account_id = x'{}'", hex(bob.id().as_bytes()));
    for (sql, told) in [
        (
            "UPDATE records SET payload = CAST(replace(payload, 'x', 'y') AS BLOB), payload_hash = zeroblob(32) {}",
            "its hash",
        ),
        (
            "UPDATE records SET signature = zeroblob(64) {}",
            "signature",
        ),
        (
            "UPDATE records SET revision = 7 {}",
            "revision 1, its row says 7",
        ),
        ("UPDATE records SET nonce_hash = NULL {}", "another nonce"),
        (
            "UPDATE factors SET envelope = x'00' {}",
            "envelope of factor 1",
        ),
        (
            "UPDATE factors SET envelope_hash = zeroblob(32) {}",
            "envelope of factor 1",
        ),
        ("UPDATE factors SET share_index = 9 {}", "index 9"),
        (
            "UPDATE factors SET share_index = NULL, envelope = NULL, envelope_hash = NULL {}",
            "factor 1 does not lead",
        ),
        (
            "INSERT INTO factors SELECT tenant, zeroblob(32), account_id, 2, envelope_hash, envelope FROM factors {}",
            "not in the record",
        ),
        ("UPDATE accounts SET event_head = zeroblob(32) {}", "events"),
        ("UPDATE accounts SET event_head = NULL {}", "no head"),
        (
            "UPDATE accounts SET event_seq = 5 {}",
            "another number than 5",
        ),
        ("UPDATE events SET body = x'7b7d' {}", "events"),
        ("DELETE FROM events {}", "events"),
    ] {
        std::fs::write(place.data().join("records.db"), &whole).unwrap();
        damage(&place, "records.db", &sql.replace("{}", &of_alice));
        let report = verified(&place).await;
        let problems = &report.problems;
        assert!(!problems.is_empty(), "{sql}");
        assert!(
            problems.iter().any(|problem| problem.what.contains(told)),
            "{sql}: {problems:?}"
        );
        assert!(
            problems
                .iter()
                .all(|problem| problem.account_id == alice.id()),
            "{sql}: {problems:?}"
        );
    }

    // The record of somebody else, whole and signed.
    std::fs::write(place.data().join("records.db"), &whole).unwrap();
    damage(
        &place,
        "records.db",
        &format!(
            "UPDATE records SET (payload, signature, payload_hash, nonce_hash) =
             (SELECT payload, signature, payload_hash, nonce_hash FROM records {of_bob}) {of_alice}"
        ),
    );
    let report = verified(&place).await;
    for told in [
        "another account",
        "another record",
        "factor 1 does not lead",
    ] {
        assert!(
            report
                .problems
                .iter()
                .any(|problem| problem.what.contains(told)),
            "{told}: {report:?}"
        );
    }

    // A backup of that is refused, unless it is all there is.
    let store = place.open();
    place.back_up(&store, "damaged", 0).await;
    let target = Place::new();
    let into = target.to_restore();
    let damaged = plan(&place.file("damaged.records")).nonces(place.file("damaged.nonces"));
    let error = restore(&into, damaged.clone()).await.unwrap_err();
    assert!(
        matches!(&error, RestoreError::Problems(found) if *found == report.problems),
        "{error}"
    );
    assert_eq!(into.stats().await.unwrap().accounts, 0);
    let done = restore(
        &into,
        damaged.accept_problems(true).accept_missing_nonces(true),
    )
    .await
    .unwrap();
    assert_eq!((done.accounts, done.problems), (2, report.problems));
}

#[tokio::test]
async fn lost_and_damaged_nonces_are_listed_exactly() {
    let place = Place::new();
    let wallets = [1, 2, 3].map(|seed| Wallet::one_click("acme", seed, seed));
    {
        let store = place.open();
        for wallet in &wallets {
            create(&store, wallet).await;
        }
    }
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let of = |wallet: &Wallet| format!("WHERE account_id = x'{}'", hex(wallet.id().as_bytes()));
    damage(
        &place,
        "nonces.db",
        &format!("DELETE FROM nonces {}", of(&wallets[0])),
    );
    damage(
        &place,
        "nonces.db",
        &format!("UPDATE nonces SET sealed = x'00' {}", of(&wallets[2])),
    );
    let report = verified(&place).await;
    let mut expected = [name(&wallets[0]), name(&wallets[2])];
    expected.sort();
    assert_eq!(report.without_nonce, expected);
    assert_eq!((report.nonces_named, report.problems), (3, vec![]));
}

/// Sealed slots are looked into where the keys are at hand.
#[tokio::test]
async fn slots_are_looked_into_with_keys() {
    let keys = |seed: u8| {
        let key = zeroize::Zeroizing::new([seed; 32]);
        trefoil_store::SealingKeys::new("k", [("k".to_owned(), key)]).unwrap()
    };
    let rng = || ChaCha20Rng::seed_from_u64(1);
    let server =
        Server::start_with(|options| options.sealing(keys(1), rng()), |config| config).await;
    let alice = Wallet::one_click("acme", 1, 1);
    let session = alice.create(&server).await;
    TestSlot::new(1, &[1])
        .enrol(&alice, &session, &server)
        .await;
    let reader = SqliteOptions::new(server.directory.path())
        .open_reader()
        .unwrap();
    let without = upkeep::verify(&reader, &AtRest::default()).await.unwrap();
    assert_eq!(
        (without.slots, without.slots_unread, without.problems),
        (1, 1, vec![])
    );
    let with = upkeep::verify(&reader, &AtRest::sealing(keys(1), rng()))
        .await
        .unwrap();
    assert_eq!(
        (with.slots, with.slots_unread, with.problems),
        (1, 0, vec![])
    );
    let wrong = upkeep::verify(&reader, &AtRest::sealing(keys(2), rng()))
        .await
        .unwrap();
    assert_eq!(wrong.problems.len(), 1);
    assert!(
        wrong.problems[0].what.contains("does not open"),
        "{wrong:?}"
    );
}
