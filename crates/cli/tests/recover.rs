//! `trefoil wallet recover`: the wallet from its kit, with every server killed.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod support;

use std::net::TcpListener;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use support::{Run, World, finish};

const BEGIN: &str = "-----BEGIN TREFOIL RECOVERY KIT-----";
const END: &str = "-----END TREFOIL RECOVERY KIT-----";

/// Device, options, standard input, and the kinds of the factors that open.
type Way<'a> = (&'a str, Vec<&'a str>, &'a [u8], [&'a str; 2]);

/// `trefoil wallet recover`, without a network file.
fn recover(world: &World, device: &str, kit: &str, more: &[&str]) -> Run {
    recover_with(world, device, kit, more, b"")
}

fn recover_with(world: &World, device: &str, kit: &str, more: &[&str], input: &[u8]) -> Run {
    let mut command = support::command();
    command.args(["wallet", "--json", "--device-dir"]);
    command.arg(world.path(device));
    command.args(["recover", "--kit", &world.text(kit)]);
    let run = finish(command.args(more), input);
    assert_eq!(run.stderr, "", "with --json everything is on stdout");
    run
}

fn message(run: &Run) -> String {
    let last = run.lines().pop().unwrap();
    last["message"].as_str().unwrap().to_owned()
}

fn refused(run: &Run, exit: i32, code: &str) -> String {
    assert_eq!(run.error(), (exit, code.to_owned()));
    message(run)
}

/// Kinds of the factors that opened the wallet.
fn kinds(run: &Value) -> Vec<&str> {
    let factors = run["factors"].as_array().unwrap();
    let kinds = factors.iter().map(|factor| factor["kind"].as_str());
    kinds.map(Option::unwrap).collect()
}

fn json_of(kit: &str) -> Value {
    let body = kit.trim().strip_prefix(BEGIN).unwrap();
    let body = body.strip_suffix(END).unwrap();
    let body: String = body.split_whitespace().collect();
    let (json, _) = body.split_once('=').unwrap();
    serde_json::from_slice(&Base64UrlUnpadded::decode_vec(json).unwrap()).unwrap()
}

/// A kit with any contents and a checksum that fits, as an attacker makes one.
fn kit_of(json: &Value) -> String {
    let json = serde_json::to_vec(json).unwrap();
    let sum = Sha256::digest(&json);
    let (body, sum) = (
        Base64UrlUnpadded::encode_string(&json),
        Base64UrlUnpadded::encode_string(&sum[..6]),
    );
    format!("{BEGIN}\n{body}\n={sum}\n{END}\n")
}

/// Ports that the servers had, now watched: whoever connects is noticed.
struct Watch(Vec<TcpListener>);

impl Watch {
    fn over(world: &World) -> Self {
        let network = std::fs::read_to_string(world.path("dev/network.json")).unwrap();
        let ports = network.split("127.0.0.1:").skip(1).map(|rest| {
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap();
            digits.parse::<u16>().unwrap()
        });
        let mut ports: Vec<u16> = ports.collect();
        ports.sort_unstable();
        ports.dedup();
        assert!(!ports.is_empty(), "{network}");
        // Another test's server may have got one of them meanwhile.
        let listen = |port| TcpListener::bind(("127.0.0.1", port)).ok();
        let watched: Vec<TcpListener> = ports.into_iter().filter_map(listen).collect();
        assert!(!watched.is_empty());
        for listener in &watched {
            listener.set_nonblocking(true).unwrap();
        }
        Self(watched)
    }

    fn assert_quiet(&self) {
        for listener in &self.0 {
            let came = listener.accept().map_err(|error| error.kind());
            assert_eq!(came.err(), Some(std::io::ErrorKind::WouldBlock));
        }
    }
}

fn export(world: &World, user: &str, device: &str, kit: &str) {
    let out = world.text(kit);
    let run = world.wallet(device, &["export", "--kit-out", &out, "--dev-user", user]);
    run.ok();
}

#[test]
fn any_two_factors_that_need_no_server() {
    let mut world = World::start();
    let address = world.user_with_mfa("alice", "laptop", &[]);
    let (phrase, bank) = (world.text("phrase"), world.text("bank"));
    let second = ["--words-out", &bank, "--proof-file", &bank, "--words", "12"];
    let add = [
        "factor",
        "add",
        "phrase",
        "--label",
        "at the bank",
        "--dev-user",
        "alice",
    ];
    world.wallet("laptop", &[&add[..], &second].concat()).ok();
    let (one, two) = (world.secret("phrase"), world.secret("bank"));
    let phone = [
        "factor",
        "add",
        "device",
        "--label",
        "phone",
        "--dev-user",
        "alice",
    ];
    let with = ["--phrase-file", &phrase];
    world.wallet("phone", &[&phone[..], &with].concat()).ok();
    export(&world, "alice", "laptop", "kit");
    let key = world.text("key-online");
    let export_key = ["export", "--key-out", &key, "--dev-user", "alice"];
    world.wallet("laptop", &export_key).ok();
    let private_key = world.secret("key-online");
    world.server.take().unwrap().kill();
    let watch = Watch::over(&world);

    let (laptop, phone) = (world.text("laptop"), world.text("phone"));
    let typed = format!("{one}\n{two}\n");
    let ways: [Way<'_>; 6] = [
        (
            "none",
            vec!["--words-file", &phrase, "--words-file", &bank],
            b"",
            ["recovery_phrase"; 2],
        ),
        // Both from standard input, a line each.
        (
            "none",
            vec!["--words-file", "-", "--words-file", "-"],
            typed.as_bytes(),
            ["recovery_phrase"; 2],
        ),
        (
            "laptop",
            vec!["--phrase-file", &phrase],
            b"",
            ["recovery_phrase", "device"],
        ),
        (
            "none",
            vec!["--words-file", &bank, "--other-device-dir", &laptop],
            b"",
            ["recovery_phrase", "device"],
        ),
        (
            "phone",
            vec!["--other-device-dir", &laptop],
            b"",
            ["device"; 2],
        ),
        (
            "none",
            vec!["--other-device-dir", &laptop, "--other-device-dir", &phone],
            b"",
            ["device"; 2],
        ),
    ];
    for (device, more, input, by) in &ways {
        let run = recover_with(&world, device, "kit", more, input).ok();
        assert_eq!(
            (&run["step"], &run["address"], &run["offline"]),
            (&json!("recover"), &json!(address), &json!(true))
        );
        assert_eq!(kinds(&run), by, "{more:?}");
    }
    // Nothing was written where there was nothing.
    assert!(!world.path("none").exists());

    let out = world.text("key");
    let more = [
        "--words-file",
        &phrase,
        "--words-file",
        &bank,
        "--key-out",
        &out,
    ];
    let run = recover(&world, "none", "kit", &more).ok();
    assert_eq!(run["key_file"], json!(out));
    assert_eq!(world.secret("key"), private_key);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = world.path("key").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // A file that is there is not overwritten, and nothing is opened for it.
    assert_eq!(
        refused(&recover(&world, "none", "kit", &more), 2, "file_exists")
            .matches(&out)
            .count(),
        1
    );
    assert_eq!(world.secret("key"), private_key);

    // What people see, and what they do not.
    let mut command = support::command();
    command
        .args(["wallet", "--device-dir"])
        .arg(world.path("none"));
    command.args(["recover", "--kit"]).arg(world.path("kit"));
    let run = finish(command.args(&ways[0].1), b"");
    assert_eq!(run.exit, 0, "{run:?}");
    assert!(run.stdout.contains(&address) && run.stdout.contains("\u{201c}at the bank\u{201d}"));
    for secret in [&one, &two, &private_key] {
        assert!(!run.stdout.contains(secret.as_str()) && !run.stderr.contains(secret.as_str()));
    }
    watch.assert_quiet();
}

#[test]
fn too_few_wrong_and_removed_factors() {
    let mut world = World::start();
    world.user_with_mfa("alice", "laptop", &[]);
    let (phrase, gone) = (world.text("phrase"), world.text("gone"));
    let words = ["--words-out", &gone, "--proof-file", &gone];
    let add = ["factor", "add", "phrase", "--dev-user", "alice"];
    world.wallet("laptop", &[&add[..], &words].concat()).ok();
    export(&world, "alice", "laptop", "old-kit");
    world
        .wallet("laptop", &["factor", "remove", "4", "--dev-user", "alice"])
        .ok();
    export(&world, "alice", "laptop", "kit");
    world.secret("gone");
    std::fs::rename(world.path("phrase"), world.path("of-alice")).unwrap();
    world.user_with_mfa("bob", "bobs", &[]);
    std::fs::rename(world.path("phrase"), world.path("of-bob")).unwrap();
    std::fs::rename(world.path("of-alice"), world.path("phrase")).unwrap();
    export(&world, "bob", "bobs", "bobs-kit");
    world.server.take().unwrap().kill();
    let watch = Watch::over(&world);

    let bob = world.text("of-bob");
    // One is too few, and the same one twice is one. The message names the factors and which of them are of use.
    for more in [
        &["--words-file", &phrase][..],
        &["--words-file", &phrase, "--words-file", &phrase],
    ] {
        let said = refused(&recover(&world, "none", "kit", more), 4, "needs_factors");
        assert!(
            said.contains("1 more factor is needed; the wallet has: social"),
            "{said}"
        );
        assert!(
            said.contains(
                "without servers these can still be used: device \u{201c}this computer\u{201d}"
            ),
            "{said}"
        );
    }
    let said = refused(&recover(&world, "none", "kit", &[]), 4, "needs_factors");
    assert!(said.contains("2 are needed"), "{said}");
    // This device alone.
    let said = refused(&recover(&world, "laptop", "kit", &[]), 4, "needs_factors");
    assert!(
        said.contains("can still be used: recovery_phrase"),
        "{said}"
    );

    // Removed words open nothing from a kit of after that, not even beside the device.
    let said = refused(
        &recover(&world, "laptop", "kit", &["--words-file", &gone]),
        5,
        "not_this_account",
    );
    assert!(said.contains(&gone) && said.contains("removed"), "{said}");
    // A kit of before keeps them: whoever has both has the wallet.
    recover(&world, "laptop", "old-kit", &["--words-file", &gone]).ok();

    // Another wallet's words, kit and device.
    refused(
        &recover(&world, "laptop", "kit", &["--words-file", &bob]),
        5,
        "not_this_account",
    );
    refused(
        &recover(&world, "laptop", "bobs-kit", &["--words-file", &phrase]),
        5,
        "not_this_account",
    );
    let bobs = world.text("bobs");
    let other = ["--words-file", &phrase, "--other-device-dir", &bobs];
    refused(
        &recover(&world, "none", "kit", &other),
        5,
        "not_this_account",
    );
    refused(
        &recover(&world, "laptop", "bobs-kit", &[]),
        4,
        "needs_factors",
    );

    // Mistyped words, by what is wrong with them; never repeated.
    let right = world.secret("phrase");
    let bad: [(&str, String); 4] = [
        (
            "not in the word list",
            format!("trefoilx {}", right.split_once(' ').unwrap().1),
        ),
        ("23 words", right.split_once(' ').unwrap().1.to_owned()),
        ("do not belong together", {
            let mut words: Vec<&str> = right.split(' ').collect();
            words.rotate_left(1);
            words.join(" ")
        }),
        ("0 words", String::new()),
    ];
    for (reason, words) in bad {
        std::fs::write(world.path("typed"), words).unwrap();
        let typed = world.text("typed");
        let run = recover(&world, "laptop", "kit", &["--words-file", &typed]);
        let said = refused(&run, 3, "bad_phrase");
        assert!(said.contains(reason) && said.contains(&typed), "{said}");
        assert!(!said.contains("trefoilx"));
    }
    let missing = world.text("missing");
    refused(
        &recover(&world, "laptop", "kit", &["--words-file", &missing]),
        1,
        "io",
    );
    refused(
        &recover(&world, "laptop", "kit", &["--other-device-dir", &missing]),
        2,
        "no_device_file",
    );
    assert!(!world.path("missing").exists());

    // A damaged device file is in the way only where it is needed.
    let file = support::files_below(&world.path("laptop"));
    for path in file {
        std::fs::write(path, "damaged").unwrap();
    }
    refused(
        &recover(&world, "laptop", "kit", &["--words-file", &phrase]),
        9,
        "device_file",
    );
    let both = ["--words-file", &phrase, "--words-file", &gone];
    recover(&world, "laptop", "old-kit", &both).ok();
    watch.assert_quiet();
}

#[test]
fn kits_that_are_none() {
    let mut world = World::start();
    world.user_with_mfa("alice", "laptop", &[]);
    export(&world, "alice", "laptop", "kit");
    world.wallet("bobs", &["login", "--dev-user", "bob"]).ok();
    export(&world, "bob", "bobs", "bobs-kit");
    world.server.take().unwrap().kill();
    let phrase = world.text("phrase");
    let with = ["--words-file", &phrase];
    let kit = std::fs::read_to_string(world.path("kit")).unwrap();
    let json = json_of(&kit);
    assert_eq!(json_of(&kit_of(&json)), json);
    let bobs = json_of(&std::fs::read_to_string(world.path("bobs-kit")).unwrap());
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut json = json.clone();
        change(&mut json);
        kit_of(&json)
    };
    let (half, _) = kit.split_at(kit.len() / 2);
    let kits = [
        ("first or last line", String::new()),
        ("first or last line", "not a kit".to_owned()),
        ("first or last line", half.to_owned()),
        ("first or last line", kit.replace(END, "")),
        (
            "first or last line",
            format!("{kit}{kit}").replacen(BEGIN, "", 1),
        ),
        ("checksum", kit.replacen("\ney", "\nex", 1)),
        ("checksum", kit.replace("\n=", "\n")),
        ("checksum", format!("{kit}{kit}")),
        ("version 2", changed(&|json| json["version"] = json!(2))),
        ("checksum", changed(&|json| json["more"] = json!(1))),
        (
            "kit's record: ",
            changed(&|json| json["tenant"] = json!("other")),
        ),
        (
            "kit's record: ",
            changed(&|json| {
                let bytes = json["kit"]["record"]["signature"].as_str().unwrap();
                let other = if bytes.starts_with('A') { "B" } else { "A" };
                json["kit"]["record"]["signature"] = json!(format!("{other}{}", &bytes[1..]));
            }),
        ),
        (
            "incomplete",
            changed(&|json| json["kit"]["envelopes"] = json!([])),
        ),
        (
            "incomplete",
            changed(&|json| {
                let envelopes = json["kit"]["envelopes"].as_array_mut().unwrap();
                let first = envelopes[0]["envelope"].clone();
                envelopes[1]["envelope"] = first;
            }),
        ),
        (
            "incomplete",
            changed(&|json| {
                let envelopes = json["kit"]["envelopes"].as_array_mut().unwrap();
                envelopes.push(envelopes[0].clone());
            }),
        ),
        // Another account's record over this one's envelopes.
        (
            "incomplete",
            changed(&|json| json["kit"]["record"] = bobs["kit"]["record"].clone()),
        ),
    ];
    for (reason, text) in kits {
        assert_ne!(text, kit);
        std::fs::write(world.path("bad"), &text).unwrap();
        let said = refused(&recover(&world, "laptop", "bad", &with), 3, "bad_kit");
        assert!(said.contains(reason), "{reason}: {said}");
    }
    std::fs::write(world.path("bad"), "x".repeat(2 << 20)).unwrap();
    refused(
        &recover(&world, "laptop", "bad", &with),
        3,
        "file_too_large",
    );
    refused(&recover(&world, "laptop", "missing", &with), 1, "io");
    // Line ends and blanks that mail programs change do not matter.
    std::fs::write(
        world.path("mailed"),
        format!("\r\n{}\r\n", kit.replace('\n', " \r\n")),
    )
    .unwrap();
    recover(&world, "laptop", "mailed", &with).ok();

    // In one click the social login is the only factor, and it needs servers.
    let said = refused(
        &recover(&world, "bobs", "bobs-kit", &[]),
        4,
        "needs_factors",
    );
    assert!(
        said.contains("no factor of this wallet is at hand"),
        "{said}"
    );
}

#[test]
fn what_is_asked_of_the_command_line() {
    let run = support::trefoil(&["wallet", "--json", "recover"], b"");
    assert_eq!(run.error(), (2, "usage".to_owned()));
    // There is no way to name words or a login as arguments.
    for argument in ["--phrase", "--dev-user"] {
        let run = support::trefoil(
            &["wallet", "--json", "recover", "--kit", "kit", argument, "x"],
            b"",
        );
        assert_eq!(run.error(), (2, "usage".to_owned()), "{argument}");
    }
}
