//! A node that dies and comes back from its backup, with the real binary.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod support;

use serde_json::{Value, json};
use support::{Run, Server, World, command, finish, free_ports, trefoil};

const WORDS: &str = "correct horse battery staple";

/// Three nodes that made their key among themselves, and all that a wallet needs beside them.
struct Net {
    world: World,
    ports: Vec<u16>,
    nodes: Vec<Option<Server>>,
    _metadata: Server,
}

impl Net {
    fn start(overlap: u32) -> Self {
        // For its login provider alone.
        let world = World::start();
        let provider = &world.server.as_ref().unwrap().serving["providers"][0];
        let issuer = provider["issuer"].as_str().unwrap().to_owned();
        let ports = free_ports(4);
        let metadata = format!(
            "listen = \"127.0.0.1:{}\"\ndata = \"{}\"\ntenants = [\"acme\"]\n",
            ports[3],
            world.text("records")
        );
        std::fs::write(world.path("metadata.toml"), metadata).unwrap();
        let config = world.text("metadata.toml");
        let metadata =
            Server::start(command().args(["--json", "serve", "metadata", "--config", &config]));
        let verifier = format!(
            "[[verifier]]\ntenant = \"acme\"\nid = \"google\"\nissuer = \"{issuer}\"\n\
             audiences = [\"trefoil-dev-google\"]\n"
        );
        std::fs::write(world.path("verifiers.toml"), verifier).unwrap();

        let mut net = Self {
            world,
            ports,
            nodes: vec![None, None, None],
            _metadata: metadata,
        };
        let coordinator = net.network(&["new-key", "--out", &net.text("coordinator.key")]);
        for index in 1..=3 {
            net.network(&["new-key", "--out", &net.text(&format!("n{index}.key"))]);
            let text = format!(
                "listen = \"127.0.0.1:{}\"\npublic_url = \"{}\"\ndata = \"{}\"\nkey_file = \"{}\"\n\
                 verifiers = \"{}\"\noverlap = {overlap}\n[limits]\naddress_per_minute = 0\n[ceremony]\ncoordinator = {}\n",
                net.ports[index - 1],
                net.url(index),
                net.text(&format!("d{index}")),
                net.text(&format!("n{index}.key")),
                net.text("verifiers.toml"),
                coordinator["identity_key"],
            );
            std::fs::write(net.world.path(&format!("n{index}.toml")), text).unwrap();
            net.serve(index);
        }
        let urls = [net.url(1), net.url(2), net.url(3)];
        let (key, out) = (net.text("coordinator.key"), net.text("manifest.json"));
        let mut keygen = vec!["keygen", "--coordinator-key", &key, "--threshold", "2"];
        for url in &urls {
            keygen.extend(["--node", url]);
        }
        keygen.extend(["--out", &out]);
        net.network(&keygen);

        let manifest = std::fs::read_to_string(net.world.path("manifest.json")).unwrap();
        let manifest: Value = serde_json::from_str(&manifest).unwrap();
        let app = json!({
            "version": 1,
            "metadata_url": format!("http://127.0.0.1:{}", net.ports[3]),
            "tenant": "acme",
            "verifiers": [{ "id": "google", "custom": false, "dev_token_url": format!("{issuer}/dev/token") }],
            "manifest": manifest,
        });
        std::fs::write(net.world.path("app.json"), app.to_string()).unwrap();
        std::fs::write(net.world.path("words"), format!("{WORDS}\n")).unwrap();
        net.world.forbid(WORDS);
        net
    }

    fn text(&self, name: &str) -> String {
        self.world.text(name)
    }

    fn url(&self, index: usize) -> String {
        format!("http://127.0.0.1:{}", self.ports[index - 1])
    }

    fn serve(&mut self, index: usize) {
        let config = self.text(&format!("n{index}.toml"));
        let node = Server::start(command().args(["--json", "serve", "node", "--config", &config]));
        self.nodes[index - 1] = Some(node);
    }

