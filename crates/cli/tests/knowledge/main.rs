//! What the user knows, from the command line: passwords, PINs and security questions, with every way to get them wrong.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod bad_files;
mod counting;
mod drill;
mod life;
#[path = "../support/mod.rs"]
mod support;

use serde_json::Value;
use support::{Run, World};

const PIN: &str = "k7m2qx9w";
const WRONG_PIN: &str = "zq41mv8t";
const PASSWORD: &str = "vorpal staple Tr0ub4dor";
const QUESTIONS: &str = r#"
needed = 3

[[question]]
id = "first-concert"
answer = "Einstürzende Neubauten"

[[question]]
text = "What did the parrot say?"
answer = "Rhubarb and custard"

[[question]]
text = "Who fell into the canal?"
answer = "Ottoline Vandermeer"

[[question]]
text = "Which bridge?"
answer = "The crooked one by the mill"

[[question]]
text = "What was in the tin?"
answer = "Seventeen marbles"
"#;
/// What no output may contain: the answers, whole.
const ANSWERS: [&str; 5] = [
    "Einstürzende Neubauten",
    "Rhubarb and custard",
    "Ottoline Vandermeer",
    "The crooked one by the mill",
    "Seventeen marbles",
];

/// A user with MFA on: device `laptop`, the phrase in the file `phrase`.
struct User {
    world: World,
    address: String,
}

impl User {
    fn start() -> Self {
        let world = World::start();
        let address = world.user_with_mfa("alice", "laptop", &[]);
        for secret in [PIN, WRONG_PIN, PASSWORD].into_iter().chain(ANSWERS) {
            world.forbid(secret);
        }
        Self { world, address }
    }

    /// A new file with these bytes: its path.
    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        std::fs::write(self.world.path(name), content).unwrap();
        self.world.text(name)
    }

    /// `trefoil --json wallet …` by the login alone, on a device with this name.
    fn login(&self, device: &str, arguments: &[&str]) -> Run {
        let login = ["--dev-user", "alice"];
        self.world.wallet(device, &[arguments, &login].concat())
    }

    /// Adds a password or PIN on the laptop: its index.
    fn add(&self, kind: &str, secret: &str) -> u64 {
        let file = self.file(kind, secret);
        self.add_from(kind, "--new-secret-file", &file)
    }

    fn add_questions(&self) -> u64 {
        let file = self.file("questions", QUESTIONS);
        self.add_from("questions", "--questions-file", &file)
    }

    fn add_from(&self, kind: &str, option: &str, file: &str) -> u64 {
        let added = self.login("laptop", &["factor", "add", kind, option, file]);
        added.ok()["factor"]["index"].as_u64().unwrap()
    }

    /// Opens by the login and what this option says.
    fn open(&self, device: &str, option: &str, content: &str) -> Run {
        let file = self.file("entered", content);
        self.login(device, &["open", option, &file])
    }

    fn opens(&self, device: &str, option: &str, content: &str) {
        let opened = self.open(device, option, content).ok();
        assert_eq!(opened["address"], self.address, "{opened}");
    }
}

/// A wrong guess: how many are left.
fn left(run: &Run) -> u64 {
    assert_eq!(run.error(), (3, "wrong_guess".to_owned()), "{run:?}");
    run.lines().pop().unwrap()["guesses_left"].as_u64().unwrap()
}

fn message(run: &Run) -> String {
    let last = run.lines().pop().unwrap();
    last["message"].as_str().unwrap().to_owned()
}

fn refused(code: &str) -> (i32, String) {
    (5, code.to_owned())
}

fn bad(code: &str) -> (i32, String) {
    (3, code.to_owned())
}

fn kinds(list: &Value) -> Vec<&str> {
    let factors = list["factors"].as_array().unwrap().iter();
    factors
        .map(|factor| factor["kind"].as_str().unwrap())
        .collect()
}
