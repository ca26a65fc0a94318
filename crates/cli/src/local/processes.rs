//! Nodes as processes of their own, which end with this one.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use trefoil::{Environment, Tenant, VerifierId};
use trefoil_protocol::bytes::AuthKey;
use trefoil_protocol::social::NodeKey;
use trefoil_testkit::oidc::OpenIdProvider;

use super::{VERIFIERS, audience, unexpected};
use crate::failure::{Exit, Failure};
use crate::files;

/// Within which a node must say that it serves.
const PATIENCE: Duration = Duration::from_secs(30);

/// `trefoil serve node` for each address.
#[derive(Debug)]
pub(crate) struct NodeProcesses {
    nodes: Vec<NodeProcess>,
}

#[derive(Debug)]
struct NodeProcess {
    url: String,
    child: Child,
    // Kept open: a node that cannot write what it has to say would stumble.
    _said: BufReader<ChildStdout>,
}

impl NodeProcesses {
    /// Starts a node on each address, with its data in `directory`.
    pub(super) async fn start(
        directory: &Path,
        addresses: &[SocketAddr],
        tenant: &Tenant,
        providers: &[(VerifierId, OpenIdProvider)],
        coordinator: AuthKey,
        permits: AuthKey,
    ) -> Result<Self, Failure> {
        let verifiers = directory.join("verifiers.toml");
        files::write(&verifiers, &verifiers_toml(tenant, providers, permits))?;
        let mut begun = Vec::new();
        for (number, address) in (1..).zip(addresses) {
            let settings = settings(directory, number, *address, &verifiers, coordinator)?;
            begun.push((
                format!("http://{address}"),
                spawn(directory, number, &settings)?,
            ));
        }
        // All at once: each takes a moment to come up.
        let mut nodes = Vec::new();
        for (url, child) in begun {
            nodes.push(serving(url, child).await?);
        }
        Ok(Self { nodes })
    }

    /// Kills the first `count` nodes without warning, and names them.
    pub(crate) async fn kill(&mut self, count: usize) -> Result<Vec<String>, Failure> {
        let mut killed = Vec::new();
        for node in self.nodes.iter_mut().take(count) {
            node.child
                .kill()
                .await
                .map_err(|error| unexpected(&error))?;
            killed.push(node.url.clone());
        }
        Ok(killed)
    }
}

/// Key and settings of one node, as an operator would write them.
fn settings(
    directory: &Path,
    number: u16,
    address: SocketAddr,
    verifiers: &Path,
    coordinator: AuthKey,
) -> Result<PathBuf, Failure> {
    let home = directory.join(format!("node-{number}"));
    files::private_directory(&home)?;
    let key_file = home.join("node.key");
    if !key_file.exists() {
        let key = NodeKey::random(&mut Environment::system().rng());
        files::write_new_private(&key_file, &key.expose_json())?;
    }
    let mut table = toml::Table::new();
    let mut set = |field: &str, value: toml::Value| table.insert(field.to_owned(), value);
    let path = |path: &Path| toml::Value::String(path.display().to_string());
    set("listen", address.to_string().into());
    set("public_url", format!("http://{address}").into());
    set("verifiers", path(verifiers));
    set("data", path(&home));
    set("key_file", path(&key_file));
    // Everybody here has one address.
    let unlimited = [("address_per_minute".to_owned(), toml::Value::Integer(0))];
    set(
        "limits",
        toml::Value::Table(unlimited.into_iter().collect()),
    );
    let trusted = [
        ("coordinator".to_owned(), coordinator.to_string().into()),
        ("trust".to_owned(), "any".into()),
    ];
    set(
        "ceremony",
        toml::Value::Table(trusted.into_iter().collect()),
    );
    let settings = home.join("node.toml");
    let text = toml::to_string(&table).map_err(|error| unexpected(&error))?;
    files::write(&settings, &text)?;
    Ok(settings)
}

fn verifiers_toml(
    tenant: &Tenant,
    providers: &[(VerifierId, OpenIdProvider)],
    permits: AuthKey,
) -> String {
    let tenant = tenant.as_str();
    let mut text = format!("[[permit]]\ntenant = \"{tenant}\"\nkey = \"{permits}\"\n\n");
    for ((id, provider), (name, custom)) in providers.iter().zip(VERIFIERS) {
        // Names and a loopback address: nothing in them needs escaping. Writing to a string cannot fail.
        let _ = write!(
            text,
            "[[verifier]]\ntenant = \"{}\"\nid = \"{id}\"\nissuer = \"{}\"\naudiences = [\"{}\"]\ncustom = {custom}\n\n",
            tenant,
            provider.issuer(),
            audience(name),
        );
    }
    text
}

fn spawn(directory: &Path, number: u16, settings: &Path) -> Result<Child, Failure> {
    let binary = std::env::current_exe().map_err(|error| unexpected(&error))?;
    let log = directory.join(format!("node-{number}.log"));
    let log = std::fs::File::create(&log).map_err(|source| Failure::io("create", &log, &source))?;
    Command::new(binary)
        .args([
            "--json",
            "serve",
            "node",
            "--until-stdin-closes",
            "--config",
        ])
        .arg(settings)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| unexpected(&error))
}

/// Waits until the node says that it serves.
async fn serving(url: String, mut child: Child) -> Result<NodeProcess, Failure> {
    let silent = |what: &str| {
        Failure::new(
            Exit::Other,
            "node_failed",
            format!("the node at {url} does not start: {what}"),
        )
    };
    let stdout = child.stdout.take().ok_or_else(|| silent("no output"))?;
    let mut said = BufReader::new(stdout);
    let mut line = String::new();
    let heard = tokio::time::timeout(PATIENCE, said.read_line(&mut line)).await;
    match heard {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => return Err(silent(&error.to_string())),
        Err(_) => return Err(silent("it says nothing")),
    }
    let first: Value = serde_json::from_str(&line).unwrap_or_default();
    if first.get("step").and_then(Value::as_str) != Some("serving") {
        let message = first.get("message").and_then(Value::as_str);
        return Err(silent(message.unwrap_or("its log says why")));
    }
    Ok(NodeProcess {
        url,
        child,
        _said: said,
    })
}