    fn kill(&mut self, index: usize) {
        self.nodes[index - 1].take().unwrap().kill();
    }

    /// The machine is gone.
    fn lose(&mut self, index: usize) {
        self.kill(index);
        std::fs::remove_dir_all(self.world.path(&format!("d{index}"))).unwrap();
        std::fs::remove_file(self.world.path(&format!("n{index}.key"))).unwrap();
    }

    /// `trefoil --json network …`, which succeeds.
    fn network(&self, arguments: &[&str]) -> Value {
        trefoil(&[&["--json", "network"], arguments].concat(), b"").ok()
    }

    fn refresh(&self) -> Value {
        let (key, manifest) = (self.text("coordinator.key"), self.text("manifest.json"));
        self.network(&[
            "refresh",
            "--coordinator-key",
            &key,
            "--manifest",
            &manifest,
        ])
    }

    /// Backup of a node to a file of this name.
    fn backup(&self, index: usize, out: &str, words: &str) -> Run {
        let (data, key) = (
            self.text(&format!("d{index}")),
            self.text(&format!("n{index}.key")),
        );
        let out = self.text(out);
        let arguments = [
            "--json",
            "network",
            "backup",
            "--data",
            &data,
            "--key-file",
            &key,
        ];
        let more = ["--out", &out, "--passphrase-file", "-"];
        trefoil(&[&arguments[..], &more].concat(), words.as_bytes())
    }

    fn restore(&self, index: usize, backup: &str, words: &str) -> Run {
        let (data, key) = (
            self.text(&format!("d{index}")),
            self.text(&format!("n{index}.key")),
        );
        let backup = self.text(backup);
        let arguments = [
            "--json",
            "network",
            "restore",
            "--data",
            &data,
            "--key-file",
            &key,
        ];
        let more = ["--backup", &backup, "--passphrase-file", "-"];
        trefoil(&[&arguments[..], &more].concat(), words.as_bytes())
    }

    fn login(&self) -> Run {
        let mut login = command();
        login.args(["--json", "wallet", "--network"]);
        login.arg(self.world.path("app.json")).arg("--device-dir");
        login.arg(self.world.path("device"));
        finish(login.args(["login", "--dev-user", "alice"]), b"")
    }
}

#[test]
fn a_node_whose_machine_is_gone_comes_back_from_its_backup() {
    let mut net = Net::start(3600);
    let address = net.login().ok()["address"].clone();

    assert_eq!(
        net.backup(2, "backup", "elevenchars\n").error(),
        (3, "weak_passphrase".to_owned())
    );
    assert!(!net.world.path("backup").exists());
    // While it runs.
    let made = net.backup(2, "backup", &format!("{WORDS}\n")).ok();
    assert_eq!(made["epochs"], json!([1]));
    assert_eq!(
        net.backup(2, "backup", WORDS).error(),
        (2, "file_exists".to_owned())
    );
    let key_file = std::fs::read_to_string(net.world.path("n2.key")).unwrap();
    let seed = serde_json::from_str::<Value>(&key_file).unwrap()["node_key"].clone();
    let file = std::fs::read_to_string(net.world.path("backup")).unwrap();
    assert!(!file.contains(seed.as_str().unwrap()));
    #[cfg(unix)]
    assert_eq!(mode(&net.world.path("backup")), 0o600);

    // Neither beside a running node nor over what is left of one.
    assert_eq!(
        net.restore(2, "backup", WORDS).error(),
        (2, "file_exists".to_owned())
    );
    std::fs::rename(net.world.path("n2.key"), net.world.path("moved")).unwrap();
    assert_eq!(
        net.restore(2, "backup", WORDS).error(),
        (2, "file_exists".to_owned())
    );
    std::fs::rename(net.world.path("moved"), net.world.path("n2.key")).unwrap();

    net.lose(2);
    let wrong = net.restore(2, "backup", "correct horse battery stable");
    assert_eq!(wrong.error(), (3, "wrong_passphrase".to_owned()));
    let mut damaged = file.clone();
    damaged.replace_range(300..301, if &file[300..301] == "A" { "B" } else { "A" });
    std::fs::write(net.world.path("damaged"), damaged).unwrap();
    assert_eq!(
        net.restore(2, "damaged", WORDS).error(),
        (3, "bad_backup".to_owned())
    );
    assert!(!net.world.path("d2").exists() && !net.world.path("n2.key").exists());

    let restored = net.restore(2, "backup", WORDS).ok();
    assert_eq!(restored["identity_key"], made["identity_key"]);
    assert_eq!(
        (
            &restored["share_epoch"],
            &restored["network_epoch"],
            &restored["outdated"]
        ),
        (&json!(1), &json!(1), &json!(false))
    );
    #[cfg(unix)]
    assert_eq!(mode(&net.world.path("n2.key")), 0o600);
    assert_eq!(
        std::fs::read_to_string(net.world.path("n2.key")).unwrap(),
        key_file
    );
    net.serve(2);
    net.kill(1);
    assert_eq!(
        net.login().ok()["address"],
        address,
        "with nodes 2 and 3 only"
    );
    // It counts: without it there are too few.
    net.kill(2);
    assert_eq!(net.login().error(), (6, "offline".to_owned()));
}

