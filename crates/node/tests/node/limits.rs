//! Limits by address and by user, at a node on a real socket.

use http::StatusCode;
use serde_json::Value;
use trefoil_node::LimitsConfig;
use trefoil_protocol::problem::{Problem, ProblemCode};
use trefoil_protocol::social::{EphemeralKey, EvaluateResponse};

use crate::world::{OTHER_APP, World, answer, request, rng};

const NONE: LimitsConfig = LimitsConfig {
    address_per_minute: 0,
    address_burst: 0,
    user_per_minute: 0,
    user_burst: 0,
};

fn users(per_minute: u32, burst: u32) -> LimitsConfig {
    LimitsConfig {
        user_per_minute: per_minute,
        user_burst: burst,
        ..NONE
    }
}

fn addresses(per_minute: u32, burst: u32) -> LimitsConfig {
    LimitsConfig {
        address_per_minute: per_minute,
        address_burst: burst,
        ..NONE
    }
}

fn refused(result: Result<EvaluateResponse, Problem>) -> Option<u64> {
    let problem = result.expect_err("over the limit");
    assert_eq!(problem.code, ProblemCode::TooManyRequests);
    problem.retry_after
}

#[tokio::test]
async fn a_user_who_asks_too_often_waits_and_nobody_else_does() {
    let world = World::limited(&users(6, 2), Vec::new()).await;
    let key = EphemeralKey::random(&mut rng(11));
    let ask = async |user: &str| {
        let token = world.token(user, &key);
        world.ask(&token, &key.public()).await
    };
    ask("alice").await.unwrap();
    ask("alice").await.unwrap();
    assert_eq!(refused(ask("alice").await), Some(10));
    // Another user, and the user of the same name in another tenant.
    ask("bob").await.unwrap();
    let claims = world.claims("alice", &key).with("aud", OTHER_APP);
    let token = world.provider.id_token(&claims).unwrap();
    let other = request("other", "google", &token, &key.public());
    world.post(0, &other).await.unwrap();
    assert_eq!(refused(ask("alice").await), Some(10));
    world.advance(10);
    ask("alice").await.unwrap();
    assert_eq!(refused(ask("alice").await), Some(10));

    let text = world.metrics[0].encode();
    assert!(
        text.contains("trefoil_node_limited_requests_total{kind=\"user\"} 3\n"),
        "{text}"
    );
}

/// Whoever knows a user's name but has no token of theirs: forged, expired, captured, for another app.
#[tokio::test]
async fn strangers_cannot_spend_a_users_requests() {
    let world = World::limited(&users(1, 1), Vec::new()).await;
    let (key, other_key) = (
        EphemeralKey::random(&mut rng(11)),
        EphemeralKey::random(&mut rng(12)),
    );
    let claims = world.claims("alice", &key);
    let forger = world.provider.forger();
    let algorithm = trefoil_testkit::oidc::Algorithm::Es256;
    for _ in 0..20 {
        let forged = forger.foreign_key(&claims, algorithm).unwrap();
        world.ask(&forged, &key.public()).await.unwrap_err();
        let none = forger.alg_none(&claims).unwrap();
        world.ask(&none, &key.public()).await.unwrap_err();
        let captured = world.token("alice", &other_key);
        let problem = world.ask(&captured, &key.public()).await.unwrap_err();
        assert_eq!(problem.code, ProblemCode::TokenWrongNonce);
    }
    let token = world.token("alice", &key);
    world.ask(&token, &key.public()).await.unwrap();
    assert_eq!(refused(world.ask(&token, &key.public()).await), Some(60));
}

/// The address is limited before the token, even the body's form, is looked at.
#[tokio::test]
async fn an_address_that_asks_too_often_waits_whatever_it_asks() {
    let proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let world = World::limited(&addresses(6, 3), proxies).await;
    let from = async |address: &str, body: &str| {
        let post = world.http.post(format!("{}/v1/evaluate", world.urls[0]));
        let post = post
            .header("content-type", "application/json")
            .header("x-forwarded-for", format!("198.51.100.9, {address}"))
            .body(body.to_owned());
        answer(post).await
    };
    for body in ["", "{}", "[1]"] {
        let problem = from("203.0.113.7", body).await.unwrap_err();
        assert_eq!(problem.code, ProblemCode::MalformedRequest);
    }
    let key = EphemeralKey::random(&mut rng(11));
    let token = world.token("alice", &key);
    let good: Value = request("acme", "google", &token, &key.public());
    let good = good.to_string();
    assert_eq!(refused(from("203.0.113.7", "{}").await), Some(10));
    assert_eq!(refused(from("203.0.113.7", &good).await), Some(10));
    from("203.0.113.8", &good).await.unwrap();
    // The manifest counts too; the operator's probes do not.
    let get = async |path: &str| {
        let get = world.http.get(format!("{}{path}", world.urls[0]));
        let get = get.header("x-forwarded-for", "203.0.113.7");
        get.send().await.unwrap().status()
    };
    for path in ["/v1/manifest", "/v1/manifests?after=0"] {
        assert_eq!(get(path).await, StatusCode::TOO_MANY_REQUESTS, "{path}");
    }
    for _ in 0..20 {
        assert_eq!(get("/healthz").await, StatusCode::OK);
        assert_eq!(get("/readyz").await, StatusCode::OK);
    }
    world.advance(10);
    from("203.0.113.7", &good).await.unwrap();
    assert_eq!(refused(from("203.0.113.7", &good).await), Some(10));
}

/// Without a trusted proxy the header says nothing.
#[tokio::test]
async fn a_client_cannot_choose_its_address() {
    let world = World::limited(&addresses(60, 1), Vec::new()).await;
    let get = async |address: &str| {
        let get = world.http.get(format!("{}/v1/manifest", world.urls[0]));
        let get = get.header("x-forwarded-for", address);
        get.send().await.unwrap().status()
    };
    assert_eq!(get("203.0.113.1").await, StatusCode::OK);
    assert_eq!(get("203.0.113.2").await, StatusCode::TOO_MANY_REQUESTS);
}
