//! Several server processes on one PostgreSQL.

use std::process::Command;

use trefoil::Environment;
use trefoil_protocol::bytes::SlotId;
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_store::{AtRest, Place, SealingKeys};
use trefoil_testkit::postgres::{Durability, PostgresCluster};
use zeroize::Zeroizing;

use crate::support::{Server, command, finish, trefoil};
use crate::world::{AUDIENCE, World, get, login, send};

/// Settings that every process of the deployment has.
fn deployment(world: &World, cluster: &PostgresCluster, limits: &str) -> String {
    for (make, name) in [
        ("--new-permit-key", "permit.key"),
        ("--new-sealing-keys", "sealing.keys"),
    ] {
        let file = world.text(name);
        trefoil(&["--json", "serve", "metadata", make, &file], b"").ok();
    }
    let text = format!(
        "listen = \"127.0.0.1:0\"\npublic_url = \"{AUDIENCE}\"\ntenants = [\"acme\"]\n\
         permit_key_file = \"{}\"\nsealing_keys_file = \"{}\"\n\
         [database]\nrecords = \"{}\"\nnonces = \"{}\"\n[limits]\n{limits}",
        world.text("permit.key"),
        world.text("sealing.keys"),
        cluster.create_database("records").unwrap(),
        cluster.create_database("nonces").unwrap(),
    );
    std::fs::write(world.path("deployment.toml"), text).unwrap();
    world.text("deployment.toml")
}

fn serve(config: &str, more: &[&str]) -> Command {
    let mut command = command();
    command.args(["--json", "serve", "metadata", "--config", config]);
    command.args(more);
    command
}

#[test]
fn processes_share_limits_and_outlive_each_other() {
    let (world, mut cluster) = (World::new(), cluster());
    let limits = "address_per_minute = 0\nlocator_per_minute = 1\nlocator_burst = 3\n";
    let config = deployment(&world, &cluster, limits);
    let unprepared = finish(&mut serve(&config, &[]), b"");
    assert_eq!(unprepared.error().1, "schema");
    assert!(
        unprepared.stdout.contains("--migrate"),
        "{}",
        unprepared.stdout
    );
    let migrated = finish(&mut serve(&config, &["--migrate"]), b"").ok();
    assert_eq!(
        (&migrated["step"], &migrated["records_from"]),
        (&"migrated".into(), &0.into())
    );

    let [one, other] = [(), ()].map(|()| Server::start(&mut serve(&config, &[])));
    assert_eq!(one.serving["permit_key"], other.serving["permit_key"]);
    for server in [&one, &other, &one] {
        assert_eq!(login(server, 1, &[]).problem().code, Code::NoAccount);
    }
    for server in [&one, &other] {
        assert_eq!(login(server, 1, &[]).problem().code, Code::TooManyRequests);
    }
    one.kill();
    assert_eq!(login(&other, 2, &[]).problem().code, Code::NoAccount);

    // Without the database nobody is served, and the probe says so; with it everything goes on.
    cluster.kill().unwrap();
    assert_eq!(get(&other, "/healthz").status, 200);
    let refused = login(&other, 2, &[]);
    assert_eq!(
        (refused.status, refused.problem().code),
        (503, Code::Unavailable)
    );
    assert!(refused.header("retry-after").is_some());
    let begun = std::time::Instant::now();
    while get(&other, "/readyz").status != 503 {
        assert!(begun.elapsed().as_secs() < 30, "it stays ready");
    }
    cluster.restart().unwrap();
    while get(&other, "/readyz").status != 200 {
        assert!(begun.elapsed().as_secs() < 60, "it never gets ready again");
    }
    assert_eq!(login(&other, 2, &[]).problem().code, Code::NoAccount);
    other.stop();
}

#[test]
fn a_reading_without_the_database_is_told_to_come_back() {
    let (world, mut cluster) = (World::new(), cluster());
    let limits = "address_per_minute = 0\ncreations_per_minute = 0\nlocator_per_minute = 0\nslot_per_minute = 0\n";
    let config = deployment(&world, &cluster, limits);
    finish(&mut serve(&config, &["--migrate"]), b"").ok();
    let server = Server::start(&mut serve(&config, &[]));
    // Nobody's: the session is looked for where the accounts are.
    let (account, token) = ("A".repeat(22), "A".repeat(43));
    let path = format!("/v1/acme/accounts/{account}/record");
    let authorization = format!("Bearer {token}");
    let read = || {
        send(
            &server,
            "GET",
            &path,
            &[("authorization", &authorization)],
            "",
        )
    };
    assert_eq!(read().problem().code, Code::UnknownSession);
    cluster.kill().unwrap();
    let refused = read();
    assert_eq!(
        (refused.status, refused.problem().code),
        (503, Code::Unavailable)
    );
    assert_eq!(refused.header("retry-after"), Some("1"));
    cluster.restart().unwrap();
    let begun = std::time::Instant::now();
    while read().problem().code != Code::UnknownSession {
        assert!(begun.elapsed().as_secs() < 60, "it never comes back");
    }
    server.stop();
}

