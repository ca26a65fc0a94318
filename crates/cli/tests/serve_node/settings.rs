//! Settings: what goes before what, what is refused, and how it is told.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use crate::support::{Server, finish, trefoil};
use crate::tls::{Authority, tls};
use crate::world::{World, get, http, port};

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

#[tokio::test(flavor = "multi_thread")]
async fn arguments_go_before_the_environment_and_that_before_the_file() {
    let world = World::new().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let serve = |environment: &str, argument: Option<&str>| {
        let mut command = world.command("");
        command.env("TREFOIL_LISTEN", environment);
        command.env("TREFOIL_METRICS", "127.0.0.1:0");
        command.args(argument.iter().flat_map(|address| ["--listen", address]));
        command
    };
    // The file's port is free, the environment's is taken.
    let run = finish(&mut serve(&taken, None), b"");
    assert_eq!(run.error(), (1, "listen".to_owned()));
    let node = Server::start(&mut serve(&taken, Some("127.0.0.1:0")));
    assert_ne!(node.serving["listen"], taken.as_str());
    assert_ne!(port(&node, "metrics"), 0, "from the environment");
    node.stop();

    let mut command = world.command("");
    command.env("TREFOIL_NODE_SECRETS", world.text("nothing"));
    let (exit, _, message) = check(&mut command);
    assert_eq!(exit, 2);
    assert!(message.starts_with("secrets: "), "{message}");
    assert!(message.contains(&world.text("nothing")), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_config_tells_everything_with_file_and_field() {
    let world = World::new().await;
    assert_eq!(check(&mut world.command("")).0, 0);
    let bad = |more: &str, expected: &[&str]| {
        let (exit, code, message) = check(&mut world.command(more));
        assert_eq!(
            (exit, code.as_str()),
            (2, "bad_settings"),
            "{more}: {message}"
        );
        assert_eq!(message.lines().count(), expected.len(), "{message}");
        for (line, expected) in message.lines().zip(expected) {
            assert!(line.contains(expected), "{expected}: {line}");
        }
        message
    };
    let file = world.text("node.toml");
    let line = |text: &str| format!("{file}: {text}");
    bad("unknown = 1\n", &[&line("line 5: unknown field")]);
    bad("overlap = \"long\"\n", &[&line("line 5: invalid type")]);
    bad(
        "trusted_proxies = [\"10.0.0.0/99\"]\n",
        &[&line("line 5: not an IP address or range")],
    );
    bad(
        "[ceremony]\ncoordinator = \"AAAA\"\ntrust = \"refresh\"\n",
        &[&line("line 6: ")],
    );
    bad(
        &format!(
            "[ceremony]\ncoordinator = \"{}\"\ntrust = \"all\"\n",
            "A".repeat(43)
        ),
        &[&line("line 7: unknown variant")],
    );
    bad(
        "overlap = 99999999\npublic_url = \"http://node.example\"\nmax_connections = 0\n",
        &[
            &line("public_url: "),
            &line("overlap: "),
            &line("max_connections: "),
        ],
    );
    bad("data = \"d\"\n", &[&line("key_file: ")]);

    // Files that the settings name.
    bad(&tls(&world), &["tls.certificate: cannot read"]);
    Authority::new().install(&world);
    assert_eq!(check(&mut world.command(&tls(&world))).0, 0);
    let mode = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(world.path("key.pem"), mode(0o640)).unwrap();
    bad(&tls(&world), &["tls.key: "]);
    world.write_private("key.pem", "nothing of use");
    let message = bad(&tls(&world), &["tls.key: "]);
    assert!(!message.contains("nothing of use"), "{message}");
    Authority::new().install(&world);
    let chain = std::fs::read_to_string(world.path("chain.pem")).unwrap();
    Authority::new().install(&world);
    std::fs::write(world.path("chain.pem"), chain).unwrap();
    bad(&tls(&world), &["does not go with"]);
    world.write_private("key.pem", "");
    std::fs::write(world.path("chain.pem"), "").unwrap();
    std::fs::write(world.path("sealing.key"), "not read by others").unwrap();
    std::fs::set_permissions(world.path("sealing.key"), mode(0o644)).unwrap();
    let data = format!(
        "data = \"{}\"\nkey_file = \"{}\"\n",
        world.text("data"),
        world.text("sealing.key")
    );
    std::fs::write(world.path("verifiers.toml"), "[[verifier]]\n").unwrap();
    bad(
        &format!("{data}{}", tls(&world)),
        &["tls.certificate: ", "verifiers: ", "key_file: "],
    );
    assert!(!world.path("data").exists(), "checking makes nothing");

    // A file that is no settings file is not shown: it may be a key.
    world.write_private("secret", "a secret that was named by mistake\n");
    let run = finish(
        crate::support::command()
            .args(["serve", "node", "--check-config", "--config"])
            .arg(world.path("secret")),
        b"",
    );
    assert_eq!(run.exit, 2);
    assert!(!run.stderr.contains("mistake"), "{}", run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn outside_loopback_needs_tls_or_a_proxy() {
    let world = World::new().await;
    let open = |more: &str| {
        let mut command = world.command(more);
        command.args(["--listen", "0.0.0.0:0"]);
        command
    };
    for more in ["", "behind_proxy = false\n"] {
        let run = finish(&mut open(more), b"");
        assert_eq!(run.error(), (2, "bad_settings".to_owned()));
        assert!(run.stdout.contains("listen: "), "{}", run.stdout);
    }
    let proxy = "behind_proxy = true\ntrusted_proxies = [\"127.0.0.1\"]\n";
    Server::start(&mut open(proxy)).stop();
    Authority::new().install(&world);
    Server::start(&mut open(&tls(&world))).stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_store_does_not_work_is_not_ready() {
    let world = World::new().await;
    // A share goes only with the key that it was dealt with.
    let foreign = world.text("sealing.key");
    trefoil(&["--json", "network", "new-key", "--out", &foreign], b"").ok();
    let data = format!(
        "data = \"{}\"\nkey_file = \"{}\"\n",
        world.text("data"),
        world.text("sealing.key")
    );
    let run = finish(&mut world.command(&data), b"");
    assert_eq!(run.error(), (2, "bad_settings".to_owned()));
    let own = std::fs::read_to_string(world.path("net/node-1.key")).unwrap();
    world.write_private("sealing.key", &own);
    let node = world.serve(&data);
    assert_eq!(get(&http(&node), "/readyz").await.status, 200);
    // A second node keeps out, and checking does not mind.
    let run = finish(&mut world.command(&data), b"");
    assert_eq!(run.error(), (1, "store".to_owned()));
    assert_eq!(check(&mut world.command(&data)).0, 0);
    for file in std::fs::read_dir(world.path("data")).unwrap() {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
    // Somebody holds the database for longer than the node waits.
    let other = rusqlite::Connection::open(world.path("data/node.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(get(&http(&node), "/readyz").await.status, 503);
    assert_eq!(get(&http(&node), "/healthz").await.status, 200);
    drop(other);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(get(&http(&node), "/readyz").await.status, 200);
}
