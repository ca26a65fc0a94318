//! The device file as accidents leave it, and servers that show the past.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

use std::path::Path;

use serde_json::json;
use support::World;

#[test]
fn a_torn_device_file_is_told_and_restored_on_request() {
    let world = World::start();
    let address = world.user_with_mfa("alice", "laptop", &[]);
    // One change more, so that the previous copy knows the device's factor.
    world
        .wallet("laptop", &["mfa", "decline", "--dev-user", "alice"])
        .ok();
    let file = world.path("laptop/device.json");
    let whole = std::fs::read(&file).unwrap();
    let torn = &whole[..whole.len() / 2];
    std::fs::write(&file, torn).unwrap();
    for command in [
        &["status"][..],
        &["open", "--dev-user", "alice"],
        &["login", "--dev-user", "alice"],
    ] {
        let run = world.wallet("laptop", command);
        assert_eq!(run.error(), (9, "device_file".to_owned()), "{command:?}");
        assert!(
            run.stdout.contains("--restore-device"),
            "it says how to go on: {run:?}"
        );
    }
    assert_eq!(std::fs::read(&file).unwrap(), torn, "nothing was written");

    let status = world.wallet("laptop", &["status", "--restore-device"]).ok();
    assert_eq!(status["accounts"][0]["device"], "factor");
    assert_eq!(
        std::fs::read(world.path("laptop/device.json.damaged")).unwrap(),
        torn
    );
    assert_eq!(
        world
            .wallet("laptop", &["open", "--dev-user", "alice"])
            .ok()["address"],
        address
    );
    assert_eq!(
        world
            .wallet("laptop", &["status", "--restore-device"])
            .error(),
        (9, "device_file".to_owned())
    );
}

#[cfg(unix)]
#[test]
fn a_device_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::start();
    world
        .wallet("laptop", &["login", "--dev-user", "alice"])
        .ok();
    let file = world.path("laptop/device.json");
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let run = world.wallet("laptop", &["login", "--dev-user", "alice"]);
    assert_eq!(run.error(), (9, "device_file".to_owned()));
    assert!(run.stdout.contains("chmod"), "{run:?}");
}

#[test]
fn a_server_that_was_set_back_is_an_alarm_until_the_user_restores() {
    let mut world = World::start();
    let address = world
        .wallet("laptop", &["login", "--dev-user", "alice"])
        .ok()["address"]
        .clone();
    world.stop();
    copy(&world.path("dev/metadata"), &world.path("backup"));
    world.serve();
    let words = world.text("phrase");
    let enable = [
        "mfa",
        "enable",
        "--words-out",
        &words,
        "--proof-file",
        &words,
        "--dev-user",
        "alice",
    ];
    world.wallet("laptop", &enable).ok();
    world.stop();
    std::fs::remove_dir_all(world.path("dev/metadata")).unwrap();
    copy(&world.path("backup"), &world.path("dev/metadata"));
    world.serve();

    let run = world.wallet("laptop", &["login", "--dev-user", "alice"]);
    assert_eq!(run.error(), (8, "rolled_back".to_owned()));
    assert!(run.stdout.contains("open --restore"), "{run:?}");
    assert_eq!(
        world
            .wallet("laptop", &["open", "--dev-user", "alice"])
            .error(),
        (8, "rolled_back".to_owned())
    );
    let restored = world
        .wallet("laptop", &["open", "--restore", "--dev-user", "alice"])
        .ok();
    assert_eq!(
        (
            &restored["restored"],
            &restored["mfa"],
            &restored["address"]
        ),
        (&json!(true), &json!(true), &address)
    );
    // The phrase, enrolled after the backup, works again.
    let run = world.wallet(
        "phone",
        &["open", "--dev-user", "alice", "--phrase-file", &words],
    );
    assert_eq!(run.ok()["address"], address);
}

#[test]
fn a_server_that_lost_the_account_does_not_get_a_new_one() {
    let mut world = World::start();
    world
        .wallet("laptop", &["login", "--dev-user", "alice"])
        .ok();
    world.stop();
    std::fs::remove_dir_all(world.path("dev/metadata")).unwrap();
    world.serve();
    assert_eq!(
        world
            .wallet("laptop", &["login", "--dev-user", "alice"])
            .error(),
        (8, "account_gone".to_owned())
    );
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
