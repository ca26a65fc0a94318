//! Arguments and settings: what is asked wrongly is told so, with exit code 2, in JSON where JSON is wanted.

mod support;

use support::{command, finish, trefoil};

#[test]
fn help_lists_commands_and_exit_codes() {
    let run = trefoil(&["--help"], b"");
    assert_eq!((run.exit, run.stderr.as_str()), (0, ""));
    for words in ["demo", "serve", "wallet", "network", "Exit codes:", "  9  "] {
        assert!(run.stdout.contains(words), "{words}");
    }
    for arguments in [&["exit-codes"][..], &["help", "exit-codes"]] {
        let run = trefoil(arguments, b"");
        assert_eq!(run.exit, 0);
        assert!(run.stdout.contains("  8  alarm"), "{run:?}");
    }
    let version = trefoil(&["--version"], b"");
    assert_eq!(
        (version.exit, version.stdout.trim()),
        (0, concat!("trefoil ", env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn every_command_has_help() {
    for arguments in [
        "demo",
        "serve",
        "serve dev",
        "serve metadata",
        "serve node",
        "network",
        "network dealer",
        "wallet",
        "wallet login",
        "wallet status",
        "wallet sign",
        "wallet mfa",
        "wallet mfa enable",
        "wallet mfa decline",
        "wallet factor",
        "wallet factor list",
        "wallet factor add",
        "wallet factor change",
        "wallet factor remove",
        "wallet device",
        "wallet device request",
        "wallet device approve",
        "wallet contact",
        "wallet contact offer",
        "wallet contact enrol",
        "wallet contact ask",
        "wallet contact lend",
        "wallet open",
        "wallet drill",
        "wallet recover",
        "wallet export",
    ] {
        let mut all: Vec<&str> = arguments.split(' ').collect();
        all.push("--help");
        let run = trefoil(&all, b"");
        assert_eq!(run.exit, 0, "{arguments}");
        assert!(run.stdout.contains("Usage: trefoil"), "{arguments}");
    }
}

#[test]
fn bad_arguments_exit_2_in_words_or_json() {
    for arguments in [
        &["no-such-command"][..],
        &["wallet"],
        &["wallet", "sign"],
        &["wallet", "export"],
        &["wallet", "factor", "remove", "first"],
        &["wallet", "factor", "add", "horoscope"],
        &["wallet", "open", "--key-out", "x"],
        &["wallet", "login", "--dev-user", "a", "--id-token"],
        &["wallet", "login", "--issuer", "https://login.example"],
        &["wallet", "login", "--client-id", "x"],
        &["wallet", "login", "--scope", "x"],
        &[
            "wallet",
            "login",
            "--dev-user",
            "a",
            "--issuer",
            "https://login.example",
            "--client-id",
            "x",
        ],
        &[
            "wallet",
            "login",
            "--issuer",
            "http://login.example",
            "--client-id",
            "x",
        ],
        &["wallet", "open", "--phrase", "--phrase-file", "x"],
        &["network", "dealer", "--threshold", "2", "--out", "x"],
        &["serve", "dev"],
        &["serve", "dev", "--data", "x", "--tenant", "Not A Tenant"],
    ] {
        let plain = trefoil(arguments, b"");
        assert_eq!(
            (plain.exit, plain.stdout.as_str()),
            (2, ""),
            "{arguments:?}"
        );
        assert!(
            plain.stderr.contains("Usage") || plain.stderr.contains("error"),
            "{arguments:?}"
        );
        let json = trefoil(&[&["--json"][..], arguments].concat(), b"");
        assert_eq!(json.error(), (2, "usage".to_owned()), "{arguments:?}");
        assert_eq!(json.stderr, "");
    }
}

#[test]
fn a_secret_that_was_passed_as_an_argument_is_not_repeated() {
    for json in [&[][..], &["--json"]] {
        let run = trefoil(
            &[
                &["wallet", "open", "--phrase", "legal winner thank year"][..],
                json,
            ]
            .concat(),
            b"",
        );
        assert_eq!(run.exit, 2);
        assert!(!format!("{run:?}").contains("winner"), "{run:?}");
        assert!(format!("{run:?}").contains("never arguments"), "{run:?}");
    }
}

#[test]
fn a_wallet_needs_a_network_file() {
    let directory = tempfile::tempdir().unwrap();
    let device = directory.path().join("device");
    let device = device.to_str().unwrap();
    let login = |network: Option<&str>| {
        let network: Vec<&str> = network
            .map(|file| vec!["--network", file])
            .unwrap_or_default();
        let all = [
            &[
                "--json",
                "wallet",
                "--device-dir",
                device,
                "login",
                "--dev-user",
                "alice",
            ][..],
            &network,
        ]
        .concat();
        trefoil(&all, b"")
    };
    assert_eq!(login(None).error(), (2, "usage".to_owned()));
    assert_eq!(login(Some("/no/such/file")).error(), (1, "io".to_owned()));
    let file = directory.path().join("network.json");
    let text = file.to_str().unwrap();
    for bad in [
        "",
        "{",
        "[]",
        "{\"version\":1}",
        "{\"version\":2,\"metadata_url\":\"http://127.0.0.1:1\",\"tenant\":\"dev\",\"verifiers\":[],\"manifest\":{\"manifest\":\"\",\"signatures\":[]}}",
        "{\"version\":1,\"metadata_url\":\"http://127.0.0.1:1\",\"tenant\":\"dev\",\"verifiers\":[],\"manifest\":{\"manifest\":\"\",\"signatures\":[]}}",
        "{\"version\":1,\"extra\":1,\"metadata_url\":\"http://127.0.0.1:1\",\"tenant\":\"dev\",\"verifiers\":[],\"manifest\":{\"manifest\":\"\",\"signatures\":[]}}",
    ] {
        std::fs::write(&file, bad).unwrap();
        assert_eq!(
            login(Some(text)).error(),
            (2, "bad_network_file".to_owned()),
            "{bad}"
        );
    }
    std::fs::write(&file, vec![b' '; 2 * 1024 * 1024]).unwrap();
    assert_eq!(login(Some(text)).error(), (3, "file_too_large".to_owned()));
    assert!(
        !directory.path().join("device").exists(),
        "nothing was written"
    );
}

#[test]
fn status_needs_no_network() {
    let directory = tempfile::tempdir().unwrap();
    let run = finish(
        command()
            .args(["--json", "wallet", "status"])
            .env("XDG_DATA_HOME", directory.path()),
        b"",
    );
    let status = run.ok();
    assert_eq!(status["accounts"], serde_json::json!([]));
    assert_eq!(
        status["device_file"],
        directory
            .path()
            .join("trefoil/device.json")
            .to_str()
            .unwrap()
    );
}
