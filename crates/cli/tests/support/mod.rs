//! The real binary, real servers in other processes, and an eye on what must never be printed.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]
#![allow(dead_code, reason = "each test file uses another part")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use serde_json::Value;

/// What a run of the command came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Every line of stdout as a JSON object.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
            .collect()
    }

    /// The last JSON object, of a run that succeeded.
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.exit, 0, "{self:?}");
        self.lines().pop().unwrap()
    }

    /// Exit code and error code of a run that failed, as JSON says them.
    pub(crate) fn error(&self) -> (i32, String) {
        let last = self.lines().pop().unwrap();
        assert_eq!(last["step"], "error", "{self:?}");
        assert_eq!(last["exit_code"], self.exit, "{self:?}");
        assert!(!last["message"].as_str().unwrap().is_empty());
        (self.exit, last["error"].as_str().unwrap().to_owned())
    }
}

pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trefoil"));
    for name in [
        "TREFOIL_NETWORK",
        "TREFOIL_DEVICE_DIR",
        "TREFOIL_DATA",
        "TREFOIL_SEALING_KEYS_FILE",
        "TREFOIL_LISTEN",
        "TREFOIL_LOG",
        "TREFOIL_METRICS",
        "TREFOIL_PUBLIC_URL",
        "TREFOIL_MANIFEST",
        "TREFOIL_NODE_SECRETS",
        "TREFOIL_VERIFIERS",
        "TREFOIL_KEY_FILE",
        "TREFOIL_TLS_CERTIFICATE",
        "TREFOIL_TLS_KEY",
    ] {
        command.env_remove(name);
    }
    command
}

/// Runs the binary with these arguments and this standard input.
pub(crate) fn trefoil(arguments: &[&str], input: &[u8]) -> Run {
    finish(command().args(arguments), input)
}

