//! Phrases and shares as people mistype them: a clear error of its own kind, nothing repeated, nothing written.

mod support;

use support::World;

#[test]
fn a_mistyped_phrase_says_what_is_wrong() {
    let world = World::start();
    world.user_with_mfa("alice", "laptop", &[]);
    let phrase = world.secret("phrase");
    let words: Vec<&str> = phrase.split(' ').collect();
    let open = |text: &str| {
        world.wallet_with(
            "phone",
            &["open", "--dev-user", "alice", "--phrase-file", "-"],
            text.as_bytes(),
        )
    };
    let message = |text: &str| {
        open(text).lines().pop().unwrap()["message"]
            .as_str()
            .unwrap()
            .to_owned()
    };

    let mut typed = words.clone();
    typed[6] = "hunter2";
    assert_eq!(open(&typed.join(" ")).error(), (3, "bad_phrase".to_owned()));
    assert!(
        message(&typed.join(" ")).contains("word 7 "),
        "the position is told"
    );
    assert!(!message(&typed.join(" ")).contains("hunter2"));
    assert!(message(&words[..23].join(" ")).contains("23 words"));
    let mut swapped = words.clone();
    let other = (1..24).find(|index| words[*index] != words[0]).unwrap();
    swapped.swap(0, other);
    // One wrong order in 256 has a right checksum; then it is another phrase, and not the account's.
    assert!(
        ["bad_phrase", "not_this_account"].contains(&open(&swapped.join(" ")).error().1.as_str())
    );
    for text in [
        "",
        "\n",
        "abandon",
        &"abandon ".repeat(24),
        &"x".repeat(10_000),
    ] {
        assert_eq!(open(text).exit, 3, "{text:.20}");
    }
    assert_eq!(
        open("legal winner thank year wave sausage worth useful legal winner thank yellow")
            .error()
            .1,
        "not_this_account"
    );
    assert_eq!(
        world
            .wallet_with(
                "phone",
                &["open", "--phrase-file", "-"],
                &[0xFF, 0xFE, b'\n']
            )
            .error(),
        (3, "bad_input".to_owned())
    );
    assert_eq!(
        world
            .wallet("phone", &["open", "--phrase-file", "/no/such/file"])
            .error(),
        (1, "io".to_owned())
    );
    // Suggestions are for the eyes of the person at the terminal only.
    let mut near = words.clone();
    let close = format!("{}x", near[0]);
    near[0] = &close;
    std::fs::write(world.path("typed"), near.join(" ")).unwrap();
    let run = world.human("phone", &["open", "--phrase-file", &world.text("typed")]);
    assert!(run.stderr.contains("did you mean"), "{run:?}");
    assert!(!open(&near.join(" ")).stdout.contains("did you mean"));
    // It still opens.
    assert_eq!(open(&phrase).exit, 0);
}

#[test]
fn a_dapp_share_has_24_words() {
    let world = World::start();
    world.user_with_mfa("alice", "laptop", &[]);
    let twelve = "legal winner thank year wave sausage worth useful legal winner thank yellow";
    let run = world.wallet_with(
        "phone",
        &["open", "--dev-user", "alice", "--dapp-share-file", "-"],
        twelve.as_bytes(),
    );
    assert_eq!(run.error(), (3, "bad_phrase".to_owned()));
    assert!(run.stdout.contains("instead of 24"), "{run:?}");
}

#[test]
fn a_prompt_needs_a_terminal() {
    let world = World::start();
    world
        .wallet("laptop", &["login", "--dev-user", "alice"])
        .ok();
    for asked in ["--phrase", "--dapp-share", "--id-token"] {
        let run = world.wallet("laptop", &["open", asked]);
        assert_eq!(run.error(), (2, "usage".to_owned()), "{asked}");
    }
}
