//! Servers as processes: development in one, or each on its own.

mod support;

use serde_json::{Value, json};
use support::{Server, World, command, free_ports, trefoil};

#[test]
fn a_development_network_comes_back_as_it_was() {
    let mut world = World::start();
    let before = world.server.as_ref().unwrap().serving.clone();
    assert_eq!(before["nodes"].as_array().unwrap().len(), 3);
    let address = world.user_with_mfa("alice", "laptop", &[]);
    // Killed, not asked.
    world.server.take().unwrap().kill();
    world.serve();
    let after = &world.server.as_ref().unwrap().serving;
    assert_eq!(
        (&after["metadata_url"], &after["nodes"]),
        (&before["metadata_url"], &before["nodes"])
    );
    assert_eq!(
        world
            .wallet("laptop", &["open", "--dev-user", "alice"])
            .ok()["address"],
        address
    );

    let data = world.text("dev");
    let second = trefoil(&["--json", "serve", "dev", "--data", &data], b"");
    assert_eq!(
        second.error(),
        (1, "listen".to_owned()),
        "it is running already"
    );
    world.stop();
    let other = trefoil(
        &[
            "--json",
            "serve",
            "dev",
            "--data",
            &data,
            "--nodes",
            "5",
            "--threshold",
            "3",
        ],
        b"",
    );
    assert_eq!(other.error(), (2, "usage".to_owned()));
    // A secret file of a node is not silently made anew.
    std::fs::remove_file(world.path("dev/nodes/node-2.secret.json")).unwrap();
    assert_eq!(
        trefoil(&["--json", "serve", "dev", "--data", &data], b"").exit,
        1
    );
}

