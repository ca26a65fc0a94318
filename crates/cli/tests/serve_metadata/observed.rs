//! Counters on a port of their own, a log that names nobody, readiness.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::Server;
use crate::world::{World, get, login, login_body, port, send, send_to};

/// Every sample by its name and labels. Lines that are none of the format fail.
fn scrape(server: &Server) -> BTreeMap<String, f64> {
    let answer = send_to(port(server, "metrics"), "GET", "/metrics", &[], "");
    assert_eq!(answer.status, 200);
    let content_type = answer.header("content-type").unwrap();
    assert!(content_type.starts_with("application/openmetrics-text; version=1.0.0"));
    let samples = answer.body.strip_suffix("# EOF\n").unwrap();
    let mut found = BTreeMap::new();
    for line in samples.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let kind = comment.split(' ').next().unwrap();
            assert!(["HELP", "TYPE", "UNIT"].contains(&kind), "{line}");
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("trefoil_metadata_"), "{line}");
        let before = found.insert(name.to_owned(), value.parse::<f64>().unwrap());
        assert_eq!(before, None, "{name} twice");
    }
    found
}

const METRICS: &str = "metrics = \"127.0.0.1:0\"\n";

#[test]
fn requests_and_refusals_are_counted() {
    let world = World::new();
    let server = world.serve(&format!(
        "{METRICS}[limits]\nlocator_per_minute = 1\nlocator_burst = 1\n"
    ));
    let before = scrape(&server);
    for zero in [
        "trefoil_metadata_store_faults_total",
        "trefoil_metadata_limited_requests_total{kind=\"locator\"}",
        "trefoil_metadata_limited_requests_total{kind=\"address\"}",
        "trefoil_metadata_limit_faults_total{kind=\"slot\"}",
        "trefoil_metadata_sessions_total{by=\"login\"}",
        "trefoil_metadata_commits_total",
        "trefoil_metadata_tombstones_total{kind=\"account\"}",
        "trefoil_metadata_ready",
    ] {
        assert_eq!(before[zero], 0.0, "{zero}");
    }
    login(&server, 1, &[]);
    login(&server, 1, &[]);
    assert_eq!(get(&server, "/readyz").status, 200);
    get(&server, "/v1/acme/not-a-route");
    let after = scrape(&server);
    let sessions = |code: &str| {
        let labels = format!("route=\"/v1/{{tenant}}/sessions\",method=\"POST\",code=\"{code}\"");
        after[&format!("trefoil_metadata_requests_total{{{labels}}}")]
    };
    assert_eq!(
        (sessions("no_account"), sessions("too_many_requests")),
        (1.0, 1.0)
    );
    let counted =
        "trefoil_metadata_request_seconds_count{route=\"/v1/{tenant}/sessions\",method=\"POST\"}";
    assert_eq!(after[counted], 2.0);
    let limited = "trefoil_metadata_limited_requests_total{kind=\"locator\"}";
    assert_eq!(after[limited], 1.0);
    assert_eq!(after["trefoil_metadata_ready"], 1.0);
    let lost = "trefoil_metadata_requests_total{route=\"other\",method=\"GET\",code=\"not_found\"}";
    assert_eq!(after[lost], 1.0);
    // The public port does not have them.
    assert_eq!(get(&server, "/metrics").status, 404);
    server.stop();
}

/// Everything at the finest level for our crates, the libraries below as usual.
#[test]
fn log_and_counters_hold_no_statement_locator_or_address() {
    let world = World::new();
    let log = std::fs::File::create(world.path("log")).unwrap();
    let more = format!("{METRICS}behind_proxy = true\ntrusted_proxies = [\"127.0.0.1\"]\n");
    let filter = "info,trefoil=trace,trefoil_metadata_server=trace,trefoil_store=trace,trefoil_protocol=trace";
    let mut command = world.command(&more);
    let mut server = Server::start_logging(command.env("TREFOIL_LOG", filter), log.into());
    let body = login_body(7);
    let token = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXRva2U";
    let bearer = format!("Bearer {token}");
    let headers = [
        ("x-forwarded-for", "203.0.113.77"),
        ("x-request-id", "id-of-the-client"),
        ("authorization", bearer.as_str()),
        ("origin", "https://page-of-the-log.example"),
    ];
    let account = "A".repeat(21) + "Q";
    let mut ids = Vec::new();
    for (method, path) in [
        ("POST", "/v1/acme/sessions".to_owned()),
        ("POST", "/v1/path-of-the-log".to_owned()),
        ("GET", format!("/v1/acme/accounts/{account}/record")),
    ] {
        let answer = send(&server, method, &path, &headers, &body);
        ids.push(answer.header("x-request-id").unwrap().to_owned());
    }
    let counted = format!("{:?}", scrape(&server));
    server.signal("TERM");
    assert_eq!(server.hear()["step"], "stopping");
    assert_eq!(server.ended(), 0);
    let log = std::fs::read_to_string(world.path("log")).unwrap();
    for id in ids {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(&id)).collect();
        assert_eq!(lines.len(), 1, "{id}: {log}");
        let line: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
        for field in ["request_id", "method", "route", "status", "code", "micros"] {
            assert!(!line["fields"][field].is_null(), "{field}: {line}");
        }
    }
    let statement: serde_json::Value = serde_json::from_str(&body).unwrap();
    let statement = &statement["statements"][0];
    let seed = std::fs::read_to_string(world.path("data/permit.key")).unwrap();
    let seed: serde_json::Value = serde_json::from_str(&seed).unwrap();
    for secret in [
        statement["statement"].as_str().unwrap(),
        statement["signature"].as_str().unwrap(),
        seed["seed"].as_str().unwrap(),
        token,
        "203.0.113.77",
        "id-of-the-client",
        "page-of-the-log",
        "path-of-the-log",
        &account,
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
        assert!(!counted.contains(secret), "{secret} is counted");
    }
}

#[test]
fn a_server_whose_store_does_not_work_is_not_ready() {
    let world = World::new();
    let server = world.serve(METRICS);
    assert_eq!(get(&server, "/readyz").status, 200);
    // Somebody holds the database for longer than the server waits.
    let other = rusqlite::Connection::open(world.path("data/records.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    let refused = get(&server, "/readyz");
    assert_eq!(
        (refused.status, refused.problem().code.as_str()),
        (503, "unavailable")
    );
    assert_eq!(get(&server, "/healthz").status, 200);
    assert_eq!(scrape(&server)["trefoil_metadata_ready"], 0.0);
    let refused = login(&server, 1, &[]);
    assert_eq!(refused.status, 503);
    assert!(scrape(&server)["trefoil_metadata_store_faults_total"] >= 1.0);
    drop(other);
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(get(&server, "/readyz").status, 200);
    assert_eq!(scrape(&server)["trefoil_metadata_ready"], 1.0);
    assert_eq!(login(&server, 1, &[]).status, 404);
    server.stop();
}
