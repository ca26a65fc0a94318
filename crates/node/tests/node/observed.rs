//! What is logged and counted of requests, and what is not.

use std::io::Write;
use std::sync::{Arc, Mutex};

use http::StatusCode;
use rand_core::Rng as _;
use trefoil_node::{Clock, IdTokenVerifier, LimitsConfig, Node, NodeConfig};
use trefoil_protocol::problem::ProblemCode;
use trefoil_protocol::social::{EphemeralKey, deal_network};
use trefoil_store::{MemoryNodeStore, NodeState, NodeStore, StoreError, StoreFuture};

use crate::world::{World, request, rng};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// At the finest level of every crate, also those below.
#[tokio::test]
async fn log_and_counters_name_routes_and_codes_and_nobody() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let limits = LimitsConfig {
        user_per_minute: 1,
        user_burst: 1,
        ..LimitsConfig::default()
    };
    let world = World::limited(&limits, vec!["127.0.0.1".parse().unwrap()]).await;
    let url = &world.urls[0];
    let key = EphemeralKey::random(&mut rng(11));
    let user = "alice-of-the-log";
    let token = world.token(user, &key);
    let mut ids = Vec::new();
    let mut send = async |request: reqwest::RequestBuilder, status: StatusCode| {
        let request = request
            .header("x-forwarded-for", "203.0.113.77")
            .header("x-request-id", "chosen-by-the-client");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        let id = response.headers()["x-request-id"].to_str().unwrap();
        assert_eq!(id.len(), 32);
        ids.push(id.to_owned());
    };
    let evaluate = |token: &str| {
        let body = request("acme", "google", token, &key.public());
        world.http.post(format!("{url}/v1/evaluate")).json(&body)
    };
    send(evaluate(&token), StatusCode::OK).await;
    send(evaluate(&token), StatusCode::TOO_MANY_REQUESTS).await;
    send(
        evaluate("eyJhbGciOiJub25lIn0.e30."),
        StatusCode::UNAUTHORIZED,
    )
    .await;
    let secret_path = format!("{url}/v1/{user}?token={token}");
    send(world.http.get(secret_path), StatusCode::NOT_FOUND).await;
    send(world.http.get(format!("{url}/healthz")), StatusCode::OK).await;
    send(
        world.http.delete(format!("{url}/v1/evaluate")),
        StatusCode::METHOD_NOT_ALLOWED,
    )
    .await;

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    // Lines of libraries below are there too, but the client of this test logs addresses and paths of its own.
    let ours: Vec<&str> = text
        .lines()
        .filter(|line| line.contains(" trefoil_node"))
        .collect();
    for id in &ids {
        let lines = ours.iter().filter(|line| line.contains(id.as_str()));
        assert_eq!(lines.count(), 1, "{id}: {text}");
    }
    ids.dedup();
    assert_eq!(ids.len(), 6);
    let limited = ours.iter().find(|line| line.contains(&ids[1])).unwrap();
    for part in [
        "route=\"/v1/evaluate\"",
        "status=429",
        "code=\"too_many_requests\"",
        "micros=",
    ] {
        assert!(limited.contains(part), "{part}: {limited}");
    }
    let counted = world.metrics[0].encode();
    for secret in [
        "eyJ",
        user,
        "203.0.113.77",
        "127.0.0.1",
        "chosen-by-the-client",
        &key.oidc_nonce(),
    ] {
        for line in &ours {
            // The operator's own setting: where the provider's keys are.
            let line = line.replace(world.provider.issuer(), "");
            assert!(!line.contains(secret), "{secret}: {line}");
        }
        assert!(!counted.contains(secret), "{secret}: {counted}");
    }

    for line in [
        "trefoil_node_requests_total{route=\"/v1/evaluate\",code=\"ok\"} 1",
        "trefoil_node_requests_total{route=\"/v1/evaluate\",code=\"too_many_requests\"} 1",
        "trefoil_node_requests_total{route=\"/v1/evaluate\",code=\"token_algorithm_refused\"} 1",
        "trefoil_node_requests_total{route=\"/v1/evaluate\",code=\"method_not_allowed\"} 1",
        "trefoil_node_requests_total{route=\"other\",code=\"not_found\"} 1",
        "trefoil_node_requests_total{route=\"/healthz\",code=\"ok\"} 1",
        "trefoil_node_evaluation_seconds_count 1",
        "trefoil_node_key_fetches_total{outcome=\"ok\"} 1",
        "trefoil_node_epoch 1",
    ] {
        assert!(
            counted.lines().any(|found| found == line),
            "{line}\n{counted}"
        );
    }
}

/// Labels come from a list: a client cannot make new ones.
#[tokio::test]
async fn strange_requests_make_no_new_counters() {
    let world = World::small().await;
    let mut rng = rng(5);
    let count = || world.metrics[0].encode().lines().count();
    let get = async |path: String| {
        let get = world.http.get(format!("{}{path}", world.urls[0]));
        get.send().await.unwrap();
    };
    get("/nothing".to_owned()).await;
    let before = count();
    for _ in 0..20 {
        get(format!(
            "/{:x}/{:x}?{:x}",
            rng.next_u64(),
            rng.next_u64(),
            rng.next_u64()
        ))
        .await;
    }
    assert_eq!(count(), before);
}

/// A store that fails when it is told to.
struct Moody(MemoryNodeStore, Mutex<bool>);

impl NodeStore for Moody {
    fn load(&self) -> StoreFuture<'_, Option<NodeState>> {
        self.0.load()
    }

    fn replace(&self, expected: Option<u64>, sealed: Vec<u8>) -> StoreFuture<'_, u64> {
        self.0.replace(expected, sealed)
    }

    fn check_ready(&self, _now: u64) -> StoreFuture<'_, ()> {
        let works = *self.1.lock().unwrap();
        Box::pin(async move { if works { Ok(()) } else { Err(StoreError::Full) } })
    }
}

/// Time is turned by the runtime: an answer holds for a second.
#[tokio::test(start_paused = true)]
async fn a_node_whose_store_fails_is_not_ready() {
    use tower::ServiceExt as _;

    let dealt = deal_network(&["https://node.example.com".to_owned()], 1, &mut rng(1)).unwrap();
    let manifest = dealt.manifest.trust_pinned().unwrap();
    let verifier = IdTokenVerifier::new(NodeConfig::default()).unwrap();
    let (secrets, clock) = (dealt.nodes[0].clone(), Clock::new(|| 0));
    let store = Arc::new(Moody(MemoryNodeStore::default(), Mutex::new(true)));
    let node = Node::open(
        Arc::clone(&store) as Arc<dyn NodeStore>,
        secrets.key(),
        verifier,
        clock,
        rng(2),
    )
    .await
    .unwrap();
    assert_eq!(node.ready().await, Err(ProblemCode::NoShare));
    node.adopt_dealt(&secrets, &manifest).await.unwrap();
    let router = node.router();
    let status = async |path: &str| {
        let get = http::Request::get(path).body(axum::body::Body::empty());
        router.clone().oneshot(get.unwrap()).await.unwrap().status()
    };
    assert_eq!(status("/readyz").await, StatusCode::OK);
    *store.1.lock().unwrap() = false;
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    assert_eq!(status("/readyz").await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(status("/healthz").await, StatusCode::OK);
    *store.1.lock().unwrap() = true;
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    assert_eq!(status("/readyz").await, StatusCode::OK);
}
