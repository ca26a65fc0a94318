//! Settings: what goes before what, what is refused, and how it is told.

use std::process::Command;

use crate::support::{Server, command, finish, trefoil};
use crate::tls::{Authority, tls};
use crate::world::{AUDIENCE, World, get, port};

/// Exit code, error code and message of `--check-config`.
fn check(command: &mut Command) -> (i32, String, String) {
    let run = finish(command.arg("--check-config"), b"");
    let last = run.lines().pop().unwrap();
    if run.exit == 0 {
        assert_eq!(last["step"], "settings_fit");
        return (0, String::new(), String::new());
    }
    let (exit, code) = run.error();
    (exit, code, last["message"].as_str().unwrap().to_owned())
}

#[test]
fn arguments_go_before_the_environment_and_that_before_the_file() {
    let world = World::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let serve = |argument: Option<&str>| {
        let mut command = world.command("");
        command.env("TREFOIL_LISTEN", &taken);
        command.env("TREFOIL_METRICS", "127.0.0.1:0");
        command.args(argument.iter().flat_map(|address| ["--listen", address]));
        command
    };
    // The file's port is free, the environment's is taken.
    let run = finish(&mut serve(None), b"");
    assert_eq!(run.error(), (1, "listen".to_owned()));
    let server = Server::start(&mut serve(Some("127.0.0.1:0")));
    assert_ne!(server.serving["listen"], taken.as_str());
    assert_ne!(port(&server, "metrics"), 0, "from the environment");
    assert_eq!(server.serving["public_url"], AUDIENCE);
    assert_eq!(server.serving["scheme"], "http");
    server.stop();

    let mut databases = world.command("");
    databases.env(
        "TREFOIL_DATABASE_RECORDS",
        "postgres://t:hunter2@db/records",
    );
    let (exit, _, message) = check(&mut databases);
    assert_eq!(exit, 2);
    assert!(
        message.contains("data: does not go with database"),
        "{message}"
    );
    assert!(!message.contains("hunter2"), "{message}");
}

#[test]
fn check_config_tells_everything_with_file_and_field_and_does_nothing() {
    let world = World::new();
    assert_eq!(check(&mut world.command("")).0, 0);
    assert!(!world.path("data").exists(), "checking makes nothing");
    let bad = |more: &str, expected: &[&str]| {
        let (exit, code, message) = check(&mut world.command(more));
        let found = (exit, code.as_str());
        assert_eq!(found, (2, "bad_settings"), "{more}: {message}");
        assert_eq!(message.lines().count(), expected.len(), "{message}");
        for (line, expected) in message.lines().zip(expected) {
            assert!(line.contains(expected), "{expected}: {line}");
        }
        message
    };
    let file = world.text("metadata.toml");
    let line = |text: &str| format!("{file}: {text}");
    bad("unknown = 1\n", &[&line("line 5: unknown field")]);
    bad(
        "[[tenant]]\nname = \"acme\"\norigins = [\"wallet.example\"]\n",
        &[&line("line 7: not an origin")],
    );
    bad(
        "max_connections = 0\n[limits]\nslot_burst = 0\n[[tenant]]\nname = \"acme\"\npolicy.session_seconds = 5\n",
        &[
            &line("max_connections: "),
            &line("limits.slot_burst: "),
            &line("tenant.acme.policy.session_seconds: must be 60 to 900"),
        ],
    );

    // Files that the settings name.
    world.write_private("permit.key", "a secret that is no key");
    let key = format!("permit_key_file = \"{}\"\n", world.text("permit.key"));
    let both = format!("{key}{}", tls(&world));
    let message = bad(
        &both,
        &["tls.certificate: cannot read", "permit_key_file: "],
    );
    assert!(!message.contains("a secret"), "{message}");
    Authority::new().install(&world);
    bad(&both, &["permit_key_file: "]);
    assert_eq!(check(&mut world.command(&tls(&world))).0, 0);

    // While a server runs.
    let server = world.serve("");
    assert_eq!(check(&mut world.command("")).0, 0);
    server.stop();
}

