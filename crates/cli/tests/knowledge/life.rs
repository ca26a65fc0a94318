//! Added, used, changed and removed.

use std::fs::File;
use std::process::Stdio;

use serde_json::json;

use super::{ANSWERS, PASSWORD, PIN, User, WRONG_PIN, bad, kinds, left, message, refused};
use crate::support::{Server, command, files_below, finish};

#[test]
fn each_opens_a_new_device_with_the_login() {
    let user = User::start();
    user.add("pin", &format!("{PIN}\n"));
    user.add("password", PASSWORD);
    user.add_questions();
    let list = user.login("laptop", &["factor", "list"]).ok();
    assert_eq!(
        (kinds(&list), &list["threshold"]),
        (
            vec![
                "social",
                "device",
                "recovery_phrase",
                "pin",
                "password",
                "security_questions"
            ],
            &json!(2)
        )
    );

    user.opens("phone", "--pin-file", PIN);
    user.opens("phone2", "--password-file", &format!("{PASSWORD}\r\n"));
    // Any three, in any order, however they are written.
    user.opens(
        "phone3",
        "--answers-file",
        "5: seventeen  MARBLES\n\n 2:Rhubarb and custard\n3 : ottoline vandermeer \n",
    );
    // From standard input.
    let stdin = |option: &str, content: &str| {
        let open = ["open", "--dev-user", "alice", option, "-"];
        user.world.wallet_with("phone4", &open, content.as_bytes())
    };
    assert_eq!(stdin("--pin-file", PIN).ok()["address"], user.address);
    assert_eq!(
        stdin("--password-file", &format!("{PASSWORD}\n")).ok()["address"],
        user.address
    );
    let answers = format!("2: {}\n3: {}\n1: {}\n", ANSWERS[1], ANSWERS[2], ANSWERS[0]);
    for end in ["", "\nwhat follows is somebody else's\n"] {
        let run = stdin("--answers-file", &format!("{answers}{end}"));
        assert_eq!(run.ok()["address"], user.address, "{end}");
    }
    // Signing needs the same.
    let pin = user.file("entered", PIN);
    let sign = ["sign", "hello", "--pin-file", &pin];
    assert_eq!(
        user.login("phone5", &sign).ok()["recovered_address"],
        user.address
    );
    // A device that opens by itself, or with the login, spends no guess.
    user.opens("laptop", "--pin-file", WRONG_PIN);
    assert_eq!(left(&user.open("phone", "--pin-file", WRONG_PIN)), 9);

    // None of them opens anything alone, nor two of them together.
    let password = user.file("password", PASSWORD);
    for known in [
        vec!["--pin-file", &pin],
        vec!["--pin-file", &pin, "--password-file", &password],
    ] {
        let run = user
            .world
            .wallet("phone6", &[&["open"][..], &known].concat());
        assert_eq!(run.error(), (4, "needs_factors".to_owned()), "{known:?}");
    }
}

#[test]
fn changed_the_old_one_is_worth_nothing() {
    let user = User::start();
    let index = user.add("pin", PIN);
    let new_pin = "w3ndl8gk";
    user.world.forbid(new_pin);
    // From a device that itself opens with the old one.
    let (old, new) = (user.file("old", PIN), user.file("new", new_pin));
    let place = index.to_string();
    let change = ["factor", "change", &place, "--new-secret-file", &new];
    let changed = user.login("phone", &[&change[..], &["--pin-file", &old]].concat());
    let changed = changed.ok();
    assert_eq!(
        (
            &changed["index"],
            &changed["factor"]["kind"],
            &changed["factor"]["label"]
        ),
        (&json!(index), &json!("pin"), &json!("PIN"))
    );
    assert_eq!(left(&user.open("phone", "--pin-file", PIN)), 9);
    user.opens("phone", "--pin-file", new_pin);

    // The questions, too, and the password.
    let password = user.add("password", PASSWORD).to_string();
    let other_password = "umbrage quiver 71 lantern";
    user.world.forbid(other_password);
    let file = user.file("new", other_password);
    user.login(
        "laptop",
        &["factor", "change", &password, "--new-secret-file", &file],
    )
    .ok();
    assert_eq!(left(&user.open("phone", "--password-file", PASSWORD)), 9);
    user.opens("phone", "--password-file", other_password);
    let questions = user.add_questions().to_string();
    let file = user.file(
        "new",
        super::QUESTIONS.replace("Seventeen marbles", "Nineteen buttons"),
    );
    user.login(
        "laptop",
        &["factor", "change", &questions, "--questions-file", &file],
    )
    .ok();
    let answers = |last: &str| format!("2: {}\n3: {}\n5: {last}\n", ANSWERS[1], ANSWERS[2]);
    assert_eq!(
        left(&user.open("phone", "--answers-file", &answers(ANSWERS[4]))),
        9
    );
    user.opens("phone", "--answers-file", &answers("nineteen buttons"));

    // What is not known cannot be changed, and what is not there neither.
    let list = user.login("laptop", &["factor", "list"]).ok();
    assert_eq!(list["factors"].as_array().unwrap().len(), 6);
    for (index, expected) in [
        ("1", (2, "usage".to_owned())),
        ("3", (2, "usage".to_owned())),
        ("99", refused("unknown_factor")),
        (place.as_str(), refused("unknown_factor")),
    ] {
        let change = ["factor", "change", index, "--new-secret-file", &old];
        assert_eq!(user.login("laptop", &change).error(), expected, "{index}");
    }
}

