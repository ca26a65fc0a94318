//! With a person at the terminal: words are shown once and typed back unseen. `script` provides the terminal.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use support::World;

/// A command on a terminal of its own.
struct Terminal {
    child: Child,
    seen: String,
}

impl Terminal {
    fn start(command: &Command) -> Self {
        let words: Vec<String> = [command.get_program()]
            .into_iter()
            .chain(command.get_args())
            .map(|word| format!("'{}'", word.to_str().unwrap()))
            .collect();
        let mut script = Command::new("script");
        script.args([
            "--quiet",
            "--flush",
            "--return",
            "--command",
            &words.join(" "),
            "/dev/null",
        ]);
        let child = script
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            child,
            seen: String::new(),
        }
    }

    /// Reads until `text` has been shown, and returns what came since the last time.
    fn until(&mut self, text: &str) -> String {
        let mut fresh = String::new();
        let mut byte = [0];
        while !fresh.contains(text) {
            let read = self.child.stdout.as_mut().unwrap().read(&mut byte).unwrap();
            assert!(read > 0, "ended before {text:?}: {}{fresh}", self.seen);
            fresh.push(char::from(byte[0]));
        }
        self.seen.push_str(&fresh);
        fresh
    }

    /// Types a line, after the moment that a person takes: the prompt is written before the echo is off.
    fn enter(&mut self, line: &str) {
        std::thread::sleep(Duration::from_millis(400));
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Exit code, and what came at last.
    fn end(mut self) -> (i32, String) {
        let mut rest = Vec::new();
        self.child
            .stdout
            .as_mut()
            .unwrap()
            .read_to_end(&mut rest)
            .unwrap();
        (
            self.child.wait().unwrap().code().unwrap(),
            String::from_utf8_lossy(&rest).into_owned(),
        )
    }
}

/// The numbered words on the screen.
fn words_on(screen: &str) -> String {
    let mut words: Vec<(usize, String)> = Vec::new();
    let mut parts = screen.split_whitespace();
    while let Some(part) = parts.next() {
        if let Some(number) = part
            .strip_suffix('.')
            .and_then(|number| number.parse().ok())
        {
            words.push((number, parts.next().unwrap().to_owned()));
        }
    }
    words.sort_unstable();
    words
        .into_iter()
        .map(|(_, word)| word)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn words_are_shown_once_and_typed_back_unseen() {
    let world = World::start();
    world
        .wallet("laptop", &["login", "--dev-user", "alice"])
        .ok();
    let mut command = world.wallet_command("laptop");
    command.args(["mfa", "enable", "--dev-user", "alice"]);
    let mut terminal = Terminal::start(&command);
    let screen = terminal.until("Press Enter");
    let phrase = words_on(&screen);
    assert_eq!(phrase.split(' ').count(), 24, "{screen}");
    terminal.enter("");
    // The screen and what scrolled out of it are cleared before the words are asked for.
    terminal.until("\x1b[3J");
    terminal.until("recovery phrase, from where it is kept: ");
    terminal.enter(&phrase);
    let (exit, rest) = terminal.end();
    assert_eq!(exit, 0, "{rest}");
    assert!(
        rest.contains("MFA is on. Any 2 of your 3 factors"),
        "{rest}"
    );
    let first = phrase.split(' ').next().unwrap();
    assert!(!rest.contains(first), "what is typed is not shown: {rest}");

    // On a new device the wallet asks for what is missing.
    let mut command = world.wallet_command("phone");
    command.args(["open", "--dev-user", "alice"]);
    let mut terminal = Terminal::start(&command);
    let asked = terminal.until("recovery phrase: ");
    assert!(asked.contains("1 more factor is needed"), "{asked}");
    terminal.enter(&phrase);
    let (exit, rest) = terminal.end();
    assert_eq!(exit, 0, "{rest}");
    assert!(rest.contains("Your wallet: 0x"), "{rest}");
}

#[test]
fn a_recovery_kit_asks_for_words_until_they_are_enough() {
    let mut world = World::start();
    let address = world.user_with_mfa("alice", "laptop", &[]);
    let (kit, bank) = (world.text("kit"), world.text("bank"));
    let add = ["factor", "add", "phrase", "--dev-user", "alice"];
    let words = ["--words-out", &bank, "--proof-file", &bank];
    world.wallet("laptop", &[&add[..], &words].concat()).ok();
    let export = ["export", "--dev-user", "alice", "--kit-out", &kit];
    world.wallet("laptop", &export).ok();
    world.server.take().unwrap().kill();

    let (one, two) = (world.secret("phrase"), world.secret("bank"));
    let mut command = world.wallet_command("none");
    command.args(["recover", "--kit", &kit]);
    let mut terminal = Terminal::start(&command);
    let asked = terminal.until("or backup mail: ");
    assert!(asked.contains("and 2 are needed"), "{asked}");
    terminal.enter(&one);
    let asked = terminal.until("or backup mail: ");
    assert!(asked.contains("1 more factor is needed"), "{asked}");
    terminal.enter(&two);
    let (exit, rest) = terminal.end();
    assert_eq!(exit, 0, "{rest}");
    assert!(rest.contains(&address), "{rest}");
    for words in [&one, &two] {
        let first: Vec<&str> = words.split(' ').take(3).collect();
        assert!(!rest.contains(&first.join(" ")), "typed unseen: {rest}");
    }
}
