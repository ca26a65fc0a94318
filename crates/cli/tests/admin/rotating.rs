//! Sealing keys, with a PIN whose server part they seal.

use serde_json::{Value, json};

use crate::admin;
use crate::support::{Run, World};

const PIN: &str = "k7m2qx9w";

fn open(world: &World) -> Run {
    let pin = world.text("pin");
    world.wallet("thin", &["open", "--dev-user", "alice", "--pin-file", &pin])
}

fn key_file(world: &World) -> Value {
    let text = std::fs::read_to_string(world.path("dev/metadata/sealing.keys")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Ids of the keys under which rows are.
fn under(world: &World) -> Vec<String> {
    let connection = rusqlite::Connection::open(world.path("dev/metadata/records.db")).unwrap();
    let mut statement = connection.prepare("SELECT record FROM slots").unwrap();
    let rows = statement
        .query_map([], |row| row.get::<_, Vec<u8>>(0))
        .unwrap();
    rows.map(|row| {
        let row = row.unwrap();
        let id = trefoil_store::sealing_key_of(&row).unwrap();
        id.expect("every slot is sealed").to_owned()
    })
    .collect()
}

#[test]
fn keys_are_replaced_while_the_pin_goes_on_working() {
    let mut world = World::start();
    let address = world.user_with_mfa("alice", "laptop", &[]);
    std::fs::write(world.path("pin"), PIN).unwrap();
    let pin = world.text("pin");
    let add = [
        "factor",
        "add",
        "pin",
        "--new-secret-file",
        &pin,
        "--dev-user",
        "alice",
    ];
    world.wallet("laptop", &add).ok();
    let first = key_file(&world)["current"].as_str().unwrap().to_owned();
    assert_eq!(under(&world), [first.as_str()]);
    for key in key_file(&world)["keys"].as_array().unwrap() {
        world.forbid(key["key"].as_str().unwrap());
    }
    world.stop();

    let rotated = admin(&world, "rotate", &[]).ok();
    let second = rotated["current"].as_str().unwrap().to_owned();
    assert_ne!(second, first);
    assert_eq!(
        (&rotated["rows"], &rotated["resealed"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(rotated["old_keys"], json!([first]));
    assert_eq!(under(&world), [second.as_str()]);
    assert_eq!(key_file(&world)["keys"].as_array().unwrap().len(), 2);
    let forgot = admin(&world, "rotate", &["--no-new-key", "--forget-old"]).ok();
    assert_eq!(
        (&forgot["resealed"], &forgot["current"]),
        (&json!(0), &json!(second))
    );
    assert_eq!(key_file(&world)["keys"].as_array().unwrap().len(), 1);
    world.serve();
    assert_eq!(open(&world).ok()["address"], address);
    world.stop();

    // A key for servers to know before the first row is under it.
    let prepared = admin(&world, "rotate", &["--prepare"]).ok();
    let third = prepared["key"].as_str().unwrap().to_owned();
    assert_eq!(prepared["current"], second);
    assert_eq!(
        admin(&world, "rotate", &["--prepare"]).error().1,
        "already_prepared"
    );
    // What is not in use yet is no old key.
    let forgot = admin(&world, "rotate", &["--no-new-key", "--forget-old"]);
    assert_eq!(forgot.error().1, "not_in_use");
    assert_eq!(admin(&world, "rotate", &[]).ok()["current"], third);
    assert_eq!(under(&world), [third.as_str()]);

    // The keys are lost: no guess is answered, and what says so names the key.
    let keys = world.path("dev/metadata/sealing.keys");
    std::fs::rename(&keys, world.path("kept")).unwrap();
    let verified = admin(&world, "verify", &[]).ok();
    assert_eq!(
        (&verified["slots"], &verified["slots_unread"]),
        (&json!(1), &json!(1))
    );
    world.serve();
    assert_ne!(open(&world).exit, 0);
    world.stop();
    let lost = admin(&world, "rotate", &[]);
    assert_eq!(lost.error(), (5, "sealing_key".to_owned()));
    assert!(crate::message(&lost).contains(&third));
    // Put back, everything works again.
    std::fs::rename(world.path("kept"), &keys).unwrap();
    world.serve();
    assert_eq!(open(&world).ok()["address"], address);
}