#[test]
fn removed_it_is_no_factor() {
    let user = User::start();
    let pin = user.add("pin", PIN).to_string();
    user.add("password", PASSWORD);
    user.login("laptop", &["factor", "remove", &pin]).ok();
    let run = user.open("phone", "--pin-file", PIN);
    assert_eq!(run.error(), refused("unknown_factor"));
    user.opens("phone", "--password-file", PASSWORD);
    // Of a kind there is one: of two PINs only the first could be used.
    let second = user.file("second", PIN);
    let add = ["factor", "add", "password", "--new-secret-file", &second];
    let run = user.login("laptop", &add);
    assert_eq!(run.error(), refused("not_allowed"));
    assert!(message(&run).contains("factor change"), "{run:?}");
    // A removed factor takes its guesses along: the next one starts anew, and the old PIN may be chosen again.
    user.add("pin", PIN);
    assert_eq!(left(&user.open("phone", "--pin-file", WRONG_PIN)), 9);
    user.opens("phone", "--pin-file", PIN);
}

#[test]
fn one_click_has_nothing_to_guess() {
    let user = User::start();
    let login = |arguments: &[&str]| {
        let bob = ["--dev-user", "bob"];
        user.world.wallet("laptop", &[arguments, &bob].concat())
    };
    login(&["login"]).ok();
    let pin = user.file("pin", PIN);
    let add = ["factor", "add", "pin", "--new-secret-file", &pin];
    assert_eq!(login(&add).error(), refused("not_allowed"));
    login(&["open"]).ok();
}

#[test]
fn for_people_a_wrong_guess_says_what_is_left() {
    let user = User::start();
    user.add("pin", PIN);
    let wrong = user.file("entered", WRONG_PIN);
    let open = ["open", "--dev-user", "alice", "--pin-file", &wrong];
    let run = user.world.human("phone", &open);
    assert_eq!((run.exit, run.stdout.as_str()), (3, ""));
    assert!(
        run.stderr
            .starts_with("error: wrong pin: 9 guesses are left"),
        "{run:?}"
    );
    assert!(message(&user.open("phone", "--pin-file", WRONG_PIN)).contains("8 guesses"));
}