#[test]
fn an_operator_works_on_the_database_that_the_settings_name() {
    let (world, cluster) = (World::new(), cluster());
    let config = deployment(&world, &cluster, "");
    finish(&mut serve(&config, &["--migrate"]), b"").ok();
    let server = Server::start(&mut serve(&config, &[]));
    let admin = |verb: &str, more: &[&str]| {
        let mut command = command();
        command.args(["--json", "admin", verb, "--config", &config]);
        finish(command.args(more), b"")
    };
    assert_eq!(admin("stats", &[]).ok()["accounts"], 0);
    assert_eq!(admin("verify", &[]).ok()["accounts"], 0);
    assert_eq!(admin("prune", &[]).ok()["step"], "pruned");
    let (records, nonces) = (world.text("records.backup"), world.text("nonces.backup"));
    admin("backup", &["--records", &records, "--nonces", &nonces]).ok();
    admin("restore", &["--records", &records, "--nonces", &nonces]).ok();
    server.stop();
}

/// The keys in the file, the current one first.
fn keys(world: &World) -> Vec<String> {
    let text = std::fs::read_to_string(world.path("sealing.keys")).unwrap();
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    let id = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let current = id(&file["current"]);
    let all = file["keys"].as_array().unwrap().iter();
    let others = all.map(|key| id(&key["id"])).filter(|id| *id != current);
    [current.clone()].into_iter().chain(others).collect()
}

#[test]
fn servers_learn_of_a_sealing_key_before_it_is_used_and_use_it_before_the_old_one_goes() {
    let (world, cluster) = (World::new(), cluster());
    let config = deployment(&world, &cluster, "");
    finish(&mut serve(&config, &["--migrate"]), b"").ok();
    let rotate = |more: &[&str]| {
        let mut command = command();
        command.args(["--json", "admin", "rotate", "--config", &config]);
        finish(command.args(more), b"")
    };
    let server = Server::start(&mut serve(&config, &[]));
    let first = keys(&world);
    assert_eq!(rotate(&[]).error().1, "not_prepared");
    assert_eq!(rotate(&["--use"]).error().1, "not_prepared");
    let prepared = rotate(&["--prepare"]).ok();
    assert_eq!(prepared["current"], first[0]);
    let second = prepared["key"].as_str().unwrap().to_owned();
    // The running server seals under the first: nothing may be said to be under the second.
    for more in [&[][..], &["--no-new-key"], &["--forget-old"]] {
        assert_eq!(rotate(more).error().1, "not_in_use", "{more:?}");
    }
    assert_eq!(keys(&world), [first[0].clone(), second.clone()]);
    server.stop();
    let server = Server::start(&mut serve(&config, &[]));
    assert_eq!(rotate(&["--use"]).ok()["current"], second);
    assert_eq!(keys(&world), [second.clone(), first[0].clone()]);

    // A server that was not restarted yet has sealed under the first.
    write_slot(&world, &cluster, 1, &first[0]);
    let early = rotate(&["--forget-old"]);
    assert_eq!(early.error().1, "old_keys_in_use");
    assert_eq!(keys(&world).len(), 2, "a row may be under it any time");
    write_slot(&world, &cluster, 2, &first[0]);
    server.stop();
    let server = Server::start(&mut serve(&config, &[]));
    let rotated = rotate(&[]).ok();
    assert_eq!(
        (&rotated["rows"], &rotated["resealed"]),
        (&2.into(), &1.into())
    );
    let forgot = rotate(&["--forget-old"]).ok();
    assert_eq!(
        (&forgot["resealed"], &forgot["old_keys"]),
        (&0.into(), &serde_json::json!(first))
    );
    assert_eq!(keys(&world), [second]);
    server.stop();
    Server::start(&mut serve(&config, &[])).stop();
}

/// Writes a slot as a server does whose current key this is.
fn write_slot(world: &World, cluster: &PostgresCluster, number: u8, current: &str) {
    let text = std::fs::read_to_string(world.path("sealing.keys")).unwrap();
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    let keys = file["keys"].as_array().unwrap().iter().map(|key| {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(key["key"].as_str().unwrap(), bytes.as_mut_slice()).unwrap();
        (key["id"].as_str().unwrap().to_owned(), bytes)
    });
    let slot = SlotId::from_bytes([number; 16]);
    let keys = SealingKeys::new(current, keys).unwrap();
    let at_rest = AtRest::sealing(keys, Environment::system().rng());
    let row = at_rest.seal(Place::Slot(slot), b"a slot").unwrap();
    let (slot, row) = (hex::encode(slot.as_bytes()), hex::encode(row));
    let account = "00".repeat(16);
    let insert = format!(
        "INSERT INTO slots (slot_id, tenant, account_id, version, held, record) \
         VALUES ('\\x{slot}', 'acme', '\\x{account}', 1, true, '\\x{row}')"
    );
    cluster.execute("records", &insert).unwrap();
}

fn cluster() -> PostgresCluster {
    PostgresCluster::start(Durability::Fast).unwrap()
}
