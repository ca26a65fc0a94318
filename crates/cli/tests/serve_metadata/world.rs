//! One metadata server, and what a client of it sends.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use trefoil::Tenant;
use trefoil_protocol::factor::{FactorKeys, FactorSecret};
use trefoil_protocol::problem::Problem;
use trefoil_protocol::statement::{Context, SignedStatement, StatementBody};
use trefoil_protocol::wire::LoginRequest;

use crate::support::{Server, command};

pub(crate) const AUDIENCE: &str = "https://meta.example";

pub(crate) struct World {
    pub(crate) directory: tempfile::TempDir,
}

impl AsRef<Path> for World {
    fn as_ref(&self) -> &Path {
        self.directory.path()
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Writes a file that only its owner may read.
    pub(crate) fn write_private(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Settings on a free port, with more lines of which tables come last.
    pub(crate) fn config(&self, more: &str) -> String {
        let text = format!(
            "listen = \"127.0.0.1:0\"\npublic_url = \"{AUDIENCE}\"\ndata = \"{}\"\ntenants = [\"acme\"]\n{more}",
            self.text("data"),
        );
        std::fs::write(self.path("metadata.toml"), text).unwrap();
        self.text("metadata.toml")
    }

    pub(crate) fn command(&self, more: &str) -> Command {
        let mut command = command();
        let config = self.config(more);
        command.args(["--json", "serve", "metadata", "--config", &config]);
        command
    }

    pub(crate) fn serve(&self, more: &str) -> Server {
        Server::start(&mut self.command(more))
    }
}

/// Port that a server has taken.
pub(crate) fn port(server: &Server, field: &str) -> u16 {
    let address = server.serving[field].as_str().unwrap();
    address.rsplit_once(':').unwrap().1.parse().unwrap()
}

pub(crate) fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port(server, "listen"))).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(40)))
        .unwrap();
    stream
}

/// A login with this factor, whose owner never made an account: the server verifies it and finds nobody.
pub(crate) fn login_body(factor: u8) -> String {
    let tenant = Tenant::new("acme").unwrap();
    let keys = FactorKeys::derive(&tenant, &FactorSecret::from_bytes([factor; 32]));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let context = Context {
        aud: AUDIENCE,
        tenant: &tenant,
        now: now.as_secs(),
    };
    let mut rng = trefoil::Environment::system().rng();
    let statement = SignedStatement::sign(StatementBody::Login {}, keys.auth(), context, &mut rng);
    let request = LoginRequest {
        statements: vec![statement],
    };
    serde_json::to_string(&request).unwrap()
}

/// The same factor's statement with the signature of another of its statements.
pub(crate) fn forged_login_body(factor: u8) -> String {
    let [mut body, other] =
        [(), ()].map(|()| serde_json::from_str::<Value>(&login_body(factor)).unwrap());
    body["statements"][0]["signature"] = other["statements"][0]["signature"].clone();
    body.to_string()
}

/// An answer over HTTP/1.1.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(held, _)| held.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn problem(&self) -> Problem {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").expect("a whole answer");
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap());
        let mut answer = Self {
            status: status.parse().unwrap(),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            body: body.to_owned(),
        };
        // A second answer may follow to what was sent meanwhile.
        if let Some(length) = answer.header("content-length") {
            answer.body = body.chars().take(length.parse().unwrap()).collect();
        }
        answer
    }
}

/// One request on a connection of its own.
pub(crate) fn send(
    server: &Server,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    send_to(port(server, "listen"), method, path, headers, body)
}

pub(crate) fn send_to(
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(40)))
        .unwrap();
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        text.push_str("content-type: application/json\r\n");
    }
    text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    Answer::parse(&answer)
}

pub(crate) fn get(server: &Server, path: &str) -> Answer {
    send(server, "GET", path, &[], "")
}

pub(crate) fn login(server: &Server, factor: u8, headers: &[(&str, &str)]) -> Answer {
    send(
        server,
        "POST",
        "/v1/acme/sessions",
        headers,
        &login_body(factor),
    )
}
