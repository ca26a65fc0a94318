//! `trefoil admin` as an operator runs it: the real binary, beside a real server and on what is left of one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod beside;
mod moving;
mod restoring;
mod rotating;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use rusqlite::Connection;
use support::{Run, World, finish};

/// `trefoil --json admin VERB --data …` on the metadata server's store.
fn admin(world: &World, verb: &str, more: &[&str]) -> Run {
    let mut command = support::command();
    command.args(["--json", "admin", verb, "--data"]);
    command.arg(world.path("dev/metadata"));
    let run = finish(command.args(more), b"");
    assert_eq!(run.stderr, "", "with --json everything is on stdout");
    run
}

fn message(run: &Run) -> String {
    let last = run.lines().pop().unwrap();
    last["message"].as_str().unwrap().to_owned()
}

/// The ids of all accounts.
fn accounts(world: &World) -> BTreeSet<String> {
    let connection = Connection::open(world.path("dev/metadata/records.db")).unwrap();
    let mut statement = connection
        .prepare("SELECT account_id FROM accounts")
        .unwrap();
    let ids = statement
        .query_map([], |row| row.get::<_, Vec<u8>>(0))
        .unwrap();
    ids.map(|id| Base64UrlUnpadded::encode_string(&id.unwrap()))
        .collect()
}

/// Logs a new user in on a device of the same name: the address and the account's id.
fn newcomer(world: &World, user: &str) -> (String, String) {
    let before = accounts(world);
    let login = world.wallet(user, &["login", "--dev-user", user]).ok();
    let after = accounts(world);
    let mut new = after.difference(&before);
    (
        login["address"].as_str().unwrap().to_owned(),
        new.next().unwrap().clone(),
    )
}
