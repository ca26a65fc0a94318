//! `trefoil demo`: the whole story, as one JSON object a line.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod support;

use serde_json::Value;
use support::{Run, files_below, trefoil};

const STEPS: [&str; 11] = [
    "network",
    "one_click",
    "login_again",
    "enable_mfa",
    "reconstruct",
    "reconstruct",
    "reconstruct",
    "below_threshold",
    "remove_factor",
    "removed_factor_refused",
    "sign",
];

fn check(run: &Run) -> Vec<Value> {
    assert_eq!(run.exit, 0, "{run:?}");
    assert_eq!(run.stderr, "");
    check_story(run, run.lines())
}

/// Of the network, the first line, and of the user, the others.
fn check_story(run: &Run, lines: Vec<Value>) -> Vec<Value> {
    let steps: Vec<&str> = lines
        .iter()
        .map(|line| line["step"].as_str().unwrap())
        .collect();
    assert_eq!(steps, STEPS);
    let objects = run.stdout.lines();
    assert!(objects.clone().all(|line| line.starts_with("{\"step\":")));

    let group_key = lines[0]["group_key"].as_str().unwrap();
    assert_eq!(group_key.len(), 43, "{group_key}");
    let lines = &lines[1..];
    let address = lines[0]["address"].as_str().unwrap();
    assert!(
        address.starts_with("0x") && address.len() == 42,
        "{address}"
    );
    let with_address = lines.iter().filter_map(|line| {
        line.get("address")
            .or_else(|| line.get("recovered_address"))
    });
    let addresses: Vec<&Value> = with_address.collect();
    assert_eq!(addresses.len(), 8);
    assert!(
        addresses.iter().all(|found| **found == address),
        "one address throughout: {addresses:?}"
    );

    assert_eq!(
        (&lines[0]["nonce"], &lines[0]["round_trips"]),
        (&"stored".into(), &3.into())
    );
    assert_eq!(lines[1]["round_trips"], 2);
    assert_eq!(
        (&lines[2]["nonce"], &lines[2]["threshold"]),
        (&"deleted".into(), &2.into())
    );
    assert_eq!(
        lines[2]["factors"],
        serde_json::json!(["social", "device", "recovery_phrase"])
    );
    let pairs: Vec<&Value> = lines[3..6].iter().map(|line| &line["factors"]).collect();
    assert_eq!(
        serde_json::json!(pairs),
        serde_json::json!([
            ["social", "device"],
            ["social", "recovery_phrase"],
            ["device", "recovery_phrase"]
        ])
    );
    assert_eq!(
        (&lines[6]["factors"], &lines[6]["error"]),
        (&serde_json::json!(["social"]), &"needs_factors".into())
    );
    assert_eq!(
        (&lines[7]["factor"], &lines[7]["epoch"]),
        (&"recovery_phrase".into(), &3.into())
    );
    assert_eq!(
        (&lines[8]["factor"], &lines[8]["error"]),
        (&"recovery_phrase".into(), &"factor_removed".into())
    );
    assert_eq!(lines[9]["signature"].as_str().unwrap().len(), 132);
    lines.to_vec()
}

#[test]
fn one_address_from_one_click_to_two_of_three() {
    check(&trefoil(&["demo", "--json"], b""));
}

#[test]
fn any_size_of_network() {
    check(&trefoil(
        &["demo", "--json", "--nodes", "5", "--threshold", "4"],
        b"",
    ));
}

#[test]
fn nine_nodes_make_a_key_and_four_may_go() {
    let run = trefoil(
        &[
            "demo",
            "--json",
            "--nodes",
            "9",
            "--threshold",
            "5",
            "--kill",
            "4",
        ],
        b"",
    );
    assert_eq!((run.exit, run.stderr.as_str()), (0, ""), "{run:?}");
    let mut lines = run.lines();
    let last = lines.pop().unwrap();
    assert_eq!(
        (&lines[0]["nodes"], &lines[0]["threshold"]),
        (&9.into(), &5.into())
    );
    let story = check_story(&run, lines);
    assert_eq!(last["step"], "login_with_nodes_down");
    assert_eq!(last["killed"], 4);
    assert_eq!(last["address"], story[0]["address"]);
}

