//! Guesses are counted for each factor that makes them.

use serde_json::json;

use super::{PIN, User, WRONG_PIN, left, message, refused};

#[test]
fn a_thief_of_the_login_spends_the_logins_guesses_only() {
    let user = User::start();
    user.add("pin", PIN);
    for expected in (1..10).rev() {
        let run = user.open("thief", "--pin-file", WRONG_PIN);
        assert_eq!(left(&run), expected);
        assert!(
            message(&run).contains("social \u{201c}google\u{201d}"),
            "{run:?}"
        );
    }
    let last = user.open("thief", "--pin-file", WRONG_PIN);
    assert_eq!(left(&last), 0);
    let said = message(&last);
    assert!(
        said.contains("last guess starting from social \u{201c}google\u{201d}")
            && said.contains("recovery_phrase \u{201c}recovery phrase\u{201d}")
            && !said.contains("pin \u{201c}PIN\u{201d}"),
        "{said}"
    );
    // Not even the right one; and it says so rather than call it wrong.
    let spent = user.open("thief", "--pin-file", PIN);
    assert_eq!(spent.error(), refused("guesses_spent"));

    // The owner's phrase has guesses of its own.
    let phrase = user.world.text("phrase");
    let by_phrase = |device: &str, pin: &str| {
        let file = user.file("entered", pin);
        let open = ["open", "--phrase-file", &phrase, "--pin-file", &file];
        user.world.wallet(device, &open)
    };
    assert_eq!(left(&by_phrase("phone", WRONG_PIN)), 9);
    assert_eq!(by_phrase("phone", PIN).ok()["address"], user.address);
    // A right guess makes a new slot where a counter was spent.
    user.opens("phone", "--pin-file", PIN);
    assert_eq!(left(&user.open("phone", "--pin-file", WRONG_PIN)), 9);
}

#[test]
fn the_right_pin_on_the_last_guess_opens() {
    let user = User::start();
    user.add("pin", PIN);
    for expected in (1..10).rev() {
        assert_eq!(left(&user.open("phone", "--pin-file", WRONG_PIN)), expected);
    }
    user.opens("phone", "--pin-file", PIN);
    assert_eq!(left(&user.open("phone", "--pin-file", WRONG_PIN)), 9);
}

#[test]
fn all_guesses_spent_it_is_gone_and_the_others_open() {
    let user = User::start();
    let pin = user.add("pin", PIN).to_string();
    let wrong = user.file("wrong", WRONG_PIN);
    let phrase = user.world.text("phrase");
    let login = vec!["--dev-user", "alice"];
    for (device, factors) in [
        ("thief", login.clone()),
        ("thief", vec!["--phrase-file", &phrase]),
        ("laptop", vec![]),
    ] {
        let open = [&["open", "--pin-file", &wrong][..], &factors].concat();
        for expected in (0..10).rev() {
            let run = user.world.wallet(device, &open);
            assert_eq!(left(&run), expected, "{factors:?}");
        }
    }
    let gone = user.open("phone", "--pin-file", PIN);
    assert_eq!(gone.error(), refused("slot_gone"), "{gone:?}");
    // Nothing else is lost, and another PIN takes its place.
    let words = ["open", "--phrase-file", &phrase];
    assert_eq!(user.login("phone", &words).ok()["address"], user.address);
    let new = user.file("new", PIN);
    let change = ["factor", "change", &pin, "--new-secret-file", &new];
    assert_eq!(
        user.login("laptop", &change).ok()["factor"]["kind"],
        json!("pin")
    );
    user.opens("phone", "--pin-file", PIN);
}

#[test]
fn counts_outlive_a_restart_of_every_server() {
    let mut user = User::start();
    user.add("pin", PIN);
    assert_eq!(left(&user.open("phone", "--pin-file", WRONG_PIN)), 9);
    user.world.server.take().unwrap().kill();
    user.world.serve();
    assert_eq!(left(&user.open("phone", "--pin-file", WRONG_PIN)), 8);
    user.opens("phone", "--pin-file", PIN);
}

#[test]
fn with_every_server_gone_no_guess_is_made() {
    let mut user = User::start();
    user.add("pin", PIN);
    user.world.stop();
    let run = user.open("phone", "--pin-file", PIN);
    assert_eq!(run.error(), (6, "offline".to_owned()));
    user.world.serve();
    assert_eq!(left(&user.open("phone", "--pin-file", WRONG_PIN)), 9);
}