#[test]
fn a_backup_from_before_a_refresh_is_told_and_its_share_fits_nothing() {
    let mut net = Net::start(0);
    let address = net.login().ok()["address"].clone();
    net.backup(2, "old", WORDS).ok();
    assert_eq!(net.refresh()["epoch"], 2);
    net.lose(2);

    // Nobody to ask: it is restored all the same, and says that it does not know.
    net.kill(1);
    net.kill(3);
    let alone = net.restore(2, "old", WORDS).ok();
    assert_eq!(
        (&alone["network_epoch"], &alone["outdated"]),
        (&Value::Null, &json!(false))
    );
    net.serve(1);
    net.serve(3);
    std::fs::remove_dir_all(net.world.path("d2")).unwrap();
    std::fs::remove_file(net.world.path("n2.key")).unwrap();

    let restored = net.restore(2, "old", WORDS).ok();
    assert_eq!(
        (
            &restored["share_epoch"],
            &restored["network_epoch"],
            &restored["outdated"]
        ),
        (&json!(1), &json!(2), &json!(true))
    );
    net.serve(2);
    assert_eq!(net.login().ok()["address"], address, "nodes 1 and 3");
    // Two nodes and two shares, of two epochs.
    net.kill(1);
    let mixed = net.login();
    assert_ne!(mixed.exit, 0, "{mixed:?}");
    assert_ne!(mixed.error().1, "unexpected");

    net.serve(1);
    let refreshed = net.refresh();
    assert_eq!(
        (&refreshed["epoch"], &refreshed["waiting_for"]),
        (&json!(3), &json!([]))
    );
    net.kill(1);
    assert_eq!(net.login().ok()["address"], address, "nodes 2 and 3");
    let again = net.backup(2, "new", WORDS).ok();
    assert!(again["epochs"].as_array().unwrap().contains(&json!(3)));
}

#[test]
fn a_node_without_a_share_has_nothing_to_back_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (key, data, out) = (path("key"), path("data"), path("out"));
    trefoil(&["--json", "network", "new-key", "--out", &key], b"").ok();
    let backup = [
        "--json",
        "network",
        "backup",
        "--data",
        &data,
        "--key-file",
        &key,
        "--out",
        &out,
        "--passphrase-file",
        "-",
    ];
    let run = trefoil(&backup, WORDS.as_bytes());
    assert_eq!(run.error(), (5, "no_share".to_owned()));
    assert!(!directory.path().join("data").exists());
}

#[cfg(unix)]
fn mode(path: &std::path::Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
