//! Two devices come together, each a process of its own, with real servers between them.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

mod support;

use std::process::Command;

use serde_json::{Value, json};
use support::{Talk, World};

/// A request and the process that shows it.
fn request(world: &World, device: &str, arguments: &[&str]) -> (Talk, String) {
    let mut talk = Talk::start(world.wallet_command(device).arg("--json").args(arguments));
    let said = talk.hear();
    assert_eq!(said["step"], "request", "{said}");
    let code = said["request"].as_str().unwrap().to_owned();
    assert!(code.starts_with("trefoil-request:"));
    (talk, code)
}

/// The command that reads a request from its standard input.
fn answer(world: &World, device: &str, arguments: &[&str], code: &str) -> Talk {
    let all = [arguments, &["--request-file", "-"]].concat();
    let mut talk = Talk::start(world.wallet_command(device).arg("--json").args(all));
    talk.say(code);
    talk
}

fn digits(talk: &mut Talk) -> String {
    let said = talk.hear();
    assert_eq!(said["step"], "compare", "{said}");
    said["digits"].as_str().unwrap().to_owned()
}

const APPROVE: [&str; 6] = [
    "device",
    "approve",
    "--dev-user",
    "alice",
    "--owner",
    "Alice",
];

fn ended(talk: Talk) -> (i32, Value) {
    let (exit, mut lines) = talk.end();
    (exit, lines.pop().unwrap_or_default())
}

fn failed(talk: Talk) -> (i32, String) {
    let (exit, last) = ended(talk);
    assert_eq!(last["step"], "error", "{last}");
    (exit, last["error"].as_str().unwrap().to_owned())
}

fn interrupt(talk: &Talk) {
    let id = talk.id().to_string();
    let sent = Command::new("kill").args(["-s", "INT", &id]).status();
    assert!(sent.unwrap().success());
}

#[test]
fn another_device_joins_and_opens() {
    let world = World::start();
    let address = world.user_with_mfa("alice", "laptop", &[]);
    let (mut phone, code) = request(&world, "phone", &["device", "request", "--label", "phone"]);
    let mut laptop = answer(&world, "laptop", &APPROVE, &code);
    assert_eq!(digits(&mut laptop), digits(&mut phone));
    phone.say("yes");
    laptop.say("yes");
    let (exit, added) = ended(laptop);
    assert_eq!(exit, 0, "{added}");
    assert_eq!(
        (&added["factor"]["kind"], &added["factor"]["label"]),
        (&json!("other_device"), &json!("phone"))
    );
    let (exit, joined) = ended(phone);
    assert_eq!((exit, &joined["owner"]), (0, &json!("Alice")), "{joined}");
    assert_eq!(joined["revision"], added["revision"]);

    let opened = world.wallet("phone", &["open", "--dev-user", "alice"]).ok();
    assert_eq!(opened["address"], address);
    let status = world.wallet("phone", &["status"]).ok();
    assert_eq!(status["accounts"][0]["device"], "factor");

    // The same request again is over.
    let again = answer(&world, "laptop", &APPROVE, &code);
    assert_eq!(failed(again), (5, "request_over".to_owned()));
}

#[test]
fn a_trusted_contact_helps() {
    let world = World::start();
    let address = world.user_with_mfa("alice", "laptop", &[]);
    let (mut bob, code) = request(&world, "bobs", &["contact", "offer", "--label", "Bob"]);
    let enrol = [
        "contact",
        "enrol",
        "--dev-user",
        "alice",
        "--owner",
        "Alice",
        "--label",
        "Bob, my brother",
    ];
    let mut laptop = answer(&world, "laptop", &enrol, &code);
    assert_eq!(digits(&mut laptop), digits(&mut bob));
    bob.say("yes");
    laptop.say("yes");
    let (exit, added) = ended(laptop);
    assert_eq!(exit, 0, "{added}");
    assert_eq!(
        (&added["factor"]["kind"], &added["factor"]["label"]),
        (&json!("trusted_contact"), &json!("Bob, my brother"))
    );
    assert_eq!(ended(bob).0, 0);
    let status = world.wallet("bobs", &["status"]).ok();
    assert_eq!(
        (&status["accounts"], &status["contact_of"][0]["owner"]),
        (&json!([]), &json!("Alice"))
    );

    // Everything but the social login is lost.
    let ask = [
        "contact",
        "ask",
        "--dev-user",
        "alice",
        "--label",
        "Alice",
        "--add-device",
        "new phone",
    ];
    let (mut alice, code) = request(&world, "new", &ask);
    let mut bob = answer(&world, "bobs", &["contact", "lend"], &code);
    assert_eq!(digits(&mut alice), digits(&mut bob));
    alice.say("yes");
    bob.say("yes");
    let (exit, lent) = ended(bob);
    assert_eq!((exit, &lent["owner"]), (0, &json!("Alice")), "{lent}");
    let (exit, opened) = ended(alice);
    assert_eq!((exit, &opened["address"]), (0, &json!(address)), "{opened}");
    let opened = world.wallet("new", &["open", "--dev-user", "alice"]).ok();
    assert_eq!(opened["address"], address);
    // Where nothing is missing nobody is asked.
    let again = world.wallet("new", &["contact", "ask", "--dev-user", "alice"]);
    assert_eq!(again.ok()["step"], "contact_ask");
}

