//! Limits at the real server: what the settings say is what clients meet.

use http::{HeaderName, HeaderValue, Method};
use trefoil_client::transport::{HttpTransport, Request, Transport as _};
use trefoil_protocol::problem::{Problem, ProblemCode};
use trefoil_protocol::social::EphemeralKey;
use url::Url;

use crate::world::{ACME, OTHER, World, http, post};

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_limited_and_nobody_else_and_strangers_spend_nothing() {
    let world = World::new().await;
    let node =
        world.serve("[limits]\naddress_per_minute = 0\nuser_per_minute = 1\nuser_burst = 2\n");
    let (base, client) = (http(&node), HttpTransport::new().unwrap());
    let mut rng = trefoil::Environment::system().rng();
    let (key, other_key) = (
        EphemeralKey::random(&mut rng),
        EphemeralKey::random(&mut rng),
    );
    // Tokens that were captured, or are cut off.
    let mut captured = world.body(ACME, "alice", &key);
    captured["ephemeral_key"] = serde_json::to_value(other_key.public()).unwrap();
    let mut torn = world.body(ACME, "alice", &key);
    let token = torn["id_token"].as_str().unwrap();
    torn["id_token"] = token.split_at(token.len() - 8).0.into();
    for _ in 0..10 {
        for bad in [&captured, &torn] {
            assert_eq!(post(&client, &base, bad).await.status, 401);
        }
    }
    let login = |tenant, user| world.login(&client, &base, tenant, user);
    login(ACME, "alice").await.unwrap();
    login(ACME, "alice").await.unwrap();
    let problem = login(ACME, "alice").await.unwrap_err();
    assert_eq!(problem.code, ProblemCode::TooManyRequests);
    assert!((50..=60).contains(&problem.retry_after.unwrap()));
    login(ACME, "bob").await.unwrap();
    login(OTHER, "alice").await.unwrap();
    assert!(login(ACME, "alice").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_limited_by_what_the_trusted_proxy_says() {
    let world = World::new().await;
    let limits = "[limits]\naddress_per_minute = 1\naddress_burst = 2\n";
    let client = HttpTransport::new().unwrap();
    let from = async |base: &str, address: &str| {
        let url = Url::parse(&format!("{base}/v1/manifest")).unwrap();
        let name = HeaderName::from_static("x-forwarded-for");
        let address = HeaderValue::from_str(address).unwrap();
        let request = Request::new(Method::GET, url).header(name, address);
        client.send(request).await.unwrap()
    };
    let node = world.serve(&format!(
        "behind_proxy = true\ntrusted_proxies = [\"127.0.0.1\"]\n{limits}"
    ));
    let base = http(&node);
    for _ in 0..2 {
        assert_eq!(from(&base, "203.0.113.1").await.status, 200);
    }
    let refused = from(&base, "203.0.113.1").await;
    assert_eq!(refused.status, 429);
    let retry_after = refused.headers["retry-after"].to_str().unwrap();
    assert!((50..=60).contains(&retry_after.parse::<u64>().unwrap()));
    let problem: Problem = serde_json::from_slice(&refused.body).unwrap();
    assert_eq!(problem.code, ProblemCode::TooManyRequests);
    assert_eq!(from(&base, "203.0.113.2").await.status, 200);
    // What the client itself wrote stands before what the proxy did.
    assert_eq!(from(&base, "203.0.113.3, 203.0.113.1").await.status, 429);
    node.stop();

    // A peer that is no proxy is counted itself, whatever it says.
    let node = world.serve(limits);
    let base = http(&node);
    assert_eq!(from(&base, "203.0.113.1").await.status, 200);
    assert_eq!(from(&base, "203.0.113.2").await.status, 200);
    assert_eq!(from(&base, "203.0.113.3").await.status, 429);
}
