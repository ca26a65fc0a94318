//! `wallet drill`: what works is shown to work, and noted down.

use serde_json::Value;

use super::{ANSWERS, PASSWORD, PIN, User, WRONG_PIN, bad, left, refused};
use crate::support::World;

fn health(run: &Value, index: u64) -> Value {
    let all = run["health"].as_array().unwrap().iter();
    let mut of_index = all.filter(|factor| factor["index"] == index);
    of_index.next().unwrap().clone()
}

#[test]
fn health_is_shown_without_proving_anything() {
    let user = User::start();
    let pin = user.add("pin", PIN);
    let shown = user.login("laptop", &["drill"]).ok();
    assert_eq!(shown["step"], "drill");
    assert!(shown["proven"].as_array().unwrap().is_empty());
    assert_eq!(shown["health"].as_array().unwrap().len(), 4);
    assert_eq!(
        shown["slots"],
        serde_json::json!({ "ended": 0, "waiting": 0, "left_over": 0 })
    );
    const DAY: u64 = 24 * 60 * 60;
    for (index, kind, due, use_by) in [
        (1, "social", None, None),
        (2, "device", None, None),
        (3, "recovery_phrase", Some(90 * DAY), None),
        (pin, "pin", Some(90 * DAY), Some(400 * DAY)),
    ] {
        let factor = health(&shown, index);
        let proven = factor["proven"].as_u64().unwrap();
        assert_eq!(
            (
                factor["kind"].as_str(),
                factor["due"].as_u64(),
                factor["use_by"].as_u64(),
                factor["overdue"].as_bool()
            ),
            (
                Some(kind),
                due.map(|after| proven + after),
                use_by.map(|after| proven + after),
                Some(false)
            ),
            "{factor}"
        );
    }
    // Nothing was noted: the record is the same.
    let again = user.login("laptop", &["drill"]).ok();
    assert_eq!(again["revision"], shown["revision"]);
    let human = user
        .world
        .human("laptop", &["drill", "--dev-user", "alice"]);
    assert!(
        human.stdout.contains("proves itself at every login")
            && human.stdout.contains("proven lately"),
        "{human:?}"
    );
}

#[test]
fn a_phrase_is_proven_and_a_wrong_one_is_not() {
    let user = User::start();
    let before = user.login("laptop", &["drill"]).ok();
    let phrase = user.world.text("phrase");
    // Times are noted in seconds.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let prove = ["drill", "--prove-phrase-file", &phrase];
    let proven = user.login("laptop", &prove).ok();
    assert_eq!(proven["proven"], serde_json::json!([3]));
    let times = [&before, &proven].map(|run| health(run, 3)["proven"].as_u64().unwrap());
    assert!(times[1] > times[0], "{times:?}");
    assert!(proven["revision"].as_u64() > before["revision"].as_u64());
    // Another device sees it.
    let open = ["drill", "--phrase-file", &phrase];
    let seen = user.login("phone", &open).ok();
    assert_eq!(health(&seen, 3), health(&proven, 3));

    let other = "legal winner thank year wave sausage worth useful legal winner thank yellow";
    let other = user.file("other", other);
    let prove = ["drill", "--prove-phrase-file", &other];
    assert_eq!(
        user.login("laptop", &prove).error(),
        bad("not_this_account")
    );
    let typo = user.file("typo", "legal winner thank");
    let prove = ["drill", "--prove-phrase-file", &typo];
    assert_eq!(user.login("laptop", &prove).error(), bad("bad_phrase"));
    let after = user.login("laptop", &["drill"]).ok();
    assert_eq!(
        (&after["revision"], health(&after, 3)),
        (&proven["revision"], health(&proven, 3))
    );
}

#[test]
fn a_dapp_share_is_proven() {
    let world = World::start();
    let login = ["--verifier", "house"];
    world.user_with_mfa("alice", "laptop", &login);
    let share = world.text("share");
    let run = |arguments: &[&str]| {
        let login = ["--dev-user", "alice", "--verifier", "house"];
        world.wallet("laptop", &[arguments, &login].concat())
    };
    let written = ["--words-out", &share, "--proof-file", &share];
    run(&[&["factor", "add", "dapp-share"][..], &written].concat()).ok();
    world.secret("share");
    let proven = run(&["drill", "--prove-dapp-share-file", &share]).ok();
    assert_eq!(proven["proven"], serde_json::json!([4]));
}

#[test]
fn what_is_known_is_proven_at_the_price_of_one_guess() {
    let user = User::start();
    let pin = user.add("pin", PIN);
    let password = user.add("password", PASSWORD);
    let questions = user.add_questions();
    let wrong = user.file("wrong", WRONG_PIN);
    // A wrong one costs a guess, the same that opening would have.
    let prove = ["drill", "--prove-pin-file", &wrong];
    assert_eq!(left(&user.login("laptop", &prove)), 9);
    assert_eq!(left(&user.open("phone", "--pin-file", WRONG_PIN)), 8);
    assert_eq!(left(&user.login("laptop", &prove)), 7);
    // A right one proves itself and gives the guesses back; several at once.
    let right = user.file("right", PIN);
    let known = user.file("known", PASSWORD);
    let answers = user.file(
        "answers",
        format!("1: {}\n4: {}\n5: {}\n", ANSWERS[0], ANSWERS[3], ANSWERS[4]),
    );
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let prove = [
        "drill",
        "--prove-pin-file",
        &right,
        "--prove-password-file",
        &known,
        "--prove-answers-file",
        &answers,
    ];
    let before = user.login("laptop", &["drill"]).ok();
    let proven = user.login("laptop", &prove).ok();
    assert_eq!(
        proven["proven"],
        serde_json::json!([pin, password, questions])
    );
    for index in [pin, password, questions] {
        let times = [&before, &proven].map(|run| health(run, index)["proven"].as_u64().unwrap());
        assert!(times[1] > times[0], "{index}: {times:?}");
    }
    assert_eq!(left(&user.open("phone", "--pin-file", WRONG_PIN)), 9);
    // What is not there cannot be proven.
    user.login("laptop", &["factor", "remove", &pin.to_string()])
        .ok();
    let prove = ["drill", "--prove-pin-file", &right];
    assert_eq!(
        user.login("laptop", &prove).error(),
        refused("unknown_factor")
    );
}

#[test]
fn several_secrets_come_from_standard_input_in_turn() {
    let user = User::start();
    let pin = user.add("pin", PIN);
    let password = user.add("password", PASSWORD);
    user.add_questions();
    // On a device that opens by the answers, which end with an empty line.
    let prove = [
        "drill",
        "--dev-user",
        "alice",
        "--answers-file",
        "-",
        "--prove-pin-file",
        "-",
        "--prove-password-file",
        "-",
    ];
    let input = format!(
        "1: {}\n2: {}\n3: {}\n\n{PIN}\n{PASSWORD}\n",
        ANSWERS[0], ANSWERS[1], ANSWERS[2]
    );
    let proven = user.world.wallet_with("phone", &prove, input.as_bytes());
    assert_eq!(proven.ok()["proven"], serde_json::json!([pin, password]));
    // More than anybody would write.
    let long = format!("1: {}\n", "x".repeat(60)).repeat(1200);
    let open = ["open", "--dev-user", "alice", "--answers-file", "-"];
    let run = user.world.wallet_with("phone", &open, long.as_bytes());
    assert_eq!(run.error(), bad("bad_input"));
}