pub(crate) fn finish(command: &mut Command, input: &[u8]) -> Run {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The command may end without having read everything.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    Run {
        exit: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A server process of `trefoil serve …`, which has said that it serves.
pub(crate) struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
    pub(crate) serving: Value,
}

impl Server {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_logging(command, Stdio::null())
    }

    pub(crate) fn start_logging(command: &mut Command, log: Stdio) -> Self {
        Self::spawn(command.stdin(Stdio::null()).stderr(log))
    }

    /// With a standard input that stays open until [`Server::close_stdin`].
    pub(crate) fn start_with_stdin(command: &mut Command) -> Self {
        Self::spawn(command.stdin(Stdio::piped()).stderr(Stdio::null()))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let serving: Value =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("not serving: {line}"));
        assert_eq!(serving["step"], "serving", "{serving}");
        Self {
            child,
            output,
            serving,
        }
    }

    /// The next thing it says.
    pub(crate) fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line:?}"))
    }

    pub(crate) fn close_stdin(&mut self) {
        drop(self.child.stdin.take().unwrap());
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end: the exit code.
    pub(crate) fn ended(mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap()
    }

    /// Ends it without warning.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and expects that it ends well.
    pub(crate) fn stop(mut self) {
        let asked = Command::new("kill")
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(asked.success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `trefoil serve dev` and a user with devices, in a directory of their own.
pub(crate) struct World {
    pub(crate) server: Option<Server>,
    pub(crate) directory: tempfile::TempDir,
    /// What no output may contain.
    secrets: Mutex<Vec<String>>,
}

impl World {
    pub(crate) fn start() -> Self {
        let mut world = Self {
            server: None,
            directory: tempfile::tempdir().unwrap(),
            secrets: Mutex::default(),
        };
        world.serve();
        world
    }

    pub(crate) fn serve(&mut self) {
        let data = self.path("dev");
        self.server = Some(Server::start(
            command()
                .args(["--json", "serve", "dev", "--data"])
                .arg(data),
        ));
    }

    pub(crate) fn stop(&mut self) {
        self.server.take().unwrap().stop();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Reads a file with a secret; from then on no output may contain it.
    pub(crate) fn secret(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.path(name))
            .unwrap()
            .trim()
            .to_owned();
        self.forbid(&text);
        text
    }

    pub(crate) fn forbid(&self, secret: &str) {
        self.secrets.lock().unwrap().push(secret.to_owned());
    }

    /// `trefoil --json wallet …` on the user's device of this name.
    pub(crate) fn wallet(&self, device: &str, arguments: &[&str]) -> Run {
        self.wallet_with(device, arguments, b"")
    }

    pub(crate) fn wallet_with(&self, device: &str, arguments: &[&str], input: &[u8]) -> Run {
        let run = finish(
            self.wallet_command(device).arg("--json").args(arguments),
            input,
        );
        assert_eq!(run.stderr, "", "with --json everything is on stdout");
        self.check(&run);
        run
    }

    /// The same for people.
    pub(crate) fn human(&self, device: &str, arguments: &[&str]) -> Run {
        let run = finish(self.wallet_command(device).args(arguments), b"");
        self.check(&run);
        run
    }

    pub(crate) fn wallet_command(&self, device: &str) -> Command {
        let mut command = command();
        command
            .args(["wallet", "--network"])
            .arg(self.path("dev/network.json"));
        command.arg("--device-dir").arg(self.path(device));
        command
    }

    fn check(&self, run: &Run) {
        for secret in self.secrets.lock().unwrap().iter() {
            for output in [&run.stdout, &run.stderr] {
                assert!(
                    !output.contains(secret.as_str()),
                    "a secret was printed: {output}"
                );
            }
        }
    }

    /// A new user with MFA on: on `device`, the phrase in the file `phrase`. Returns the address.
    pub(crate) fn user_with_mfa(&self, user: &str, device: &str, more: &[&str]) -> String {
        let factors = [&["--dev-user", user][..], more].concat();
        let login = self
            .wallet(device, &[&["login"][..], &factors].concat())
            .ok();
        let words = self.text("phrase");
        let drill = [
            "mfa",
            "enable",
            "--words-out",
            &words,
            "--proof-file",
            &words,
        ];
        let enabled = self.wallet(device, &[&drill[..], &factors].concat()).ok();
        assert_eq!(enabled["address"], login["address"]);
        self.secret("phrase");
        login["address"].as_str().unwrap().to_owned()
    }
}

/// A command under way, line by line.
pub(crate) struct Talk {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Talk {
    /// Standard error is inherited unless the command says otherwise.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self {
            input: child.stdin.take(),
            child,
            output,
        }
    }

    pub(crate) fn hear(&mut self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line:?}"))
    }

    /// The next line for people; empty at the end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line
    }

    /// The first line of a standard error that is not inherited.
    pub(crate) fn complaint(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.child.stderr.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        line
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for an end without an exit code.
    pub(crate) fn ended_by_signal(mut self) {
        assert_eq!(self.child.wait().unwrap().code(), None);
    }

    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    pub(crate) fn end(mut self) -> (i32, Vec<Value>) {
        drop(self.input.take());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        let lines = rest
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        (self.child.wait().unwrap().code().unwrap(), lines)
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A user logs in at a development provider in a browser, so to speak.
pub(crate) fn id_token(dev_token_url: &str, user: &str, nonce: &str) -> String {
    let rest = dev_token_url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let body = serde_json::json!({ "sub": user, "nonce": nonce }).to_string();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "POST /{path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let json = answer.split_once("\r\n\r\n").expect("a whole answer").1;
    let answer: Value = serde_json::from_str(json).unwrap();
    answer["id_token"].as_str().unwrap().to_owned()
}

/// Every file below a directory.
pub(crate) fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Free a moment ago, and not of those that systems give to clients; a manifest names ports, so they must be known
/// before the nodes start. Tests that run at the same time look in places of their own.
pub(crate) fn free_ports(count: usize) -> Vec<u16> {
    let first = 10_000 + u16::try_from(std::process::id() % 600).unwrap() * 15;
    let free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (first..20_000).filter(free).take(count).collect()
}