#[test]
fn digits_that_differ_are_denied() {
    let world = World::start();
    world.user_with_mfa("alice", "laptop", &[]);
    let revision = world.wallet("laptop", &["status"]).ok()["accounts"][0]["revision"].clone();
    // Whoever stands between shows the laptop a request of its own.
    let (mut phone, code) = request(&world, "phone", &["device", "request"]);
    let (mut relay, swapped) = request(&world, "relay", &["device", "request"]);
    let mut laptop = answer(&world, "laptop", &APPROVE, &swapped);
    let shown = digits(&mut laptop);
    assert_eq!(shown, digits(&mut relay));
    world.forbid(&code);
    // The phone shows nothing yet, or with an account of the relay's something else: the user says no.
    laptop.say("no");
    assert_eq!(failed(laptop), (5, "denied".to_owned()));
    relay.say("yes");
    assert_eq!(failed(relay), (5, "denied".to_owned()));
    interrupt(&phone);
    assert_eq!(phone.hear()["error"], "cancelled");
    assert_eq!(ended(phone).0, 5);

    // Denied on the new side; no answer at all counts as giving up.
    for (says, told) in [(Some("no"), "denied"), (None, "cancelled")] {
        let (mut phone, code) = request(&world, "phone", &["device", "request"]);
        let mut laptop = answer(&world, "laptop", &APPROVE, &code);
        digits(&mut phone);
        digits(&mut laptop);
        laptop.say("yes");
        if let Some(says) = says {
            phone.say(says);
        }
        assert_eq!(failed(phone), (5, told.to_owned()));
        assert_eq!(failed(laptop), (5, told.to_owned()));
    }
    let opened = world
        .wallet("laptop", &["open", "--dev-user", "alice"])
        .ok();
    assert_eq!(
        (&opened["revision"], &opened["factors"]),
        (&revision, &json!(3))
    );
}

#[test]
fn an_interrupt_tells_the_other_side() {
    let world = World::start();
    world.user_with_mfa("alice", "laptop", &[]);
    let (mut phone, code) = request(&world, "phone", &["device", "request"]);
    let mut laptop = answer(&world, "laptop", &APPROVE, &code);
    digits(&mut phone);
    digits(&mut laptop);
    phone.say("yes");
    interrupt(&laptop);
    assert_eq!(failed(laptop), (5, "cancelled".to_owned()));
    assert_eq!(failed(phone), (5, "cancelled".to_owned()));
}

#[test]
fn requests_that_are_none() {
    let world = World::start();
    world.user_with_mfa("alice", "laptop", &[]);
    let (phone, code) = request(&world, "phone", &["device", "request"]);
    let approve = |text: &str| {
        world.wallet_with(
            "laptop",
            &[&APPROVE[..], &["--request-file", "-"]].concat(),
            text.as_bytes(),
        )
    };
    for bad in [
        "hello",
        &code[..40],
        "trefoil-request:",
        &code.to_uppercase(),
    ] {
        assert_eq!(approve(bad).error(), (3, "bad_request".to_owned()), "{bad}");
    }
    assert_eq!(approve("").error(), (3, "bad_input".to_owned()));
    // One of another kind, and help from who is no contact.
    let enrol = ["contact", "enrol", "--dev-user", "alice"];
    let wrong = answer(&world, "laptop", &enrol, &code);
    assert_eq!(failed(wrong), (3, "wrong_request".to_owned()));
    let wrong = answer(&world, "laptop", &["contact", "lend"], &code);
    assert_eq!(failed(wrong), (3, "wrong_request".to_owned()));
    let (asking, code) = request(&world, "new", &["contact", "ask", "--dev-user", "alice"]);
    let wrong = answer(&world, "laptop", &["contact", "lend"], &code);
    assert_eq!(failed(wrong), (5, "not_a_contact".to_owned()));
    // One-click has no place for another device.
    world.wallet("bobs", &["login", "--dev-user", "bob"]).ok();
    let (other, code) = request(&world, "tablet", &["device", "request"]);
    let refused = answer(
        &world,
        "bobs",
        &["device", "approve", "--dev-user", "bob"],
        &code,
    );
    assert_eq!(failed(refused), (5, "not_allowed".to_owned()));
    // A request is never an argument.
    let run = world.wallet("laptop", &["device", "approve", &code]);
    assert_eq!(run.error(), (2, "usage".to_owned()));
    assert!(!run.stdout.contains(&code));
    drop((phone, asking, other));
}

#[test]
fn people_see_a_qr_code() {
    let world = World::start();
    let mut phone = Talk::start(
        world
            .wallet_command("phone")
            .args(["device", "request"])
            .stderr(std::process::Stdio::null()),
    );
    let mut lines = Vec::new();
    loop {
        let line = phone.line();
        assert!(!line.is_empty(), "{lines:?}");
        if line.starts_with("trefoil-request:") {
            break;
        }
        lines.push(line);
    }
    let drawn = lines.iter().filter(|line| line.contains('\u{2588}'));
    assert!(drawn.count() > 20);
}
