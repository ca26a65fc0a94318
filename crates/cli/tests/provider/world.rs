//! `oidc-provider`, three nodes that know it, a metadata server, and a wallet on several devices.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use url::Url;

use crate::browser::{Browser, Page};
use crate::support::{Server, Talk, command, free_ports, trefoil};

/// The provider's process.
struct Provider {
    child: Child,
    /// Kept open: it ends when it cannot write.
    _output: BufReader<ChildStdout>,
    issuer: String,
}

impl Provider {
    fn start() -> Self {
        let folder = installed();
        let script = folder.join("server.mjs");
        let node = std::fs::read_to_string(folder.join("node")).unwrap();
        let mut child = Command::new(node)
            .arg(&script)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // It warns that it is for development.
            .stderr(Stdio::null())
            .spawn()
            .expect("Node.js; `cargo xtask oidc-provider` finds or installs it");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("`node {}` does not serve: {line:?}", script.display()));
        Self {
            child,
            _output: output,
            issuer: said["issuer"].as_str().unwrap().to_owned(),
        }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where `cargo xtask test` puts the provider.
fn installed() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let folder = std::env::var_os("TREFOIL_OIDC_PROVIDER")
        .map_or_else(|| target.join("tools/oidc-provider"), PathBuf::from);
    assert!(
        folder.join("installed-lock.json").is_file(),
        "{} does not hold the OpenID provider: `cargo xtask test` installs it, `cargo xtask oidc-provider` it alone",
        folder.display()
    );
    folder
}

pub(crate) struct World {
    provider: Provider,
    metadata_url: String,
    _servers: Vec<Server>,
    directory: tempfile::TempDir,
}

impl World {
    pub(crate) fn start() -> Self {
        let provider = Provider::start();
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        let ports = free_ports(4);
        let urls: Vec<String> = ports
            .iter()
            .map(|port| format!("http://127.0.0.1:{port}"))
            .collect();

        let net = path("net");
        let mut dealer = vec![
            "--json",
            "network",
            "dealer",
            "--threshold",
            "2",
            "--out",
            &net,
        ];
        for url in &urls[..3] {
            dealer.extend(["--node", url]);
        }
        trefoil(&dealer, b"").ok();

        // The same users for each of the app's clients: `sub` is the user's name.
        let verifiers = path("verifiers.toml");
        let verifier = format!(
            "[[verifier]]\ntenant = \"acme\"\nid = \"social\"\nissuer = \"{}\"\n\
             audiences = [\"wallet\", \"wallet-eddsa\", \"wallet-secret\", \"wallet-nonce\"]\n",
            provider.issuer
        );
        std::fs::write(&verifiers, verifier).unwrap();
        let manifest = path("net/manifest.json");
        let mut servers = Vec::new();
        for (index, port) in (1..=3).zip(&ports) {
            let listen = format!("127.0.0.1:{port}");
            let secrets = path(&format!("net/node-{index}.secret.json"));
            servers.push(Server::start(command().args([
                "--json",
                "serve",
                "node",
                "--listen",
                &listen,
                "--manifest",
                &manifest,
                "--secrets",
                &secrets,
                "--verifiers",
                &verifiers,
            ])));
        }
        let listen = format!("127.0.0.1:{}", ports[3]);
        let records = path("records");
        servers.push(Server::start(command().args([
            "--json", "serve", "metadata", "--listen", &listen, "--data", &records, "--tenant",
            "acme",
        ])));

        let manifest: Value =
            serde_json::from_str(&std::fs::read_to_string(&manifest).unwrap()).unwrap();
        let app = json!({
            "version": 1,
            "metadata_url": urls[3],
            "tenant": "acme",
            "verifiers": [{ "id": "social", "custom": false }],
            "manifest": manifest,
        });
        std::fs::write(path("app.json"), app.to_string()).unwrap();
        Self {
            provider,
            metadata_url: urls[3].clone(),
            _servers: servers,
            directory,
        }
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.provider.issuer
    }

    pub(crate) fn metadata_url(&self) -> &str {
        &self.metadata_url
    }

    pub(crate) fn text(&self, name: &str) -> String {
        let path = self.directory.path().join(name);
        path.to_str().unwrap().to_owned()
    }

