//! The wallet logs in at a real OpenID provider that is not ours, `oidc-provider` for Node.js, through servers in
//! processes of their own. The test is the user's browser.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod browser;
#[path = "../support/mod.rs"]
mod support;
mod world;

use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use browser::Browser;
use serde_json::{Value, json};
use support::{Talk, finish as run};
use url::Url;
use world::{World, address, error, finish, goodbye, parameter};

#[test]
fn one_user_one_wallet() {
    let world = World::start();
    let login = |device, client, user| world.run(device, client, &["login"], user);
    let (exit, created) = login("laptop", "wallet", "alice");
    assert_eq!((exit, &created["created"]), (0, &json!(true)), "{created}");
    let alice = created["address"].as_str().unwrap();

    let (exit, again) = login("laptop", "wallet", "alice");
    assert_eq!(
        (exit, &again["created"], &again["address"]),
        (0, &json!(false), &json!(alice))
    );
    // Whatever the algorithm: these clients' tokens are signed with RS256 and EdDSA.
    let (exit, other) = login("phone", "wallet-eddsa", "alice");
    assert_eq!((exit, &other["address"]), (0, &json!(alice)), "{other}");
    let (exit, bob) = login("laptop", "wallet", "bob");
    assert_eq!((exit, &bob["created"]), (0, &json!(true)), "{bob}");
    assert_ne!(bob["address"], alice);

    let (exit, signed) = world.run("phone", "wallet", &["sign", "hello"], "alice");
    assert_eq!((exit, &signed["recovered_address"]), (0, &json!(alice)));
    let nobody = world.run("laptop", "wallet", &["login", "--existing"], "carol");
    assert_eq!(error(&nobody), (5, "no_account"));
}

/// The user is known to the provider already: no page is shown, and the wallet still gets a token of its own.
#[test]
fn a_session_at_the_provider_is_enough() {
    let world = World::start();
    let mut browser = Browser::new();
    let mut addresses = Vec::new();
    for _ in 0..2 {
        let (talk, address) = world.begin("laptop", "wallet", &["login"]);
        let back = browser.log_in(&address, "alice");
        assert!(goodbye(&browser.get(&back)));
        let (exit, line) = finish(talk, &[&back]);
        assert_eq!(exit, 0, "{line}");
        addresses.push(line["address"].clone());
    }
    assert_eq!(addresses[0], addresses[1]);
}

#[test]
fn what_the_provider_is_asked() {
    let world = World::start();
    let more = ["login", "--scope", "offline_access"];
    let (talk, first) = world.begin("laptop", "wallet", &more);
    let ask = |name: &str| parameter(&first, name);
    assert_eq!(ask("response_type"), "code");
    assert_eq!(ask("scope"), "openid email offline_access");
    assert_eq!(ask("code_challenge_method"), "S256");
    let back = Url::parse(&ask("redirect_uri")).unwrap();
    assert_eq!(
        (back.scheme(), back.host_str(), back.path()),
        ("http", Some("127.0.0.1"), "/callback")
    );
    let (other_talk, second) = world.begin("phone", "wallet", &["login"]);
    for fresh in ["state", "nonce", "code_challenge"] {
        assert!(ask(fresh).len() >= 43, "{fresh}: 256 bits");
        assert_ne!(ask(fresh), parameter(&second, fresh), "{fresh}");
    }
    // The second login's answer is nothing to the first.
    let mut browser = Browser::new();
    let mut came = browser.log_in(&second, "alice");
    came.set_port(back.port()).unwrap();
    assert_eq!(browser.get(&came).status, 404);
    drop((talk, other_talk));
}