#[test]
fn every_factor_opens_with_the_login_and_two_open_offline() {
    let run = trefoil(&["demo", "--factors", "all", "--json"], b"");
    assert_eq!((run.exit, run.stderr.as_str()), (0, ""), "{run:?}");
    let mut lines = run.lines();
    let further = lines.split_off(STEPS.len());
    let story = check_story(&run, lines);
    let address = &story[0]["address"];
    let kinds: Vec<&Value> = further
        .iter()
        .filter(|line| line["step"] == "factor")
        .collect();
    assert!(kinds.iter().all(|line| line["address"] == *address));
    let kinds: Vec<&Value> = kinds.iter().map(|line| &line["kind"]).collect();
    assert_eq!(
        serde_json::json!(kinds),
        serde_json::json!([
            "password",
            "pin",
            "security_questions",
            "passkey",
            "email_backup",
            "second_social",
            "other_device",
            "trusted_contact"
        ])
    );
    let rest: Vec<&Value> = further
        .iter()
        .filter(|line| line["step"] != "factor")
        .collect();
    assert_eq!(rest.len(), 2);
    assert_eq!(
        (&rest[0]["step"], &rest[0]["guesses_left"]),
        (&"wrong_pin".into(), &9.into())
    );
    assert_eq!(
        (&rest[1]["step"], &rest[1]["address"]),
        (&"recover_offline".into(), address)
    );
    assert_eq!(
        rest[1]["factors"],
        serde_json::json!(["passkey", "email_backup"])
    );
}

#[test]
fn with_one_more_gone_it_ends_and_says_who_is_missing() {
    let arguments = ["demo", "--nodes", "9", "--threshold", "5", "--kill", "5"];
    let run = trefoil(&[&arguments[..], &["--json"]].concat(), b"");
    let (exit, code) = run.error();
    assert_eq!((exit, code.as_str()), (1, "too_few_nodes"));
    let mut lines = run.lines();
    let message = lines.pop().unwrap()["message"].as_str().unwrap().to_owned();
    assert_eq!(message.matches("http://127.0.0.1:").count(), 5, "{message}");
    check_story(&run, lines);

    let run = trefoil(&arguments, b"");
    assert_eq!(run.exit, 1);
    assert!(run.stderr.contains("5 nodes down"), "{}", run.stderr);
}

#[test]
fn data_are_kept_where_asked_and_private() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("kept");
    let data = data.to_str().unwrap();
    let first = check(&trefoil(&["demo", "--json", "--data", data], b""));
    // On the same servers another user.
    let second = check(&trefoil(&["demo", "--json", "--data", data], b""));
    assert_ne!(first[0]["address"], second[0]["address"]);
    let files = files_below(directory.path());
    for name in [
        "records.db",
        "nonces.db",
        "network.json",
        "node.db",
        "node.key",
        "device.json",
    ] {
        assert!(
            files.iter().any(|path| path.ends_with(name)),
            "{name}: {files:?}"
        );
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(data).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
    }
    // Another size is another network.
    let run = trefoil(&["demo", "--json", "--data", data, "--nodes", "4"], b"");
    assert_eq!(run.error(), (2, "usage".to_owned()));
    let run = trefoil(&["demo", "--json", "--kill", "10"], b"");
    assert_eq!(run.error(), (2, "usage".to_owned()));
}

#[test]
fn for_people_it_is_text() {
    let run = trefoil(&["demo"], b"");
    assert_eq!(run.exit, 0, "{run:?}");
    for words in [
        "9 node processes",
        "One click",
        "Login again",
        "MFA on",
        "social + recovery_phrase",
        "refused",
        "Signed",
    ] {
        assert!(run.stdout.contains(words), "{words}: {}", run.stdout);
    }
}

#[test]
fn networks_that_cannot_be_are_refused() {
    for (nodes, threshold) in [
        ("2", "3"),
        ("1", "2"),
        ("0", "1"),
        ("65", "2"),
        ("3", "0"),
        ("3", "1"),
        ("x", "2"),
    ] {
        let run = trefoil(
            &["demo", "--json", "--nodes", nodes, "--threshold", threshold],
            b"",
        );
        assert_eq!(
            run.error(),
            (2, "usage".to_owned()),
            "{threshold} of {nodes}"
        );
    }
}
