//! A user's life with the command-line wallet, against servers in another process.

mod support;

use serde_json::{Value, json};
use support::{Talk, World, id_token};

fn refused(code: &str) -> (i32, String) {
    (5, code.to_owned())
}

#[test]
fn from_one_click_to_any_two() {
    let world = World::start();
    // Nobody gets a wallet by mistake.
    assert_eq!(
        world
            .wallet("laptop", &["login", "--existing", "--dev-user", "alice"])
            .error(),
        refused("no_account")
    );
    assert_eq!(
        world
            .wallet("laptop", &["sign", "x", "--dev-user", "alice"])
            .error(),
        refused("no_account")
    );

    let created = world
        .wallet("laptop", &["login", "--dev-user", "alice"])
        .ok();
    assert_eq!(
        (&created["created"], &created["custody"], &created["mfa"]),
        (&json!(true), &json!("one_click"), &json!(false))
    );
    let again = world
        .wallet("laptop", &["login", "--dev-user", "alice"])
        .ok();
    assert_eq!(
        (&again["created"], &again["logins"], &again["address"]),
        (&json!(false), &json!(2), &created["address"])
    );
    assert_eq!(
        world
            .wallet("laptop", &["login", "--dev-user", "alice"])
            .ok()["mfa_prompt"],
        "optional",
        "every third"
    );
    let other = world.wallet("laptop", &["login", "--dev-user", "bob"]).ok();
    assert_ne!(other["address"], created["address"]);

    // A device that knows two wallets wants to be told which.
    assert_eq!(
        world.wallet("laptop", &["open"]).error(),
        (2, "usage".to_owned())
    );
    // One that knows none has no factor.
    assert_eq!(
        world.wallet("new", &["open"]).error(),
        (4, "needs_factors".to_owned())
    );

    let signed = world
        .wallet("laptop", &["sign", "hello", "--dev-user", "alice"])
        .ok();
    assert_eq!(signed["recovered_address"], created["address"]);
}