/// Providers as Google: installed apps have a secret, which proves nothing.
#[test]
fn a_client_secret_comes_from_a_file() {
    const SECRET: &str = "not kept very well, as in every installed app";
    let world = World::start();
    let file = world.text("client-secret");
    let login = ["login", "--client-secret-file", &file];
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    let (exit, created) = world.run("laptop", "wallet-secret", &login, "alice");
    assert_eq!((exit, &created["created"]), (0, &json!(true)), "{created}");

    std::fs::write(&file, "not the one").unwrap();
    let refused = world.run("laptop", "wallet-secret", &login, "alice");
    assert_eq!(error(&refused), (2, "bad_client"));
    let refused = world.run("laptop", "wallet-secret", &["login"], "alice");
    assert_eq!(error(&refused), (2, "bad_client"), "none at all");
    for line in [created, refused.1] {
        assert!(!line.to_string().contains(SECRET), "{line}");
    }
}

#[test]
fn factors_by_way_of_the_browser() {
    let world = World::start();
    let (_, alice) = world.run("laptop", "wallet", &["login"], "alice");
    let words = world.text("phrase");
    let enable = [
        "mfa",
        "enable",
        "--words-out",
        &words,
        "--proof-file",
        &words,
    ];
    let (talk, to) = world.begin("laptop", "wallet", &enable);
    let mut browser = Browser::new();
    let back = browser.log_in(&to, "alice");
    browser.get(&back);
    let (exit, enabled) = finish(talk, &[&back]);
    assert_eq!(
        (exit, &enabled["address"]),
        (0, &alice["address"]),
        "{enabled}"
    );

    // Two logins in one command: one opens, the other becomes a factor.
    let add = [
        "factor",
        "add",
        "social",
        "--label",
        "bob",
        "--new-issuer",
        world.issuer(),
        "--new-client-id",
        "wallet-eddsa",
    ];
    let (mut talk, to) = world.begin("laptop", "wallet", &add);
    let back = browser.log_in(&to, "alice");
    browser.get(&back);
    let to = address(&mut talk);
    assert_eq!(parameter(&to, "client_id"), "wallet-eddsa");
    let mut other = Browser::new();
    let back = other.log_in(&to, "bob");
    other.get(&back);
    let (exit, added) = finish(talk, &[&back]);
    assert_eq!((exit, &added["factors"]), (0, &json!(4)), "{added}");

    let open = ["open", "--phrase-file", &words];
    let (exit, opened) = world.run("phone", "wallet", &open, "bob");
    assert_eq!(
        (exit, &opened["address"]),
        (0, &alice["address"]),
        "{opened}"
    );
}

#[test]
fn a_client_that_is_not_the_apps_is_refused() {
    let world = World::start();
    // The provider knows this one; the nodes do not take tokens made for it.
    let refused = world.run("laptop", "other-app", &["login"], "alice");
    assert_eq!(error(&refused), (3, "login_again"));
    let message = refused.1["message"].as_str().unwrap();
    assert!(message.contains("token_wrong_audience"), "{message}");

    // This one nobody knows. The provider tells the user, never the redirect, so the wait ends by itself.
    let (talk, to) = world.begin("laptop", "nobody", &["login", "--login-timeout", "1"]);
    let page = Browser::new().get(&to);
    assert_eq!(page.status, 400);
    assert!(page.body.contains("invalid_client"), "{page:?}");
    let ended = finish(talk, &[]);
    assert_eq!(error(&ended), (3, "login_timed_out"));
}

