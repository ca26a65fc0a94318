//! Counters on a port of their own, and a log that names nobody.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue, Method};
use trefoil_client::transport::{HttpTransport, Request, Transport as _};
use trefoil_protocol::social::EphemeralKey;
use url::Url;

use crate::support::Server;
use crate::world::{ACME, World, get, http, port, post};

/// Every sample by its name and labels. Lines that are none of the format fail.
async fn scrape(node: &Server) -> BTreeMap<String, f64> {
    let base = format!("http://127.0.0.1:{}", port(node, "metrics"));
    let answer = get(&base, "/metrics").await;
    assert_eq!(answer.status, 200);
    let content_type = answer.headers["content-type"].to_str().unwrap();
    assert!(content_type.starts_with("application/openmetrics-text; version=1.0.0"));
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let samples = text.strip_suffix("# EOF\n").unwrap();
    let mut found = BTreeMap::new();
    for line in samples.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let kind = comment.split(' ').next().unwrap();
            assert!(["HELP", "TYPE", "UNIT"].contains(&kind), "{line}");
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("trefoil_node_"), "{line}");
        let before = found.insert(name.to_owned(), value.parse::<f64>().unwrap());
        assert_eq!(before, None, "{name} twice");
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn answered_and_refused_logins_are_counted() {
    let world = World::new().await;
    let node =
        world.serve("metrics = \"127.0.0.1:0\"\n[limits]\nuser_per_minute = 1\nuser_burst = 1\n");
    let (base, client) = (http(&node), HttpTransport::new().unwrap());
    let before = scrape(&node).await;
    assert_eq!(before["trefoil_node_epoch"], 1.0);
    assert_eq!(before["trefoil_node_evaluation_seconds_count"], 0.0);
    assert_eq!(
        before["trefoil_node_limited_requests_total{kind=\"user\"}"],
        0.0
    );

    world.login(&client, &base, ACME, "alice").await.unwrap();
    world
        .login(&client, &base, ACME, "alice")
        .await
        .unwrap_err();
    let mut rng = trefoil::Environment::system().rng();
    let mut captured = world.body(ACME, "bob", &EphemeralKey::random(&mut rng));
    captured["ephemeral_key"] =
        serde_json::to_value(EphemeralKey::random(&mut rng).public()).unwrap();
    post(&client, &base, &captured).await;

    let after = scrape(&node).await;
    let evaluated = |code: &str| {
        let name = format!("trefoil_node_requests_total{{route=\"/v1/evaluate\",code=\"{code}\"}}");
        after[&name]
    };
    assert_eq!(evaluated("ok"), 1.0);
    assert_eq!(evaluated("too_many_requests"), 1.0);
    assert_eq!(evaluated("token_wrong_nonce"), 1.0);
    assert_eq!(after["trefoil_node_evaluation_seconds_count"], 1.0);
    assert!(after["trefoil_node_evaluation_seconds_sum"] > 0.0);
    assert_eq!(
        after["trefoil_node_limited_requests_total{kind=\"user\"}"],
        1.0
    );
    assert_eq!(after["trefoil_node_key_fetches_total{outcome=\"ok\"}"], 1.0);
    // The public port does not have them.
    assert_eq!(get(&base, "/metrics").await.status, 404);
    node.stop();
}

/// Everything at the finest level for our crates, the libraries below as usual.
#[tokio::test(flavor = "multi_thread")]
async fn log_and_counters_hold_no_token_user_or_address() {
    let world = World::new().await;
    let log = std::fs::File::create(world.path("log")).unwrap();
    let more = "metrics = \"127.0.0.1:0\"\ntrusted_proxies = [\"127.0.0.1\"]\n[limits]\nuser_per_minute = 1\nuser_burst = 1\n";
    let filter = "info,trefoil=trace,trefoil_node=trace,trefoil_store=trace,trefoil_protocol=trace";
    let mut node =
        Server::start_logging(world.command(more).env("TREFOIL_LOG", filter), log.into());
    let base = http(&node);
    let client = HttpTransport::new().unwrap();
    let key = EphemeralKey::random(&mut trefoil::Environment::system().rng());
    let user = "alice-of-the-log";
    let body = world.body(ACME, user, &key);
    let mut ids = Vec::new();
    for path in ["/v1/evaluate", "/v1/evaluate", "/v1/alice-of-the-log"] {
        let url = Url::parse(&format!("{base}{path}")).unwrap();
        let request = Request::new(Method::POST, url)
            .json(body.to_string())
            .header(
                HeaderName::from_static("x-forwarded-for"),
                HeaderValue::from_static("203.0.113.77"),
            );
        let answer = client.send(request).await.unwrap();
        ids.push(answer.headers["x-request-id"].to_str().unwrap().to_owned());
    }
    let counted = format!("{:?}", scrape(&node).await);
    node.signal("TERM");
    assert_eq!(node.hear()["step"], "stopping");
    assert_eq!(node.ended(), 0);
    let log = std::fs::read_to_string(world.path("log")).unwrap();
    for id in ids {
        let lines = log.lines().filter(|line| line.contains(&id));
        assert_eq!(lines.count(), 1, "{id}: {log}");
    }
    assert!(log.contains("too_many_requests"), "{log}");
    let share = std::fs::read_to_string(world.path("net/node-1.secret.json")).unwrap();
    let share: serde_json::Value = serde_json::from_str(&share).unwrap();
    let share_secrets = share
        .as_object()
        .unwrap()
        .values()
        .filter_map(|value| value.as_str());
    let nonce = key.oidc_nonce();
    let secrets = ["eyJ", user, "203.0.113.77", &nonce];
    for secret in secrets
        .into_iter()
        .chain(share_secrets.filter(|text| text.len() > 20))
    {
        assert!(!log.contains(secret), "{secret} is in the log");
        assert!(!counted.contains(secret), "{secret} is counted");
    }
}