    /// `trefoil --json wallet …` on this device.
    pub(crate) fn wallet(&self, device: &str, arguments: &[&str]) -> Command {
        let mut command = self.human(device, arguments);
        command.arg("--json");
        command
    }

    /// The same for people.
    pub(crate) fn human(&self, device: &str, arguments: &[&str]) -> Command {
        let mut command = command();
        command
            .args(["wallet", "--network", &self.text("app.json")])
            .args(["--device-dir", &self.text(device)])
            .args(arguments);
        command
    }

    /// The same with a login in the browser, up to the moment at which the user is sent there.
    pub(crate) fn begin(&self, device: &str, client: &str, arguments: &[&str]) -> (Talk, Url) {
        let mut command = self.wallet(device, arguments);
        command.args([
            "--issuer",
            self.issuer(),
            "--client-id",
            client,
            "--no-browser",
        ]);
        let mut talk = Talk::start(&mut command);
        let address = address(&mut talk);
        (talk, address)
    }

    /// A command with a login of this user in a new browser, from begin to end.
    pub(crate) fn run(
        &self,
        device: &str,
        client: &str,
        arguments: &[&str],
        user: &str,
    ) -> (i32, Value) {
        let (talk, address) = self.begin(device, client, arguments);
        let mut browser = Browser::new();
        let back = browser.log_in(&address, user);
        let page = browser.get(&back);
        assert!(goodbye(&page), "{page:?}");
        finish(talk, &[&back])
    }

    /// An ID token for the app `wallet`, obtained without it.
    pub(crate) fn id_token(&self, user: &str, nonce: &str) -> String {
        // RFC 7636 appendix B.
        const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let back = "http://127.0.0.1:9/callback";
        let address = Url::parse_with_params(
            &format!("{}/auth", self.issuer()),
            [
                ("client_id", "wallet"),
                ("response_type", "code"),
                ("scope", "openid"),
                ("redirect_uri", back),
                ("nonce", nonce),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
            ],
        );
        let mut browser = Browser::new();
        let came = browser.log_in(&address.unwrap(), user);
        let answer = browser.post(
            &Url::parse(&format!("{}/token", self.issuer())).unwrap(),
            &[
                ("client_id", "wallet"),
                ("grant_type", "authorization_code"),
                ("code", &parameter(&came, "code")),
                ("redirect_uri", back),
                ("code_verifier", VERIFIER),
            ],
        );
        let answer: Value = serde_json::from_str(&answer.body).unwrap();
        answer["id_token"].as_str().unwrap().to_owned()
    }
}

/// The address to which a command sends its user.
pub(crate) fn address(talk: &mut Talk) -> Url {
    let line = talk.hear();
    assert_eq!(line["step"], "browser", "{line}");
    Url::parse(line["url"].as_str().unwrap()).unwrap()
}

/// Exit code and last line. No line holds a token, or the code of one of these redirects.
pub(crate) fn finish(talk: Talk, redirects: &[&Url]) -> (i32, Value) {
    let (exit, lines) = talk.end();
    let text = format!("{lines:?}");
    assert!(!text.contains("eyJ"), "{text}");
    for redirect in redirects {
        for (name, value) in redirect.query_pairs() {
            assert!(
                name != "code" || !text.contains(&*value),
                "the code was printed: {text}"
            );
        }
    }
    (exit, lines.last().unwrap().clone())
}

/// Exit code and error code of what did not work, which was told in words.
pub(crate) fn error((exit, line): &(i32, Value)) -> (i32, &str) {
    assert_eq!(line["step"], "error", "{line}");
    assert_eq!(line["exit_code"], *exit);
    (*exit, line["error"].as_str().unwrap())
}

pub(crate) fn parameter(url: &Url, name: &str) -> String {
    url.query_pairs()
        .find_map(|(key, value)| (key == name).then(|| value.into_owned()))
        .unwrap_or_else(|| panic!("no {name} in {url}"))
}

/// The page that sends the user back to the terminal, without anything that could run or remember.
pub(crate) fn goodbye(page: &Page) -> bool {
    page.status == 200
        && page.body.contains("close this window")
        && page.headers["cache-control"] == "no-store"
        && page.headers["content-security-policy"] == "default-src 'none'"
}