/// At the finest level, with everything that libraries below have to say.
#[test]
fn logs_hold_no_secret() {
    let mut world = World::start();
    world.stop();
    let log = std::fs::File::create(world.path("log")).unwrap();
    let data = world.path("dev");
    let mut serve = command();
    serve
        .args(["--json", "serve", "dev", "--data"])
        .arg(data)
        .env("TREFOIL_LOG", "trace");
    world.server = Some(Server::start_logging(&mut serve, log.into()));
    let address = world.user_with_mfa("alice-of-the-log", "laptop", &[]);
    let kit = world.text("kit");
    world
        .wallet(
            "laptop",
            &[
                "export",
                "--kit-out",
                &kit,
                "--dev-user",
                "alice-of-the-log",
            ],
        )
        .ok();
    let status = world.wallet("laptop", &["status"]).ok();
    let account = status["accounts"][0]["account"]
        .as_str()
        .unwrap()
        .to_owned();
    let phrase = world.secret("phrase");
    let first_words: String = phrase.split(' ').take(3).collect::<Vec<_>>().join(" ");
    world.stop();

    let log = std::fs::read_to_string(world.path("log")).unwrap();
    assert!(
        log.contains("/v1/{tenant}/sessions"),
        "requests are logged: {log}"
    );
    // A JSON Web Token, a session token, the user, the wallet, the account, the phrase.
    for secret in [
        "eyJ",
        "Bearer",
        "alice-of-the-log",
        &address,
        &account,
        &first_words,
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

/// Each server in a process of its own, configured by files, as a deployment has them.
#[test]
fn dealt_nodes_and_a_metadata_server_of_their_own() {
    // For its login provider alone.
    let world = World::start();
    let issuer = world.server.as_ref().unwrap().serving["providers"][0]["issuer"]
        .as_str()
        .unwrap()
        .to_owned();
    let ports = free_ports(4);
    let net = world.text("net");
    let urls: Vec<String> = ports[..3]
        .iter()
        .map(|port| format!("http://127.0.0.1:{port}"))
        .collect();
    let mut dealer = vec![
        "--json",
        "network",
        "dealer",
        "--threshold",
        "2",
        "--out",
        &net,
    ];
    for url in &urls {
        dealer.extend(["--node", url]);
    }
    let dealt = trefoil(&dealer, b"").ok();
    assert_eq!(
        (&dealt["nodes"], &dealt["threshold"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(
        trefoil(&dealer, b"").error(),
        (2, "file_exists".to_owned()),
        "nothing is overwritten"
    );

    let verifiers = world.text("verifiers.toml");
    let verifier = format!(
        "[[verifier]]\ntenant = \"acme\"\nid = \"google\"\nissuer = \"{issuer}\"\naudiences = [\"trefoil-dev-google\"]\n"
    );
    std::fs::write(&verifiers, verifier).unwrap();
    let nodes: Vec<Server> = (1..=3)
        .map(|index| {
            let config = world.text(&format!("node-{index}.toml"));
            let text = format!(
                "listen = \"127.0.0.1:{}\"\nmanifest = \"{net}/manifest.json\"\nsecrets = \"{net}/node-{index}.secret.json\"\n\
                 verifiers = \"{verifiers}\"\n",
                ports[index - 1]
            );
            std::fs::write(&config, text).unwrap();
            let node = Server::start(command().args(["--json", "serve", "node", "--config", &config]));
            assert_eq!(node.serving["index"], index);
            node
        })
        .collect();

    let config = world.text("metadata.toml");
    let public = format!("http://127.0.0.1:{}", ports[3]);
    std::fs::write(
        &config,
        format!(
            "listen = \"127.0.0.1:{}\"\ndata = \"{}\"\ntenants = [\"acme\"]\n",
            ports[3],
            world.text("records")
        ),
    )
    .unwrap();
    let metadata =
        Server::start(command().args(["--json", "serve", "metadata", "--config", &config]));
    assert_eq!(metadata.serving["public_url"], public);

    // What an app would be built with, put together by hand.
    let manifest: Value =
        serde_json::from_str(&std::fs::read_to_string(world.path("net/manifest.json")).unwrap())
            .unwrap();
    let app = json!({
        "version": 1,
        "metadata_url": public,
        "tenant": "acme",
        "verifiers": [{ "id": "google", "custom": false, "dev_token_url": format!("{issuer}/dev/token") }],
        "manifest": manifest,
    });
    let network = world.text("app.json");
    std::fs::write(&network, app.to_string()).unwrap();
    let device = world.text("device");
    let login = || {
        let all = [
            "--json",
            "wallet",
            "--network",
            &network,
            "--device-dir",
            &device,
            "login",
            "--dev-user",
            "alice",
        ];
        trefoil(&all, b"")
    };
    let address = login().ok()["address"].clone();
    // Two of three nodes suffice; one does not.
    let mut nodes = nodes.into_iter();
    nodes.next().unwrap().kill();
    assert_eq!(login().ok()["address"], address);
    nodes.next().unwrap().kill();
    assert_eq!(login().error(), (6, "offline".to_owned()));
    metadata.stop();
}

/// Nodes are told its public part once, so it must not change by itself.
#[test]
fn a_metadata_server_keeps_its_permit_key() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (data, named) = (path("records"), path("named.key"));
    let serve = |more: &[&str]| {
        let mut serve = command();
        serve
            .args(["--json", "serve", "metadata", "--listen", "127.0.0.1:0"])
            .args(["--any-tenant", "--data", &data])
            .args(more);
        serve
    };
    let start = |more: &[&str]| {
        let server = Server::start(&mut serve(more));
        let key = server.serving["permit_key"].clone();
        assert_eq!(key.as_str().unwrap().len(), 43, "{key}");
        server.kill();
        key
    };
    let first = start(&[]);
    assert_eq!(start(&[]), first);
    let other = start(&["--permit-key-file", &named]);
    assert_ne!(other, first);
    assert_eq!(start(&["--permit-key-file", &named]), other);
    assert_eq!(start(&[]), first);

    // Damaged: not made anew behind the operator's back.
    let file = format!("{data}/permit.key");
    std::fs::write(&file, "{}").unwrap();
    let output = serve(&[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("bad_settings"), "{said}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "{}");
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let net = path("net");
    let dealt = [
        "--json",
        "network",
        "dealer",
        "--threshold",
        "2",
        "--out",
        &net,
        "--node",
        "http://127.0.0.1:1",
        "--node",
    ];
    for bad in [
        "http://127.0.0.1:1",
        "http://example.com",
        "https://example.com/",
        "ftp://x",
        "",
    ] {
        assert_eq!(
            trefoil(&[&dealt[..], &[bad]].concat(), b"").error(),
            (2, "usage".to_owned()),
            "{bad}"
        );
    }
    trefoil(&[&dealt[..], &["https://node-2.example"]].concat(), b"").ok();

    let metadata = |more: &[&str]| {
        trefoil(
            &[
                &["--json", "serve", "metadata", "--listen", "127.0.0.1:0"][..],
                more,
            ]
            .concat(),
            b"",
        )
    };
    let data = path("records");
    for wrong in [
        &["--any-tenant"][..],
        &["--data", &data],
        &["--data", &data, "--any-tenant", "--public-url", "not a url"],
        &["--data", &data, "--tenant", "acme", "--any-tenant"],
    ] {
        assert_eq!(metadata(wrong).error().0, 2, "{wrong:?}");
    }
    std::fs::write(path("bad.toml"), "listen = 5").unwrap();
    assert_eq!(
        metadata(&["--config", &path("bad.toml")]).error(),
        (2, "bad_settings".to_owned())
    );
    std::fs::write(path("bad.toml"), "unknown = 5").unwrap();
    assert_eq!(
        metadata(&["--config", &path("bad.toml")]).error(),
        (2, "bad_settings".to_owned())
    );
    let anywhere = [
        "--json",
        "serve",
        "metadata",
        "--listen",
        "0.0.0.0:0",
        "--data",
        &data,
        "--any-tenant",
    ];
    assert_eq!(
        trefoil(&anywhere, b"").error(),
        (2, "usage".to_owned()),
        "a public URL is needed outside loopback"
    );

    std::fs::write(path("verifiers.toml"), "").unwrap();
    let (manifest, secrets, verifiers) = (
        path("net/manifest.json"),
        path("net/node-1.secret.json"),
        path("verifiers.toml"),
    );
    let node = |manifest: &str, secrets: &str, verifiers: &str| {
        let all = [
            "--manifest",
            manifest,
            "--secrets",
            secrets,
            "--verifiers",
            verifiers,
        ];
        trefoil(
            &[
                &["--json", "serve", "node", "--listen", "127.0.0.1:0"][..],
                &all,
            ]
            .concat(),
            b"",
        )
    };
    let bad_settings = (2, "bad_settings".to_owned());
    assert_eq!(node(&secrets, &secrets, &verifiers).error(), bad_settings);
    assert_eq!(node(&manifest, &manifest, &verifiers).error(), bad_settings);
    assert_eq!(node(&manifest, &secrets, &manifest).error(), bad_settings);
    assert_eq!(
        node(&manifest, &secrets, "/no/such/file").error(),
        (1, "io".to_owned())
    );
    let whole = std::fs::read_to_string(&secrets).unwrap();
    let torn = whole.split_at(whole.len() / 2).0;
    std::fs::write(&secrets, torn).unwrap();
    let run = node(&manifest, &secrets, &verifiers);
    assert_eq!(run.error(), bad_settings);
    assert!(
        !run.stdout.contains(torn.split_at(torn.len() - 20).1),
        "{run:?}"
    );
    std::fs::write(&secrets, &whole).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let private = std::fs::metadata(&secrets).unwrap().permissions().mode();
        assert_eq!(private & 0o777, 0o600);
        std::fs::set_permissions(&secrets, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(node(&manifest, &secrets, &verifiers).error(), bad_settings);
    }
    assert_eq!(
        trefoil(&["--json", "serve", "node"], b"").error(),
        (2, "usage".to_owned())
    );
}
