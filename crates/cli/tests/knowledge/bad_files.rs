//! Files and secrets that cannot be used: refused with a reason that repeats nothing of them, at the price of no guess.

use super::{ANSWERS, PIN, QUESTIONS, User, WRONG_PIN, bad, left, message};

#[test]
fn the_worst_passwords_and_pins_are_refused_with_the_reason() {
    let user = User::start();
    let add = |kind: &str, secret: &[u8]| {
        let file = user.file("new", secret);
        user.login(
            "laptop",
            &["factor", "add", kind, "--new-secret-file", &file],
        )
    };
    for (kind, secret, reason) in [
        ("password", "dragon12", "too easily"),
        ("password", "qwertyuiop", "too easily"),
        ("password", "my mailbox", "too easily"),
        ("password", "", "nothing was entered"),
        ("password", "two\nlines", "control"),
        ("pin", "123456", "too easily"),
        ("pin", "987654", "too easily"),
        ("pin", "aaaaaaaa", "too easily"),
        ("pin", "k7m2q", "6 to 64"),
        ("pin", "k7m2-qx9w", "letters"),
        ("pin", "", "nothing was entered"),
        ("pin", "\n", "nothing was entered"),
    ] {
        let label = ["--label", "my mailbox"];
        let file = user.file("new", secret);
        let arguments = ["factor", "add", kind, "--new-secret-file", &file];
        let run = user.login("laptop", &[&arguments[..], &label].concat());
        assert_eq!(run.error(), bad("bad_secret"), "{kind} {secret}");
        let said = message(&run);
        assert!(said.contains(reason), "{kind} {secret}: {said}");
        assert!(secret.trim().is_empty() || !said.contains(secret), "{said}");
    }
    let long = "Vq8 ".repeat(300);
    assert_eq!(add("password", long.as_bytes()).error(), bad("bad_secret"));
    assert_eq!(
        add("pin", "k7".repeat(33).as_bytes()).error(),
        bad("bad_secret")
    );
    assert_eq!(
        add("password", &vec![b'x'; 2 << 20]).error(),
        bad("file_too_large")
    );
    assert_eq!(add("password", &[0xFF, 0xFE]).exit, 1);
    let missing = user.world.text("missing");
    let run = user.login(
        "laptop",
        &["factor", "add", "pin", "--new-secret-file", &missing],
    );
    assert_eq!(run.error(), (1, "io".to_owned()));
    let list = user.login("laptop", &["factor", "list"]).ok();
    assert_eq!(
        list["factors"].as_array().unwrap().len(),
        3,
        "none was added"
    );
}

#[test]
fn questions_that_cannot_be_asked() {
    let user = User::start();
    let add = |content: &str| {
        let file = user.file("questions", content);
        user.login(
            "laptop",
            &["factor", "add", "questions", "--questions-file", &file],
        )
    };
    let question =
        |text: &str, answer: &str| format!("[[question]]\ntext = {text:?}\nanswer = {answer:?}\n");
    let [a, b, c] = [ANSWERS[1], ANSWERS[2], ANSWERS[3]];
    let two = format!("{}{}", question("What?", a), question("Who?", b));
    let long = "why ".repeat(60);
    let many =
        (0..9).map(|number| question(&format!("Number {number}?"), &format!("{a} {number}")));
    let many = format!("needed = 4\n{}", many.collect::<String>());
    for (what, content) in [
        ("nothing", String::new()),
        ("no TOML", format!("1: {a}\n")),
        ("an answer without its quotes", QUESTIONS.replace('"', "")),
        ("half a file", QUESTIONS[..QUESTIONS.len() - 12].to_owned()),
        ("an unknown field", QUESTIONS.replacen("answer", "reply", 1)),
        (
            "an answer that is no text",
            QUESTIONS.replacen(&format!("{a:?}"), "17", 1),
        ),
        (
            "needed is no number",
            QUESTIONS.replace("needed = 3", "needed = \"x\""),
        ),
        (
            "needed below nothing",
            QUESTIONS.replace("needed = 3", "needed = -3"),
        ),
        (
            "one is enough",
            QUESTIONS.replace("needed = 3", "needed = 1"),
        ),
        (
            "more than there are",
            QUESTIONS.replace("needed = 3", "needed = 6"),
        ),
        ("fewer than the default asks for", two.clone()),
        ("too many sets of answers", many),
        (
            "no such question in the bank",
            QUESTIONS.replace("first-concert", "last-concert"),
        ),
        (
            "of the bank and the user's own",
            QUESTIONS.replacen("text =", "id = \"first-concert\"\ntext =", 1),
        ),
        (
            "neither",
            QUESTIONS.replacen("id = \"first-concert\"\n", "", 1),
        ),
        ("twice the same", format!("{two}{}", question("What?", c))),
        (
            "two with one answer",
            format!("{two}{}", question("Why?", &a.to_uppercase())),
        ),
        ("no question", format!("{two}{}", question(" ", c))),
        ("too long", format!("{two}{}", question(&long, c))),
        (
            "an answer too short",
            format!("{two}{}", question("Why?", "ab")),
        ),
        ("no answer", format!("{two}{}", question("Why?", ""))),
        (
            "all too easy",
            format!(
                "needed = 2\n{}{}{}",
                question("Colour?", "red"),
                question("Pet?", "dog"),
                question("Parent?", "mom")
            ),
        ),
    ] {
        // No output has an answer: the parser's own message would quote the line.
        let run = add(&content);
        assert_eq!(run.exit, 3, "{what}: {run:?}");
        assert_eq!(run.error(), bad("bad_questions"), "{what}");
        for part in ["Rhubarb", "Ottoline", "crooked", "marbles", "Neubauten"] {
            assert!(!run.stdout.contains(part), "{what}: {run:?}");
        }
    }
    let list = user.login("laptop", &["factor", "list"]).ok();
    assert_eq!(
        list["factors"].as_array().unwrap().len(),
        3,
        "none was added"
    );
    // Two of two of the user's own can be asked.
    add(&format!("needed = 2\n{two}")).ok();
    user.opens("phone", "--answers-file", &format!("1: {a}\n2: {b}\n"));
}