#[test]
fn secrets_are_no_arguments_and_stand_in_no_log() {
    let mut user = User::start();
    user.world.stop();
    let log = user.world.path("log");
    let mut serve = command();
    serve.env("TREFOIL_LOG", "trace").env("RUST_LOG", "trace");
    serve.args(["--json", "serve", "dev", "--data"]);
    serve.arg(user.world.path("dev"));
    let file = File::create(&log).unwrap();
    user.world.server = Some(Server::start_logging(&mut serve, Stdio::from(file)));

    user.add("pin", PIN);
    user.add("password", PASSWORD);
    user.add_questions();
    for (option, right, wrong) in [
        ("--pin-file", PIN, WRONG_PIN),
        ("--password-file", PASSWORD, WRONG_PIN),
        (
            "--answers-file",
            "1: Einstürzende Neubauten\n2: Rhubarb and custard\n3: Ottoline Vandermeer",
            "1: Einstürzende Neubauten\n2: Rhubarb and custard\n3: The crooked one by the mill",
        ),
    ] {
        let file = user.file("entered", wrong);
        let mut open = user.world.wallet_command("phone");
        open.env("TREFOIL_LOG", "trace").env("RUST_LOG", "trace");
        open.args(["open", "--dev-user", "alice", option, &file]);
        let run = finish(&mut open, b"");
        assert_eq!(run.exit, 3, "{run:?}");
        for secret in [PIN, WRONG_PIN, PASSWORD].into_iter().chain(ANSWERS) {
            assert!(!format!("{run:?}").contains(secret), "{run:?}");
        }
        user.opens("phone", option, right);
    }
    user.world.stop();
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(
        text.contains("/v1/slots/guess"),
        "the log is of these guesses"
    );
    // Neither the log nor anything that servers or devices keep.
    let kept = files_below(&user.world.path("dev"));
    let devices = ["laptop", "phone"].map(|device| files_below(&user.world.path(device)));
    for path in kept.iter().chain(devices.iter().flatten()).chain([&log]) {
        let content = std::fs::read(path).unwrap();
        for secret in [PIN, WRONG_PIN, PASSWORD].into_iter().chain(ANSWERS) {
            for form in [secret.to_owned(), secret.to_lowercase()] {
                assert!(
                    !content
                        .windows(form.len())
                        .any(|part| part == form.as_bytes()),
                    "a secret stands in {}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn who_writes_a_secret_as_an_argument_does_not_see_it_again() {
    let user = User::start();
    user.add("pin", PIN);
    let value = |option: &str| format!("{option}={PIN}");
    for arguments in [
        vec!["open", PIN],
        vec!["open", "--pin", PIN],
        vec!["open", &value("--pin")],
        vec!["open", &value("--password")],
        vec!["open", &value("--phrase")],
        vec!["drill", "--prove-pin", PIN],
        vec!["drill", &value("--prove-password")],
        vec!["factor", "add", "pin", PIN],
        vec!["factor", "change", "4", PIN],
    ] {
        let run = user.login("phone", &arguments);
        assert_eq!(run.error(), (2, "usage".to_owned()), "{arguments:?}");
        assert!(
            message(&run).contains("secrets are never arguments"),
            "{run:?}"
        );
        // For people, too; no output has the secret.
        assert_eq!(user.world.human("phone", &arguments).exit, 2);
    }
    // There are no options that would take one, and a near miss is told.
    for option in [
        "--new-secret",
        "--pin-fil",
        "--pasword-file",
        "--answer-file",
    ] {
        let run = user.login("phone", &["open", option, "x"]);
        assert_eq!(run.error(), (2, "usage".to_owned()), "{option}");
        assert!(message(&run).contains(option), "{run:?}");
    }
    // Both ways at once.
    let pin = user.file("entered", PIN);
    for both in [
        vec!["open", "--pin", "--pin-file", &pin],
        vec!["open", "--password", "--password-file", &pin],
        vec!["drill", "--prove-pin", "--prove-pin-file", &pin],
        vec!["open", "--pin-file", &pin, "--pin-file", &pin],
    ] {
        assert_eq!(user.login("phone", &both).exit, 2, "{both:?}");
    }
    // Without a terminal nobody is asked.
    for asked in [
        vec!["open", "--pin"],
        vec!["open", "--password"],
        vec!["drill", "--prove-pin", "--pin-file", &pin],
    ] {
        let run = user.login("phone", &asked);
        assert_eq!(run.error(), (2, "usage".to_owned()), "{asked:?}");
    }
    for kind in ["password", "questions"] {
        let run = user.login("laptop", &["factor", "add", kind]);
        assert_eq!(run.error(), (2, "usage".to_owned()), "{kind}");
    }
    // None of that was a guess, wrong or right.
    assert_eq!(left(&user.open("phone", "--pin-file", WRONG_PIN)), 9);
    let run = user.open("phone", "--pin-file", "");
    assert_eq!(run.error(), bad("bad_secret"));
}