#[test]
fn outside_loopback_needs_tls_or_a_proxy_and_a_name() {
    let world = World::new();
    let open = |more: &str| {
        let mut command = world.command(more);
        command.args(["--listen", "0.0.0.0:0"]);
        command
    };
    let run = finish(&mut open(""), b"");
    assert_eq!(run.error(), (2, "bad_settings".to_owned()));
    assert!(run.stdout.contains("listen: "), "{}", run.stdout);
    let proxy = "behind_proxy = true\ntrusted_proxies = [\"127.0.0.1\"]\n";
    Server::start(&mut open(proxy)).stop();
    Authority::new().install(&world);
    Server::start(&mut open(&tls(&world))).stop();
    let unnamed = [
        "--json",
        "serve",
        "metadata",
        "--listen",
        "0.0.0.0:0",
        "--any-tenant",
        "--data",
    ];
    let run = trefoil(&[&unnamed[..], &[&world.text("data")]].concat(), b"");
    assert!(run.stdout.contains("public_url: "), "{}", run.stdout);
}

#[test]
fn servers_of_one_database_need_the_same_permit_key() {
    let world = World::new();
    let file = world.text("shared.key");
    let make = ["--json", "serve", "metadata", "--new-permit-key", &file];
    let made = trefoil(&make, b"").ok();
    assert_eq!(made["step"], "permit_key_made");
    assert_eq!(trefoil(&make, b"").error(), (2, "file_exists".to_owned()));
    let config = |key: &str| {
        let text = format!(
            "tenants = [\"acme\"]\npublic_url = \"{AUDIENCE}\"\n{key}\
             [database]\nrecords = \"postgres://t@localhost/records\"\nnonces = \"postgres://t@localhost/nonces\"\n"
        );
        std::fs::write(world.path("shared.toml"), text).unwrap();
        let mut command = command();
        command.args(["--json", "serve", "metadata", "--config"]);
        command.arg(world.path("shared.toml"));
        command
    };
    let (_, _, message) = check(&mut config(""));
    assert!(message.contains("permit_key_file: is missing"), "{message}");
    let named = |name: &str| format!("permit_key_file = \"{}\"\n", world.text(name));
    let (exit, _, message) = check(&mut config(&named("nothing")));
    assert_eq!(exit, 2);
    assert!(
        message.starts_with("permit_key_file: cannot read"),
        "{message}"
    );
    assert!(!world.path("nothing").exists(), "none of them makes it");
    assert_eq!(check(&mut config(&named("shared.key"))).0, 0);
    // It is the form that a server with a directory takes, too.
    let server = world.serve(&named("shared.key"));
    assert_eq!(server.serving["permit_key"], made["permit_key"]);
    server.stop();
}

#[test]
fn the_document_is_printed_and_served_alike() {
    let world = World::new();
    let printed = trefoil(&["serve", "metadata", "--openapi"], b"");
    assert_eq!((printed.exit, printed.stderr.as_str()), (0, ""));
    let printed: serde_json::Value = serde_json::from_str(&printed.stdout).unwrap();
    let server = world.serve("");
    assert_eq!(get(&server, "/openapi.json").json(), printed);
    assert!(printed["paths"]["/v1/{tenant}/sessions"]["post"].is_object());
}

/// The files that the deployment chapter shows.
#[test]
fn the_example_settings_fit() {
    let world = World::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/deploy");
    let text = std::fs::read_to_string(root.join("metadata.toml")).unwrap();
    Authority::new().install(&world);
    let here = |text: &str, from: &str, to: String| {
        assert!(text.contains(from), "{from}");
        text.replace(from, &to)
    };
    let text = here(&text, "/etc/trefoil/chain.pem", world.text("chain.pem"));
    let text = here(&text, "/etc/trefoil/key.pem", world.text("key.pem"));
    let text = here(&text, "/var/lib/trefoil/metadata", world.text("data"));
    std::fs::write(world.path("example.toml"), text).unwrap();
    let mut example = command();
    example.args(["--json", "serve", "metadata", "--config"]);
    assert_eq!(
        check(example.arg(world.path("example.toml"))),
        (0, String::new(), String::new())
    );
    for name in ["trefoil-metadata.service", "Dockerfile"] {
        let text = std::fs::read_to_string(root.join(name)).unwrap();
        assert!(text.contains("/etc/trefoil/metadata.toml"), "{name}");
    }
}
