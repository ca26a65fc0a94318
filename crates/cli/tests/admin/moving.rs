//! From SQLite to PostgreSQL, by backup and restore.

use std::process::Command;

use serde_json::Value;
use trefoil_testkit::postgres::{Durability, PostgresCluster};

use crate::support::{Server, World, command, finish};
use crate::{admin, newcomer};

/// Settings of a server on PostgreSQL with the keys that the one on SQLite had.
fn settings(world: &World, cluster: &PostgresCluster) -> String {
    let text = format!(
        "listen = \"127.0.0.1:0\"\ntenants = [\"dev\"]\npermit_key_file = \"{}\"\nsealing_keys_file = \"{}\"\n\
         [database]\nrecords = \"{}\"\nnonces = \"{}\"\n",
        world.text("dev/permit.key"),
        world.text("dev/metadata/sealing.keys"),
        cluster.create_database("records").unwrap(),
        cluster.create_database("nonces").unwrap(),
    );
    std::fs::write(world.path("postgres.toml"), text).unwrap();
    world.text("postgres.toml")
}

fn run(words: &[&str], config: &str) -> Command {
    let mut command = command();
    command.arg("--json").args(words).args(["--config", config]);
    command
}

/// What the apps' network file says, with this metadata server in the place of the other.
fn network_with(world: &World, url: &Value) -> String {
    let file = std::fs::read(world.path("dev/network.json")).unwrap();
    let mut network: Value = serde_json::from_slice(&file).unwrap();
    assert!(network["metadata_url"].is_string(), "{network}");
    network["metadata_url"] = url.clone();
    std::fs::write(world.path("moved.json"), network.to_string()).unwrap();
    world.text("moved.json")
}

#[test]
fn wallets_open_after_the_move_from_sqlite_to_postgres() {
    let mut world = World::start();
    let of_alice = world.user_with_mfa("alice", "alice", &[]);
    let (of_bob, _) = newcomer(&world, "bob");
    world.stop();
    let (records, nonces) = (world.text("r.backup"), world.text("n.backup"));
    let both = ["--records", &records, "--nonces", &nonces];
    admin(&world, "backup", &both).ok();
    // For its nodes and its logins; nobody asks its metadata server any more.
    world.serve();

    let cluster = PostgresCluster::start(Durability::Fast).unwrap();
    let config = settings(&world, &cluster);
    finish(run(&["serve", "metadata"], &config).arg("--migrate"), b"").ok();
    let restored = finish(run(&["admin", "restore"], &config).args(both), b"").ok();
    assert_eq!(
        (&restored["accounts"], &restored["nonces_named"]),
        (&2.into(), &1.into())
    );
    assert_eq!(restored["without_nonce"], Value::Array(Vec::new()));
    let server = Server::start(&mut run(&["serve", "metadata"], &config));
    let network = network_with(&world, &server.serving["public_url"]);

    let open = |device: &str, user: &str| {
        let mut command = command();
        command.args(["--json", "wallet", "--network", &network, "--device-dir"]);
        command.arg(world.path(device));
        finish(command.args(["open", "--dev-user", user]), b"")
    };
    assert_eq!(open("alice", "alice").ok()["address"], of_alice.as_str());
    // By the login alone: the nonce has come along.
    assert_eq!(open("new phone", "bob").ok()["address"], of_bob.as_str());
    let held = cluster.execute("nonces", "SELECT count(*) FROM nonces");
    assert_eq!(held.unwrap().trim(), "1");
    assert_eq!(
        finish(&mut run(&["admin", "verify"], &config), b"").ok()["accounts"],
        2
    );
    server.stop();
}