#[test]
fn mfa_by_hand_with_a_drill() {
    let world = World::start();
    let address = world
        .wallet("laptop", &["login", "--dev-user", "alice"])
        .ok()["address"]
        .clone();
    let words = world.text("phrase");

    // A drill that fails changes nothing.
    let enable = [
        "mfa",
        "enable",
        "--dev-user",
        "alice",
        "--words",
        "12",
        "--words-out",
        &words,
        "--proof-file",
        "-",
    ];
    let mut talk = Talk::start(world.wallet_command("laptop").arg("--json").args(enable));
    assert_eq!(talk.hear()["step"], "words_written");
    talk.say("legal winner thank year wave sausage worth useful legal winner thank yellow");
    let (exit, lines) = talk.end();
    assert_eq!((exit, &lines[0]["error"]), (3, &json!("wrong_drill")));
    assert_eq!(
        world
            .wallet("laptop", &["login", "--dev-user", "alice"])
            .ok()["mfa"],
        false
    );
    // And the file is not overwritten.
    assert_eq!(
        world.wallet("laptop", &enable).error(),
        (2, "file_exists".to_owned())
    );
    std::fs::remove_file(world.path("phrase")).unwrap();

    let mut talk = Talk::start(world.wallet_command("laptop").arg("--json").args(enable));
    assert_eq!(talk.hear()["file"], words);
    let phrase = world.secret("phrase");
    assert_eq!(phrase.split(' ').count(), 12);
    talk.say(&phrase.to_uppercase());
    let (exit, lines) = talk.end();
    assert_eq!(exit, 0, "{lines:?}");
    assert_eq!(
        (
            &lines[0]["address"],
            &lines[0]["threshold"],
            &lines[0]["nonce"],
            &lines[0]["kinds"]
        ),
        (
            &address,
            &json!(2),
            &json!("deleted"),
            &json!(["social", "device", "recovery_phrase"])
        )
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(world.path("phrase"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert_eq!(
        world
            .wallet("laptop", &["mfa", "enable", "--dev-user", "alice"])
            .error(),
        refused("mfa_is_on")
    );
    // Without a terminal the phrase is not shown anywhere.
    assert_eq!(
        world
            .wallet(
                "laptop",
                &["factor", "add", "phrase", "--dev-user", "alice"]
            )
            .error(),
        (2, "usage".to_owned())
    );

    // Every pair, and nothing alone.
    let opened = |device: &str, factors: &[&str]| {
        world
            .wallet(device, &[&["open"][..], factors].concat())
            .ok()["address"]
            .clone()
    };
    assert_eq!(opened("laptop", &["--dev-user", "alice"]), address);
    assert_eq!(opened("laptop", &["--phrase-file", &words]), address);
    assert_eq!(
        opened("phone", &["--dev-user", "alice", "--phrase-file", &words]),
        address
    );
    for (device, factors) in [
        ("phone2", vec!["--dev-user", "alice"]),
        ("phone3", vec!["--phrase-file", &words]),
        ("laptop", vec![]),
    ] {
        let run = world.wallet(device, &[&["open"][..], &factors].concat());
        assert_eq!(run.error(), (4, "needs_factors".to_owned()), "{factors:?}");
    }
    // The phrase from standard input.
    let run = world.wallet_with(
        "phone4",
        &["open", "--dev-user", "alice", "--phrase-file", "-"],
        phrase.as_bytes(),
    );
    assert_eq!(run.ok()["address"], address);
    // Another user's phrase is none.
    world.wallet("laptop", &["login", "--dev-user", "bob"]).ok();
    let run = world.wallet(
        "phone5",
        &["open", "--dev-user", "bob", "--phrase-file", &words],
    );
    assert_eq!(
        run.ok()["mfa"],
        false,
        "one click: the phrase is not looked at"
    );
}

#[test]
fn factors_come_and_go() {
    let world = World::start();
    let login = ["--verifier", "house"];
    let address = world.user_with_mfa("alice", "laptop", &login);
    let wallet = |arguments: &[&str]| {
        world.wallet(
            "laptop",
            &[arguments, &["--dev-user", "alice", "--verifier", "house"]].concat(),
        )
    };
    let list = wallet(&["factor", "list"]).ok();
    let kinds = |list: &Value| -> Vec<(u64, String)> {
        let factors = list["factors"].as_array().unwrap().iter();
        factors
            .map(|factor| {
                (
                    factor["index"].as_u64().unwrap(),
                    factor["kind"].as_str().unwrap().to_owned(),
                )
            })
            .collect()
    };
    let named = |list: &[(u64, &str)]| -> Vec<(u64, String)> {
        list.iter()
            .map(|(index, kind)| (*index, (*kind).to_owned()))
            .collect()
    };
    assert_eq!(
        kinds(&list),
        named(&[(1, "social"), (2, "device"), (3, "recovery_phrase")])
    );
    assert_eq!(list["factors"][0]["hints"]["verifier"], "house");

    assert_eq!(
        wallet(&["factor", "add", "device"]).error(),
        refused("not_allowed"),
        "it is one already"
    );
    let share = world.text("share");
    let added = wallet(&[
        "factor",
        "add",
        "dapp-share",
        "--words-out",
        &share,
        "--proof-file",
        &share,
    ])
    .ok();
    world.secret("share");
    assert_eq!(
        (&added["factor"]["index"], &added["factors"]),
        (&json!(4), &json!(4))
    );
    // Development logins name no e-mail address: whether two of different providers are one person's cannot be told.
    let add = [
        "factor",
        "add",
        "social",
        "--new-dev-user",
        "alice2",
        "--label",
        "work",
    ];
    assert_eq!(wallet(&add).error(), refused("one_identity"));
    let listed = wallet(&["factor", "list"]).ok();
    assert_eq!(
        (kinds(&listed).len(), &listed["consequences"]),
        (4, &json!([]))
    );
    let added = wallet(&[add.as_slice(), &["--accept-one-identity"]].concat()).ok();
    assert_eq!(
        (&added["factor"]["index"], &added["factor"]["label"]),
        (&json!(5), &json!("work"))
    );
    let listed = wallet(&["factor", "list"]).ok();
    let text = "whether factors 1 and 5 are logins of one identity cannot be told: if they are, whoever takes it has both \
                factors";
    assert_eq!(
        listed["consequences"],
        json!([{ "kind": "unknown_identity", "factors": [1, 5], "text": text }])
    );
    assert_eq!(
        wallet(&["factor", "add", "social"]).error(),
        (2, "usage".to_owned())
    );
    // The new ones open it together, elsewhere.
    let run = world.wallet(
        "phone",
        &["open", "--dev-user", "alice2", "--dapp-share-file", &share],
    );
    assert_eq!(run.ok()["address"], address);

    let phrase = world.text("phrase");
    let removed = wallet(&["factor", "remove", "3"]).ok();
    assert_eq!(removed["factors"], 4);
    assert_eq!(
        removed["epoch"].as_u64().unwrap(),
        added["epoch"].as_u64().unwrap() + 1
    );
    assert_eq!(
        world
            .wallet("phone2", &["open", "--phrase-file", &phrase])
            .error(),
        refused("factor_removed")
    );
    let run = world.wallet(
        "phone3",
        &[
            "open",
            "--dev-user",
            "alice",
            "--verifier",
            "house",
            "--phrase-file",
            &phrase,
        ],
    );
    assert_eq!(run.error(), refused("factor_removed"));
    assert_eq!(
        wallet(&["factor", "remove", "3"]).error(),
        refused("unknown_factor")
    );

    wallet(&["factor", "remove", "5"]).ok();
    assert_eq!(
        wallet(&["factor", "remove", "4"]).error(),
        refused("no_spare_factor")
    );
    wallet(&["factor", "remove", "4", "--accept-no-spare-factor"]).ok();
    assert_eq!(wallet(&["login"]).ok()["mfa_prompt"], "required");
    assert_eq!(
        kinds(&wallet(&["factor", "list"]).ok()),
        named(&[(1, "social"), (2, "device")])
    );
}

#[test]
fn a_dapp_share_is_for_custom_logins_only() {
    let world = World::start();
    world.user_with_mfa("alice", "laptop", &[]);
    let share = world.text("share");
    let add = [
        "factor",
        "add",
        "dapp-share",
        "--words-out",
        &share,
        "--proof-file",
        &share,
        "--dev-user",
        "alice",
    ];
    assert_eq!(world.wallet("laptop", &add).error(), refused("not_allowed"));
    assert!(!world.path("share").exists());
}

#[test]
fn export_and_open_with_every_server_gone() {
    let mut world = World::start();
    let address = world.user_with_mfa("alice", "laptop", &[]);
    let (kit, key, phrase) = (world.text("kit"), world.text("key"), world.text("phrase"));
    let export = [
        "export",
        "--kit-out",
        &kit,
        "--key-out",
        &key,
        "--dev-user",
        "alice",
    ];
    assert_eq!(world.wallet("laptop", &export).ok()["address"], address);
    let private_key = world.secret("key");
    assert_eq!(private_key.len(), 64);
    assert_eq!(
        world.wallet("laptop", &export).error(),
        (2, "file_exists".to_owned())
    );
    world.stop();

    assert_eq!(
        world
            .wallet("laptop", &["open", "--dev-user", "alice"])
            .error(),
        (6, "offline".to_owned())
    );
    assert_eq!(
        world
            .wallet("laptop", &["open", "--phrase-file", &phrase])
            .error(),
        (6, "offline".to_owned())
    );
    let again = world.text("key2");
    let run = world
        .wallet(
            "laptop",
            &[
                "recover",
                "--kit",
                &kit,
                "--phrase-file",
                &phrase,
                "--key-out",
                &again,
            ],
        )
        .ok();
    assert_eq!(
        (&run["address"], &run["offline"]),
        (&json!(address), &json!(true))
    );
    assert_eq!(
        std::fs::read_to_string(world.path("key2")).unwrap().trim(),
        private_key
    );
    // The kit alone, or with one factor, is worth nothing.
    for (device, factors) in [
        ("other", vec!["--phrase-file", &phrase]),
        ("laptop", vec![]),
        ("other", vec![]),
    ] {
        let run = world.wallet(
            device,
            &[&["recover", "--kit", &kit][..], &factors].concat(),
        );
        assert_eq!(run.error(), (4, "needs_factors".to_owned()), "{factors:?}");
    }
    let run = world.wallet("laptop", &["recover", "--kit", &kit, "--dev-user", "alice"]);
    assert_eq!(run.error(), (2, "usage".to_owned()));
    let text = std::fs::read_to_string(world.path("kit")).unwrap();
    let (half, _) = text.split_at(text.len() / 2);
    for bad in [
        String::new(),
        half.to_owned(),
        text.replacen('A', "B", 1),
        "not a kit".to_owned(),
    ] {
        std::fs::write(world.path("kit"), bad).unwrap();
        assert_eq!(
            world.wallet("laptop", &["recover", "--kit", &kit]).error(),
            (3, "bad_kit".to_owned())
        );
    }
}

#[test]
fn an_id_token_from_any_provider_through_standard_input() {
    let world = World::start();
    let provider = world.server.as_ref().unwrap().serving["providers"][0]["dev_token_url"]
        .as_str()
        .unwrap()
        .to_owned();
    let login = || {
        let mut talk = Talk::start(world.wallet_command("laptop").args([
            "--json",
            "login",
            "--id-token-file",
            "-",
        ]));
        let asked = talk.hear();
        assert_eq!(
            (&asked["step"], &asked["verifier"]),
            (&json!("oidc_nonce"), &json!("google"))
        );
        (talk, asked["oidc_nonce"].as_str().unwrap().to_owned())
    };
    let (mut talk, nonce) = login();
    let token = id_token(&provider, "alice", &nonce);
    talk.say(&token);
    let (exit, lines) = talk.end();
    assert_eq!((exit, &lines[0]["created"]), (0, &json!(true)), "{lines:?}");

    // A token that was made for another login is worth nothing here, and is not repeated.
    for bad in [token.as_str(), "not a token", "a.b.c", ""] {
        let (mut talk, _) = login();
        talk.say(bad);
        let (exit, lines) = talk.end();
        assert_eq!(exit, 3, "{lines:?}");
        assert!(
            bad.is_empty() || !lines[0]["message"].as_str().unwrap().contains(bad),
            "{lines:?}"
        );
    }
    let (talk, _) = login();
    let (exit, lines) = talk.end();
    assert_eq!((exit, &lines[0]["error"]), (3, &json!("bad_input")));
}

#[test]
fn an_existing_key_can_be_imported_once() {
    let world = World::start();
    let key = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318";
    world.forbid(key);
    std::fs::write(world.path("key"), format!("0x{key}\n")).unwrap();
    let file = world.text("key");
    let login = ["login", "--dev-user", "alice", "--import-key-file", &file];
    for bad in ["", "0x1234", "zz", &"0".repeat(64), &"f".repeat(64)] {
        std::fs::write(world.path("bad"), bad).unwrap();
        let run = world.wallet(
            "laptop",
            &[
                "login",
                "--dev-user",
                "alice",
                "--import-key-file",
                &world.text("bad"),
            ],
        );
        assert_eq!(run.error(), (3, "not_a_key".to_owned()), "{bad}");
    }
    assert_eq!(
        world.wallet("laptop", &login).ok()["address"],
        "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"
    );
    assert_eq!(
        world.wallet("laptop", &login).error(),
        refused("account_exists")
    );
    let run = world.wallet(
        "laptop",
        &["login", "--dev-user", "bob", "--import-key-file", &file],
    );
    assert_eq!(
        run.error(),
        refused("account_exists"),
        "the same key in a second account"
    );
}

#[test]
fn declining_is_kept_on_this_device() {
    let world = World::start();
    let login = |device: &str| {
        world.wallet(device, &["login", "--dev-user", "alice"]).ok()["mfa_prompt"].clone()
    };
    login("laptop");
    world
        .wallet("laptop", &["mfa", "decline", "--dev-user", "alice"])
        .ok();
    assert_eq!(login("laptop"), "none", "the third login, but declined");
    login("phone");
    login("phone");
    assert_eq!(login("phone"), "optional");
    assert_eq!(
        world.wallet("laptop", &["status"]).ok()["accounts"][0]["dont_ask_mfa"],
        true
    );
}

#[test]
fn for_people_it_is_short_and_clear() {
    let world = World::start();
    let created = world.human("laptop", &["login", "--dev-user", "alice"]);
    assert!(
        created.stdout.starts_with("Your new wallet: 0x"),
        "{created:?}"
    );
    assert_eq!(created.stdout.lines().count(), 1);
    let status = world.human("laptop", &["status"]);
    assert!(
        status.stdout.contains("opens with 1 of 1 factors"),
        "{status:?}"
    );
    let refused = world.human("laptop", &["login", "--existing", "--dev-user", "bob"]);
    assert_eq!((refused.exit, refused.stdout.as_str()), (5, ""));
    assert!(
        refused.stderr.starts_with("error: there is no wallet"),
        "{refused:?}"
    );
}
