//! Node processes and what their operators do, a metadata server, and a login provider in this process.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use trefoil::{Environment, SignedManifest};
use trefoil_testkit::oidc::{OpenIdProvider, ProviderOptions};

use crate::support::{Run, Server, command, free_ports, trefoil};
use crate::users::{AUDIENCE, App, Apps};

pub(crate) struct World {
    directory: tempfile::TempDir,
    provider: Arc<OpenIdProvider>,
    metadata: Server,
    pub(crate) nodes: Vec<Node>,
}

/// A node's place and, while it runs, its process.
pub(crate) struct Node {
    /// Of its public address.
    pub(crate) port: u16,
    /// Where it listens: the same, unless a gate stands before it.
    pub(crate) listen: u16,
    pub(crate) identity_key: String,
    pub(crate) process: Option<Server>,
}

impl Node {
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl World {
    /// `count` nodes that have no key yet, and follow every plan of the coordinator whose key is `coordinator.key`.
    pub(crate) async fn start(count: usize, overlap: u64) -> Self {
        Self::start_with(count, overlap, "any", None).await
    }

    /// With this trust in the coordinator; the node at `gated` leaves its public port to a gate.
    pub(crate) async fn start_with(
        count: usize,
        overlap: u64,
        trust: &str,
        gated: Option<usize>,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let now = || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            now.unwrap().as_secs()
        };
        let options = ProviderOptions::new(AUDIENCE, Arc::new(now));
        let mut rng = Environment::system().rng();
        let provider = OpenIdProvider::start(options, &mut rng).await;
        let provider = Arc::new(provider.unwrap());
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        let verifiers = format!(
            "[[verifier]]\ntenant = \"acme\"\nid = \"google\"\nissuer = \"{}\"\naudiences = [\"{AUDIENCE}\"]\n",
            provider.issuer()
        );
        std::fs::write(path("verifiers.toml"), verifiers).unwrap();
        let coordinator = new_key(&path("coordinator.key"));
        // The users of these tests log in without a pause.
        let settings = format!(
            "listen = \"127.0.0.1:0\"\ntenants = [\"acme\"]\ndata = \"{}\"\n[limits]\naddress_per_minute = 0\n\
             creations_per_minute = 0\nlocator_per_minute = 0\nslot_per_minute = 0\n",
            path("records"),
        );
        std::fs::write(path("metadata.toml"), settings).unwrap();
        let metadata = Server::start_with_stdin(
            command()
                .args(["--json", "serve", "metadata", "--config"])
                .arg(path("metadata.toml")),
        );
        let nodes = ports(count).into_iter().enumerate().map(|(place, port)| {
            let identity_key = new_key(&path(&format!("node-{place}.key")));
            let behind = (gated == Some(place)).then(|| ports(1)[0]);
            let listen = behind.unwrap_or(port);
            let node = Node {
                port,
                listen,
                identity_key,
                process: None,
            };
            let settings = format!(
                "listen = \"127.0.0.1:{listen}\"\npublic_url = \"{}\"\ndata = \"{}\"\nkey_file = \"{}\"\n\
                 verifiers = \"{}\"\noverlap = {overlap}\n[limits]\naddress_per_minute = 0\nuser_per_minute = 0\n\
                 [ceremony]\ncoordinator = \"{coordinator}\"\ntrust = \"{trust}\"\n",
                node.url(),
                path(&format!("node-{place}")),
                path(&format!("node-{place}.key")),
                path("verifiers.toml"),
            );
            std::fs::write(path(&format!("node-{place}.toml")), settings).unwrap();
            node
        });
        let nodes = nodes.collect();
        let mut world = Self {
            directory,
            provider,
            metadata,
            nodes,
        };
        world.serve(0..count);
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Starts these nodes, again or for the first time, all at once.
    pub(crate) fn serve(&mut self, places: impl IntoIterator<Item = usize>) {
        let started: Vec<(usize, Server)> = std::thread::scope(|scope| {
            let starting: Vec<_> = places
                .into_iter()
                .map(|place| {
                    let config = self.text(&format!("node-{place}.toml"));
                    let serve = move || {
                        let mut command = command();
                        command.args(["--json", "serve", "node", "--until-stdin-closes"]);
                        Server::start_with_stdin(command.args(["--config", &config]))
                    };
                    (place, scope.spawn(serve))
                })
                .collect();
            let starting = starting.into_iter();
            starting
                .map(|(place, server)| (place, server.join().unwrap()))
                .collect()
        });
        for (place, server) in started {
            assert_eq!(
                server.serving["identity_key"],
                self.nodes[place].identity_key
            );
            self.nodes[place].process = Some(server);
        }
    }

    pub(crate) fn kill(&mut self, places: impl IntoIterator<Item = usize>) {
        for place in places {
            self.nodes[place].process.take().unwrap().kill();
        }
    }

    pub(crate) fn signal(&self, places: impl IntoIterator<Item = usize>, name: &str) {
        for place in places {
            self.nodes[place].process.as_ref().unwrap().signal(name);
        }
    }

    /// Makes the key of all nodes: the first manifest, which apps pin.
    pub(crate) async fn keygen(&self, threshold: u16) -> SignedManifest {
        self.keygen_among(0..self.nodes.len(), threshold).await
    }

    pub(crate) async fn keygen_among(
        &self,
        places: impl IntoIterator<Item = usize>,
        threshold: u16,
    ) -> SignedManifest {
        let made = self
            .operate("keygen", "--out", places, Some(threshold))
            .await
            .ok();
        assert_eq!(
            (&made["step"], &made["epoch"]),
            (&"network".into(), &1.into())
        );
        let first = self.manifest();
        std::fs::write(self.path("first.json"), serde_json::to_vec(&first).unwrap()).unwrap();
        first
    }

    /// The manifest that the coordinator wrote last.
    pub(crate) fn manifest(&self) -> SignedManifest {
        let text = std::fs::read_to_string(self.path("manifest.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) async fn refresh(&self) -> Run {
        self.operate("refresh", "--manifest", [], None).await
    }

    pub(crate) async fn move_to(
        &self,
        places: impl IntoIterator<Item = usize>,
        threshold: u16,
    ) -> Run {
        self.operate("move", "--manifest", places, Some(threshold))
            .await
    }

    async fn operate(
        &self,
        verb: &str,
        file: &str,
        places: impl IntoIterator<Item = usize>,
        threshold: Option<u16>,
    ) -> Run {
        let mut arguments = vec![file.to_owned(), self.text("manifest.json")];
        for place in places {
            let Node { identity_key, .. } = &self.nodes[place];
            let pinned = format!("{}#{identity_key}", self.nodes[place].url());
            arguments.extend(["--node".to_owned(), pinned]);
        }
        arguments.extend(
            threshold
                .iter()
                .flat_map(|threshold| ["--threshold".to_owned(), threshold.to_string()]),
        );
        self.network(verb, &arguments).await
    }

    /// `trefoil network <verb>` with the coordinator's key, while this process goes on serving and logging in.
    pub(crate) async fn network(&self, verb: &str, more: &[String]) -> Run {
        run(self.arguments(verb, more)).await
    }

    /// The same with the key that `arguments` name.
    pub(crate) async fn network_as(&self, verb: &str, arguments: &[String]) -> Run {
        let mut all = network_verb(verb);
        all.extend_from_slice(arguments);
        run(all).await
    }

    pub(crate) fn arguments(&self, verb: &str, more: &[String]) -> Vec<String> {
        let mut arguments = network_verb(verb);
        if verb != "status" && verb != "approve" {
            let key = self.text("coordinator.key");
            arguments.extend(["--coordinator-key".to_owned(), key]);
        }
        arguments.extend_from_slice(more);
        arguments
    }

    /// The epochs of which each of these nodes holds a share.
    pub(crate) async fn epochs(&self, places: impl IntoIterator<Item = usize>) -> Vec<Value> {
        let urls = places
            .into_iter()
            .flat_map(|place| ["--node".to_owned(), self.nodes[place].url()]);
        let urls: Vec<String> = urls.collect();
        let run = self.network("status", &urls).await;
        run.lines()
            .iter()
            .map(|line| line["epochs"].clone())
            .collect()
    }

    /// An app that carries this manifest, on a device that has seen nothing yet.
    pub(crate) fn app(&self, manifest: &SignedManifest) -> App {
        self.apps().install(manifest)
    }

    pub(crate) fn apps(&self) -> Apps {
        let url = self.metadata.serving["public_url"].as_str().unwrap();
        Apps::new(url, Arc::clone(&self.provider))
    }
}

fn network_verb(verb: &str) -> Vec<String> {
    ["--json", "network", verb].map(str::to_owned).to_vec()
}

async fn run(arguments: Vec<String>) -> Run {
    let run = move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        trefoil(&arguments, b"")
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn new_key(path: &str) -> String {
    let made = trefoil(&["--json", "network", "new-key", "--out", path], b"").ok();
    made["identity_key"].as_str().unwrap().to_owned()
}

/// Others than those of every test before in this process.
fn ports(count: usize) -> Vec<u16> {
    static FREE: OnceLock<Vec<u16>> = OnceLock::new();
    static GIVEN: AtomicUsize = AtomicUsize::new(0);
    let free = FREE.get_or_init(|| free_ports(200));
    let first = GIVEN.fetch_add(count, Ordering::Relaxed);
    free[first..first + count].to_vec()
}
