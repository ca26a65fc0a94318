//! Records and nonces of different ages, with the wallets that belong to them.

use serde_json::json;

use crate::support::{World, trefoil};
use crate::{admin, message, newcomer};

fn lose_records(world: &World) {
    for entry in std::fs::read_dir(world.path("dev/metadata")).unwrap() {
        let path = entry.unwrap().path();
        if path
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("records.db")
        {
            std::fs::remove_file(path).unwrap();
        }
    }
}

/// What `serve` says that must not serve.
fn refused_to_serve(world: &World) -> String {
    let run = trefoil(
        &["--json", "serve", "dev", "--data", &world.text("dev")],
        b"",
    );
    assert_eq!(run.error(), (1, "store".to_owned()));
    message(&run)
}

#[test]
fn old_records_and_live_nonces_come_back_together() {
    let mut world = World::start();
    let (of_carol, _) = newcomer(&world, "carol");
    let (of_alice, alice) = newcomer(&world, "alice");
    let old = world.text("old.records");
    admin(&world, "backup", &["--records", &old]).ok();

    // After the backup: alice upgrades, bob comes.
    let phrase = world.text("phrase");
    let enable = [
        "mfa",
        "enable",
        "--dev-user",
        "alice",
        "--words-out",
        &phrase,
        "--proof-file",
        &phrase,
    ];
    world.wallet("alice", &enable).ok();
    world.secret("phrase");
    let kit = world.text("kit");
    let export = ["export", "--kit-out", &kit, "--dev-user", "alice"];
    world.wallet("alice", &export).ok();
    newcomer(&world, "bob");
    world.stop();
    lose_records(&world);
    assert!(refused_to_serve(&world).contains("no records"));

    // The report comes before anybody is served, and names exactly whoever lacks a nonce.
    let run = admin(&world, "restore", &["--records", &old]);
    assert_eq!(run.error(), (5, "without_nonce".to_owned()));
    let report = run.lines()[0].clone();
    assert_eq!(report["step"], "restored");
    assert_eq!(
        (&report["accounts"], &report["nonces_named"]),
        (&json!(2), &json!(2))
    );
    let waiting = json!([{ "tenant": "dev", "account_id": alice }]);
    assert_eq!(report["without_nonce"], waiting);
    assert!(refused_to_serve(&world).contains("being restored"));
    let accept = ["--records", &old, "--accept-missing-nonces"];
    assert_eq!(
        admin(&world, "restore", &accept).ok()["without_nonce"],
        waiting
    );
    let again = admin(&world, "restore", &accept);
    assert_eq!(again.error(), (5, "store_not_empty".to_owned()));

    world.serve();
    let carol = world.wallet("carol", &["open", "--dev-user", "carol"]).ok();
    assert_eq!(carol["address"], of_carol);
    // Bob's account is gone, and he is not given another one.
    let bob = world.wallet("bob", &["open", "--dev-user", "bob"]);
    assert_eq!(bob.error(), (8, "account_gone".to_owned()));
    // The login alone opens nothing of alice's: the nonce is gone for good.
    let thief = world.wallet("thief", &["open", "--dev-user", "alice"]);
    assert_eq!(thief.error(), (7, "account_changed".to_owned()));
    let verified = admin(&world, "verify", &[]).ok();
    assert_eq!(verified["without_nonce"], waiting);
    // Nor does her own device, which warns: the key is in no record of which all parts are left.
    let laptop = world.wallet("alice", &["open", "--dev-user", "alice"]);
    assert_eq!(laptop.error(), (8, "rolled_back".to_owned()));
    let restore = ["open", "--dev-user", "alice", "--restore"];
    assert_eq!(world.wallet("alice", &restore).exit, 7);
    // What she exported does.
    let recover = ["recover", "--kit", &kit, "--phrase-file", &phrase];
    let recovered = world.wallet("alice", &recover).ok();
    assert_eq!(recovered["address"], of_alice);
}

#[test]
fn a_kept_nonce_backup_makes_an_old_record_one_click_again() {
    let mut world = World::start();
    let (of_alice, _) = newcomer(&world, "alice");
    let (records, nonces) = (world.text("old.records"), world.text("old.nonces"));
    let both = ["--records", &records, "--nonces", &nonces];
    admin(&world, "backup", &both).ok();
    let phrase = world.text("phrase");
    let enable = [
        "mfa",
        "enable",
        "--dev-user",
        "alice",
        "--words-out",
        &phrase,
        "--proof-file",
        &phrase,
    ];
    world.wallet("alice", &enable).ok();
    world.stop();
    lose_records(&world);

    // A backup that is older than nonces are kept.
    let text = std::fs::read_to_string(&nonces).unwrap();
    let made_at: u64 = {
        let header: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        header["made_at"].as_u64().unwrap()
    };
    let horizon = ["--horizon-days", "0"];
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let run = admin(&world, "restore", &[&both[..], &horizon[..]].concat());
    assert_eq!(
        run.error(),
        (5, "old_nonces".to_owned()),
        "made at {made_at}"
    );

    let report = admin(&world, "restore", &both).ok();
    assert_eq!(
        (&report["nonces_loaded"], &report["without_nonce"]),
        (&json!(1), &json!([]))
    );
    world.serve();
    let elsewhere = world
        .wallet("elsewhere", &["open", "--dev-user", "alice"])
        .ok();
    assert_eq!(
        elsewhere["address"], of_alice,
        "one-click again, until her device restores"
    );
    let restored = world
        .wallet("alice", &["open", "--dev-user", "alice", "--restore"])
        .ok();
    assert_eq!(restored["address"], of_alice);
    let thief = world.wallet("thief", &["open", "--dev-user", "alice"]);
    assert_eq!(thief.error(), (4, "needs_factors".to_owned()));

    // The backup goes when its time is over; the records stay.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let erase = [
        "--erase-old-nonces",
        world.directory.path().to_str().unwrap(),
        "--horizon-days",
        "0",
    ];
    let erased = admin(&world, "backup", &erase).ok();
    assert_eq!(erased["erased"], json!([nonces]));
    assert!(world.path("old.records").exists() && !world.path("old.nonces").exists());
}

#[test]
fn files_that_are_no_backup_are_refused() {
    let mut world = World::start();
    newcomer(&world, "alice");
    let records = world.text("whole.records");
    admin(&world, "backup", &["--records", &records]).ok();
    world.stop();
    let whole = std::fs::read(&records).unwrap();
    let target = world.text("target");
    for bad in [&whole[..whole.len() - 20], b"", b"{}\n"] {
        std::fs::write(world.path("bad"), bad).unwrap();
        let bad = world.text("bad");
        let arguments = [
            "--json",
            "admin",
            "restore",
            "--data",
            &target,
            "--records",
            &bad,
        ];
        assert_eq!(
            trefoil(&arguments, b"").error(),
            (3, "bad_backup".to_owned())
        );
    }
    let arguments = [
        "--json",
        "admin",
        "restore",
        "--data",
        &target,
        "--records",
        &records,
    ];
    assert_eq!(
        trefoil(&arguments, b"").error(),
        (5, "without_nonce".to_owned()),
        "the nonces were not in it"
    );
}