#[test]
fn answers_that_cannot_be_tried_cost_no_guess() {
    let user = User::start();
    user.add_questions();
    let three = [1, 2, 3].map(|number| format!("{number}: {}\n", ANSWERS[number - 1]));
    let right = three.concat();
    for (what, content, code) in [
        ("nothing", String::new(), "bad_secret"),
        ("no numbers", ANSWERS.join("\n"), "bad_input"),
        (
            "a word for a number",
            right.replace("1:", "one:"),
            "bad_input",
        ),
        (
            "a number below nothing",
            right.replace("1:", "-1:"),
            "bad_input",
        ),
        ("too few", three[..2].concat(), "bad_secret"),
        (
            "too many",
            format!("{right}4: {}\n", ANSWERS[3]),
            "bad_secret",
        ),
        ("question 0", right.replace("1:", "0:"), "bad_secret"),
        ("question 6", right.replace("1:", "6:"), "bad_secret"),
        ("one twice", right.replace("1:", "2:"), "bad_secret"),
        (
            "an empty answer",
            right.replace(ANSWERS[0], " "),
            "bad_secret",
        ),
        (
            "a character that Unicode has not assigned",
            right.replace(ANSWERS[0], "a\u{378}b"),
            "bad_secret",
        ),
    ] {
        let run = user.open("phone", "--answers-file", &content);
        assert_eq!(run.error(), bad(code), "{what}: {run:?}");
        for part in ["Rhubarb", "Ottoline", "crooked", "marbles", "Neubauten"] {
            assert!(!run.stdout.contains(part), "{what}: {run:?}");
        }
    }
    // Answers under each other's numbers are a wrong guess, and so is one that fits another question.
    let mixed = format!("1: {}\n2: {}\n3: {}\n", ANSWERS[1], ANSWERS[0], ANSWERS[2]);
    assert_eq!(left(&user.open("phone", "--answers-file", &mixed)), 9);
    // One wrong among them says no more than all wrong.
    let one_wrong = right.replace(ANSWERS[0], "Kraftwerk in Utrecht");
    let one = user.open("phone", "--answers-file", &one_wrong);
    let all = user.open(
        "phone",
        "--answers-file",
        "1: no idea\n2: nor here\n3: nor there\n",
    );
    assert_eq!((left(&one), left(&all)), (8, 7));
    assert_eq!(
        message(&one).replace('8', "N"),
        message(&all).replace('7', "N")
    );
    user.opens("phone", "--answers-file", &right);
}

#[test]
fn pins_and_passwords_that_cannot_be_one_cost_no_guess() {
    let user = User::start();
    user.add("pin", PIN);
    for text in [
        "",
        "\n",
        "k7m2q",
        "k7m2-qx9w",
        "k7m2qx9w\nk7m2qx9w",
        &"x".repeat(65),
    ] {
        let run = user.open("phone", "--pin-file", text);
        assert_eq!(run.error(), bad("bad_secret"), "{text:?}");
    }
    // There is no password to guess at.
    let run = user.open("phone", "--password-file", WRONG_PIN);
    assert_eq!(run.error(), (5, "unknown_factor".to_owned()));
    let missing = user.world.text("missing");
    let run = user.login("phone", &["open", "--pin-file", &missing]);
    assert_eq!(run.error(), (1, "io".to_owned()));
    let ended = ["open", "--dev-user", "alice", "--pin-file", "-"];
    assert_eq!(user.world.wallet("phone", &ended).error(), bad("bad_input"));
    assert_eq!(left(&user.open("phone", "--pin-file", WRONG_PIN)), 9);
}