#[test]
fn strays_do_not_end_a_login() {
    let world = World::start();
    let (talk, to) = world.begin("laptop", "wallet", &["login"]);
    let mut browser = Browser::new();
    let back = browser.log_in(&to, "alice");
    let changed = |change: &dyn Fn(&mut Url)| {
        let mut stray = back.clone();
        change(&mut stray);
        stray
    };
    let with_state = |state: &str| {
        let state = state.to_owned();
        changed(&|url| {
            let code = parameter(&back, "code");
            url.query_pairs_mut()
                .clear()
                .append_pair("code", &code)
                .append_pair("state", &state);
        })
    };
    let state = parameter(&back, "state");
    let cut = state.split_at(state.len() - 1).0;
    for stray in [
        changed(&|url| url.set_path("/")),
        changed(&|url| url.set_path("/callback/")),
        changed(&|url| url.set_path("/favicon.ico")),
        changed(&|url| url.set_query(None)),
        with_state(""),
        with_state(cut),
        with_state(&state.chars().rev().collect::<String>()),
        changed(&|url| url.set_query(Some("error=access_denied&state=guess"))),
    ] {
        assert_eq!(browser.get(&stray).status, 404, "{stray}");
    }
    assert_eq!(browser.post(&back, &[]).status, 404, "not by POST");

    // None of it has ended the login or used up its answer.
    assert!(goodbye(&browser.get(&back)));
    let (exit, line) = finish(talk, &[&back]);
    assert_eq!((exit, &line["created"]), (0, &json!(true)), "{line}");
    // And nobody listens any more.
    let port = back.port().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_user_who_says_no_is_not_logged_in() {
    let world = World::start();
    let (talk, to) = world.begin("laptop", "wallet", &["login"]);
    let mut browser = Browser::new();
    let back = browser.cancel(&to);
    assert_eq!(parameter(&back, "error"), "access_denied");
    assert!(goodbye(&browser.get(&back)));
    let ended = finish(talk, &[]);
    assert_eq!(error(&ended), (5, "access_denied"));
    let message = ended.1["message"].as_str().unwrap();
    assert!(message.contains("cancelled in the browser"), "{message}");
}

#[test]
fn an_answer_that_names_another_provider_is_an_alarm() {
    let world = World::start();
    let (talk, to) = world.begin("laptop", "wallet", &["login"]);
    let mut browser = Browser::new();
    let mut back = browser.log_in(&to, "alice");
    let query = back.query().unwrap().replace("iss=http", "iss=https");
    back.set_query(Some(&query));
    browser.get(&back);
    let ended = finish(talk, &[&back]);
    assert_eq!(error(&ended), (8, "other_issuer"));
}

/// An attacker who has read the address from this machine's process list makes the browser come back with a code of
/// the attacker's own login, so that the victim would use the attacker's wallet.
#[test]
fn a_code_of_another_login_is_worth_nothing() {
    let world = World::start();
    let (talk, to) = world.begin("laptop", "wallet", &["login"]);
    let (own, own_to) = world.begin("attacker", "wallet", &["login"]);
    let mut browser = Browser::new();
    let stolen = browser.log_in(&own_to, "mallory");
    let mut back = Url::parse(&parameter(&to, "redirect_uri")).unwrap();
    back.query_pairs_mut()
        .append_pair("code", &parameter(&stolen, "code"))
        .append_pair("state", &parameter(&to, "state"));
    browser.get(&back);
    let ended = finish(talk, &[&back]);
    assert_eq!(error(&ended), (3, "login_again"));
    drop(own);
}

#[test]
fn a_token_with_another_nonce_opens_nothing() {
    let world = World::start();
    // The provider signs a nonce that it was not asked for. The wallet notices before any node is asked.
    let refused = world.run("laptop", "wallet-nonce", &["login"], "alice");
    assert_eq!(error(&refused), (3, "bad_id_token"));
    let message = refused.1["message"].as_str().unwrap();
    assert!(message.contains("nonce"), "{message}");

    // A wallet that does not look is no better off: the nodes look too.
    let bring = |nonce: &dyn Fn(&str) -> String| {
        let mut talk = Talk::start(&mut world.wallet("laptop", &["login", "--id-token-file", "-"]));
        let asked = talk.hear();
        let nonce = nonce(asked["oidc_nonce"].as_str().unwrap());
        talk.say(&world.id_token("alice", &nonce));
        finish(talk, &[])
    };
    for other in ["another-nonce", ""] {
        let refused = bring(&|asked| {
            if other.is_empty() {
                asked.to_uppercase()
            } else {
                other.to_owned()
            }
        });
        assert_eq!(error(&refused), (3, "login_again"));
        let message = refused.1["message"].as_str().unwrap();
        assert!(message.contains("token_wrong_nonce"), "{message}");
    }
    // It is the nonce alone that stood in the way.
    let (exit, created): (i32, Value) = bring(&str::to_owned);
    assert_eq!((exit, &created["created"]), (0, &json!(true)), "{created}");
}

#[test]
fn an_algorithm_that_nodes_do_not_take_is_told_at_once() {
    let world = World::start();
    let refused = world.run("laptop", "wallet-ps256", &["login"], "alice");
    assert_eq!(error(&refused), (3, "bad_id_token"));
    let message = refused.1["message"].as_str().unwrap();
    assert!(message.contains("RS256, ES256 or EdDSA"), "{message}");
}

/// Without `--json`: the browser is started, and the address is shown for those whose browser is elsewhere.
#[cfg(unix)]
#[test]
fn people_are_sent_to_their_browser() {
    use std::os::unix::fs::PermissionsExt as _;

    let world = World::start();
    let (script, seen) = (world.text("browser"), world.text("seen"));
    let text = format!("#!/bin/sh\nprintf %s \"$1\" > '{seen}.new' && mv '{seen}.new' '{seen}'\n");
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    let login = |browser: &str, path: &str| {
        let mut command = world.human("laptop", &["login", "--client-id", "wallet"]);
        command.args(["--issuer", world.issuer()]);
        command.env("BROWSER", browser).env("PATH", path);
        Talk::start(command.stderr(Stdio::piped()))
    };
    let path = std::env::var("PATH").unwrap();
    let mut talk = login(&script, &path);
    assert_eq!(
        talk.line(),
        "Log in in your browser. If it does not open, go to:\n"
    );
    let shown = talk.line();
    while !Path::new(&seen).exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(std::fs::read_to_string(&seen).unwrap(), shown.trim_end());
    let mut browser = Browser::new();
    let back = browser.log_in(&Url::parse(shown.trim_end()).unwrap(), "alice");
    browser.get(&back);
    let said = talk.line();
    assert!(said.starts_with("Your new wallet: 0x"), "{said}");

    // Where there is none, that is said, and the address is there to be opened by hand.
    let mut talk = login("", "/nowhere");
    assert!(talk.complaint().starts_with("no browser could be started"));
}

#[test]
fn an_interrupt_ends_the_wait() {
    let world = World::start();
    let (talk, to) = world.begin("laptop", "wallet", &["login"]);
    let back = Url::parse(&parameter(&to, "redirect_uri")).unwrap();
    let listening = || TcpStream::connect(("127.0.0.1", back.port().unwrap())).is_ok();
    assert!(listening());
    let interrupt = ["-INT", &talk.id().to_string()];
    assert!(
        Command::new("kill")
            .args(interrupt)
            .status()
            .unwrap()
            .success()
    );
    talk.ended_by_signal();
    assert!(!listening());
    // It left nothing in the way of the next one.
    assert_eq!(world.run("laptop", "wallet", &["login"], "alice").0, 0);
}

#[test]
fn addresses_that_are_no_provider() {
    let world = World::start();
    let login = |issuer: &str| {
        let arguments = [
            "login",
            "--client-id",
            "wallet",
            "--no-browser",
            "--issuer",
            issuer,
        ];
        run(&mut world.wallet("laptop", &arguments), b"").error()
    };
    let (issuer, metadata) = (world.issuer(), world.metadata_url());
    for (issuer, expected) in [
        ("login.example", (2, "usage")),
        ("http://login.example", (2, "usage")),
        ("https://login.example/?tenant=1", (2, "usage")),
        ("http://127.0.0.1:1", (6, "offline")),
        // It calls itself by a name without the slash.
        (&format!("{issuer}/"), (2, "bad_issuer")),
        (&format!("{issuer}/other"), (2, "bad_issuer")),
        (metadata, (2, "bad_issuer")),
    ] {
        assert_eq!(
            login(issuer),
            (expected.0, expected.1.to_owned()),
            "{issuer}"
        );
    }
}
