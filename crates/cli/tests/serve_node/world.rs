//! One node of a dealt network, login providers in this process, and what a client does.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{Method, StatusCode};
use serde_json::{Value, json};
use trefoil::{SignedManifest, Tenant, VerifierId};
use trefoil_client::transport::{HttpTransport, Request, Response, Transport as _};
use trefoil_protocol::problem::Problem;
use trefoil_protocol::social::{EphemeralKey, EvaluateResponse, Gathering, VerifiedManifest};
use trefoil_testkit::oidc::{OpenIdProvider, ProviderOptions};
use url::Url;

use crate::support::{Server, command, trefoil};

pub(crate) struct World {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) manifest: VerifiedManifest,
    /// Signs for the verifier `google` of the tenants `acme` and `other`.
    pub(crate) provider: OpenIdProvider,
}

/// Tenant and the client id of its app.
pub(crate) const ACME: (&str, &str) = ("acme", "acme-app");
pub(crate) const OTHER: (&str, &str) = ("other", "other-app");

impl AsRef<std::path::Path> for World {
    fn as_ref(&self) -> &std::path::Path {
        self.directory.path()
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let now = || {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_secs()
        };
        let options = ProviderOptions::new(ACME.1, Arc::new(now));
        let mut rng = trefoil::Environment::system().rng();
        let provider = OpenIdProvider::start(options, &mut rng).await.unwrap();
        let net = directory.path().join("net");
        let deal = ["--json", "network", "dealer", "--threshold", "1"];
        let to = [
            "--node",
            "https://localhost",
            "--out",
            net.to_str().unwrap(),
        ];
        trefoil(&[&deal[..], &to].concat(), b"").ok();
        let text = std::fs::read_to_string(net.join("manifest.json")).unwrap();
        let manifest: SignedManifest = serde_json::from_str(&text).unwrap();
        let world = Self {
            directory,
            manifest: manifest.trust_pinned().unwrap(),
            provider,
        };
        let verifiers: String = [ACME, OTHER]
            .iter()
            .map(|(tenant, audience)| {
                format!(
                    "[[verifier]]\ntenant = \"{tenant}\"\nid = \"google\"\nissuer = \"{}\"\naudiences = [\"{audience}\"]\n",
                    world.provider.issuer()
                )
            })
            .collect();
        std::fs::write(world.path("verifiers.toml"), verifiers).unwrap();
        world
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

    /// Settings of the dealt node on a free port, with more lines of which tables come last.
    pub(crate) fn config(&self, more: &str) -> String {
        let text = format!(
            "listen = \"127.0.0.1:0\"\nmanifest = \"{net}/manifest.json\"\nsecrets = \"{net}/node-1.secret.json\"\n\
             verifiers = \"{}\"\n{more}",
            self.text("verifiers.toml"),
            net = self.text("net"),
        );
        std::fs::write(self.path("node.toml"), text).unwrap();
        self.text("node.toml")
    }

    pub(crate) fn command(&self, more: &str) -> Command {
        let mut command = command();
        let config = self.config(more);
        command.args(["--json", "serve", "node", "--config", &config]);
        command
    }

    pub(crate) fn serve(&self, more: &str) -> Server {
        Server::start(&mut self.command(more))
    }

    /// A request body for a user's login, with a token of this tenant's app for the key.
    pub(crate) fn body(
        &self,
        (tenant, audience): (&str, &str),
        user: &str,
        key: &EphemeralKey,
    ) -> Value {
        let claims = self.provider.claims(user).with("aud", audience);
        let token = self.provider.id_token(&claims.nonce(&key.oidc_nonce()));
        json!({
            "version": 1,
            "tenant": tenant,
            "verifier": "google",
            "id_token": token.unwrap(),
            "ephemeral_key": key.public(),
            "generation": 0,
            "epoch": 1,
        })
    }

    /// A whole login at this base URL: the answer is opened and its proof checked.
    pub(crate) async fn login(
        &self,
        transport: &HttpTransport,
        base: &str,
        tenant: (&str, &str),
        user: &str,
    ) -> Result<(), Problem> {
        let key = EphemeralKey::random(&mut trefoil::Environment::system().rng());
        let body = self.body(tenant, user, &key);
        let answer = post(transport, base, &body).await;
        if answer.status != StatusCode::OK {
            return Err(serde_json::from_slice(&answer.body).unwrap());
        }
        let response = EvaluateResponse::from_json(&answer.body).unwrap();
        let (tenant, google) = (Tenant::new(tenant.0), VerifierId::new("google"));
        let mut gathering =
            Gathering::new(&self.manifest, &key, tenant.unwrap(), google.unwrap(), 0);
        let (identity, _) = gathering
            .add(self.manifest.nodes()[0].index, &response)
            .unwrap()
            .unwrap();
        assert_eq!(identity.user(), user);
        Ok(())
    }
}

/// Port that a server has taken.
pub(crate) fn port(server: &Server, field: &str) -> u16 {
    let address = server.serving[field].as_str().unwrap();
    address.rsplit_once(':').unwrap().1.parse().unwrap()
}

pub(crate) fn http(server: &Server) -> String {
    format!("http://127.0.0.1:{}", port(server, "listen"))
}

pub(crate) async fn post(transport: &HttpTransport, base: &str, body: &Value) -> Response {
    let url = Url::parse(&format!("{base}/v1/evaluate")).unwrap();
    let request = Request::new(Method::POST, url).json(body.to_string());
    transport.send(request).await.unwrap()
}

pub(crate) async fn get(base: &str, path: &str) -> Response {
    let url = Url::parse(&format!("{base}{path}")).unwrap();
    let transport = HttpTransport::new().unwrap();
    transport
        .send(Request::new(Method::GET, url))
        .await
        .unwrap()
}
