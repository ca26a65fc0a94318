//! Beside a running server.

use serde_json::json;

use crate::support::{World, trefoil};
use crate::{accounts, admin, message, newcomer};

#[test]
fn counting_checking_and_backing_up_go_on_beside_a_server() {
    let world = World::start();
    newcomer(&world, "alice");
    world.user_with_mfa("bob", "bob", &[]);
    let stats = admin(&world, "stats", &[]).ok();
    assert_eq!(stats["step"], "stats");
    assert_eq!(
        (&stats["accounts"], &stats["accounts_with_nonce"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(
        (&stats["factors"], &stats["nonces"]),
        (&json!(4), &json!(1))
    );
    assert!(stats["record_bytes"].as_u64().unwrap() > 4096);
    let verified = admin(&world, "verify", &[]).ok();
    assert_eq!(verified["accounts"], 2);
    assert_eq!(
        (&verified["problems"], &verified["without_nonce"]),
        (&json!([]), &json!([]))
    );

    let (records, nonces) = (world.text("a.records"), world.text("a.nonces"));
    let both = ["--records", &records, "--nonces", &nonces];
    let done = admin(&world, "backup", &both).ok();
    assert_eq!(done["records"]["entries"], 2);
    assert_eq!(done["nonces"]["entries"], 1);
    assert_eq!(
        admin(&world, "backup", &both).error(),
        (2, "file_exists".to_owned())
    );
    let of_files = trefoil(&[&["--json", "admin", "verify"], &both[..]].concat(), b"").ok();
    assert_eq!(
        (&of_files["accounts"], &of_files["without_nonce"]),
        (&json!(2), &json!([]))
    );
    let alone = ["--json", "admin", "verify", "--records", &records];
    let without = trefoil(&alone, b"").ok();
    assert_eq!(without["without_nonce"].as_array().unwrap().len(), 1);

    // What changes the store needs it for itself.
    for (verb, more) in [
        ("prune", &[][..]),
        ("rotate", &[][..]),
        ("restore", &["--records", &records][..]),
    ] {
        let run = admin(&world, verb, more);
        assert_eq!(run.error(), (5, "store_in_use".to_owned()), "{verb}");
        assert!(message(&run).contains("stop the server first"));
    }
    // And the server has noticed nothing.
    world.wallet("alice", &["open", "--dev-user", "alice"]).ok();
}

#[test]
fn pruning_and_the_settings_file() {
    let mut world = World::start();
    newcomer(&world, "alice");
    world.stop();
    let settings = world.path("settings.toml");
    std::fs::write(
        &settings,
        format!(
            "listen = \"127.0.0.1:0\"\ntenants = [\"dev\"]\ndata = \"{}\"\n",
            world.text("dev/metadata")
        ),
    )
    .unwrap();
    let with = |verb| {
        let settings = settings.to_str().unwrap();
        trefoil(&["--json", "admin", verb, "--config", settings], b"")
    };
    // Nothing is over yet.
    let nothing =
        json!({ "step": "pruned", "sessions": 0, "request_ids": 0, "mailboxes": 0, "nonces": 0 });
    assert_eq!(with("prune").ok(), nothing);
    let connection = rusqlite::Connection::open(world.path("dev/metadata/records.db")).unwrap();
    connection
        .execute("UPDATE sessions SET expires = expires - 5000", [])
        .unwrap();
    drop(connection);
    assert_eq!(with("prune").ok()["sessions"], 1);
    assert_eq!(with("stats").ok()["sessions"], 0);
    let text = trefoil(
        &["admin", "stats", "--config", settings.to_str().unwrap()],
        b"",
    );
    assert!(text.stdout.contains("accounts             1\n"), "{text:?}");
}

#[test]
fn what_is_no_store_is_not_made_one() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("mistyped");
    for verb in ["stats", "verify", "prune", "rotate"] {
        let run = trefoil(
            &["--json", "admin", verb, "--data", data.to_str().unwrap()],
            b"",
        );
        assert_eq!(run.error(), (2, "no_store".to_owned()), "{verb}");
        let run = trefoil(&["--json", "admin", verb], b"");
        assert_eq!(run.error(), (2, "usage".to_owned()), "{verb}");
    }
    assert!(!data.exists());
    let backup = [
        "--json",
        "admin",
        "backup",
        "--data",
        data.to_str().unwrap(),
    ];
    assert_eq!(trefoil(&backup, b"").error(), (2, "usage".to_owned()));
}

#[test]
fn damage_is_an_alarm() {
    let mut world = World::start();
    newcomer(&world, "alice");
    world.stop();
    let connection = rusqlite::Connection::open(world.path("dev/metadata/records.db")).unwrap();
    connection
        .execute("UPDATE factors SET envelope = x'00'", [])
        .unwrap();
    drop(connection);
    let id = accounts(&world).pop_first().unwrap();
    let run = admin(&world, "verify", &[]);
    assert_eq!(run.error(), (8, "problems".to_owned()));
    let problems = &run.lines()[0]["problems"];
    assert_eq!(problems[0]["account_id"], id);
    assert!(
        problems[0]["what"]
            .as_str()
            .unwrap()
            .contains("envelope of factor 1")
    );

    let records = world.text("damaged.records");
    admin(&world, "backup", &["--records", &records]).ok();
    let target = world.text("target");
    let restore = [
        "--json",
        "admin",
        "restore",
        "--data",
        &target,
        "--records",
        &records,
    ];
    let run = trefoil(&restore, b"");
    assert_eq!(run.error(), (8, "problems".to_owned()));
    assert!(message(&run).contains(&id));
}
