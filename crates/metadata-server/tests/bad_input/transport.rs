//! Paths, methods, tenants, bodies.

use crate::support::Server;
use crate::support::http::call;
use crate::support::wallet::upgraded;
use std::time::Duration;
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::wire::{LoginRequest, MAX_BODY};

use crate::refused;

#[tokio::test]
async fn paths_methods_and_tenants() {
    let server = Server::start().await;
    let (_, wallet, session) = upgraded(&server, "acme", 1).await;
    let cases = [
        ("an unknown route", call("GET", "/v2/acme"), Code::NotFound),
        ("the root", call("GET", "/"), Code::NotFound),
        (
            "a trailing slash",
            call("POST", "/v1/acme/sessions/"),
            Code::NotFound,
        ),
        (
            "a method",
            call("GET", "/v1/acme/sessions"),
            Code::MethodNotAllowed,
        ),
        (
            "another method",
            wallet.session_call("PATCH", "/record", &session),
            Code::MethodNotAllowed,
        ),
        (
            "an unknown tenant",
            call("POST", "/v1/nobody/sessions").json(&()),
            Code::UnknownTenant,
        ),
        (
            "no tenant name",
            call("POST", "/v1/ACME/sessions").json(&()),
            Code::UnknownTenant,
        ),
        (
            "not UTF-8",
            call("POST", "/v1/%ff/sessions").json(&()),
            Code::MalformedRequest,
        ),
        (
            "no account id",
            call("GET", "/v1/acme/accounts/me/record").header("authorization", &session.0),
            Code::MalformedRequest,
        ),
    ];
    for (what, call, code) in cases {
        refused(&server, what, &call, code).await;
    }
    let reply = call("GET", "/v1/acme/sessions").send(&server).await;
    assert_eq!(reply.header("allow"), Some("POST"));
}

#[tokio::test]
async fn bodies() {
    let server = Server::start_with(
        |options| options,
        |config| config.body_timeout(Duration::from_millis(300)),
    )
    .await;
    let (_, wallet, session) = upgraded(&server, "acme", 1).await;
    let request = wallet.login_request(&[&wallet.factors[&1]], &server);
    let good = wallet.login_call(&request);
    let text = String::from_utf8(good.body.clone()).unwrap();
    let with = |body: &str| good.clone().raw(body.as_bytes().to_vec());
    let cases = [
        ("nothing", with(""), Code::MalformedRequest),
        ("no JSON", with("{"), Code::MalformedRequest),
        (
            "no UTF-8",
            good.clone().raw(vec![0xff; 40]),
            Code::MalformedRequest,
        ),
        ("another form", with("[]"), Code::MalformedRequest),
        (
            "something after it",
            with(&format!("{text}x")),
            Code::MalformedRequest,
        ),
        (
            "an unknown field",
            with(&text.replacen('{', "{\"more\":1,", 1)),
            Code::MalformedRequest,
        ),
        (
            "an unknown inner field",
            with(&text.replacen("{\"statement\"", "{\"more\":1,\"statement\"", 1)),
            Code::MalformedRequest,
        ),
        (
            "a field twice",
            with(&text.replacen('{', "{\"statements\":[],", 1)),
            Code::MalformedRequest,
        ),
        (
            "deep nesting",
            with(&"[".repeat(100_000)),
            Code::MalformedRequest,
        ),
        (
            "padding",
            with(&text.replacen("\",\"signature\"", "=\",\"signature\"", 1)),
            Code::MalformedRequest,
        ),
        (
            "another media type",
            good.clone()
                .without("content-type")
                .header("content-type", "text/plain"),
            Code::UnsupportedMediaType,
        ),
        (
            "no media type",
            good.clone().without("content-type"),
            Code::UnsupportedMediaType,
        ),
        (
            "too many bytes",
            with(&" ".repeat(MAX_BODY + 1)),
            Code::BodyTooLarge,
        ),
        (
            "a huge stated length",
            with("").header("content-length", "999999999999"),
            Code::BodyTooLarge,
        ),
        (
            "a body that never comes",
            with("{").header("content-length", "100"),
            Code::RequestTimeout,
        ),
        (
            "no statements",
            wallet.login_call(&LoginRequest { statements: vec![] }),
            Code::MalformedRequest,
        ),
        (
            "too many statements",
            wallet.login_call(&LoginRequest {
                statements: vec![request.statements[0].clone(); 17],
            }),
            Code::MalformedRequest,
        ),
    ];
    for (what, call, code) in cases {
        refused(&server, what, &call, code).await;
    }
    let chunk = format!(
        "{:x}\r\n{}\r\n0\r\n\r\n",
        MAX_BODY + 1,
        " ".repeat(MAX_BODY + 1)
    );
    let chunked = with(&chunk).header("transfer-encoding", "chunked");
    refused(
        &server,
        "too many bytes, length unstated",
        &chunked,
        Code::BodyTooLarge,
    )
    .await;

    let largest = format!("{text}{}", " ".repeat(MAX_BODY - text.len()));
    let media_type = with(&largest)
        .without("content-type")
        .header("content-type", "Application/JSON; charset=utf-8");
    assert_eq!(media_type.send(&server).await.status, 200);
    let _ = session;
}

/// Whatever it is that takes so long: here a body that is still allowed to come.
#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up() {
    let server = Server::start_with(
        |options| options,
        |config| config.request_timeout(Duration::from_millis(300)),
    )
    .await;
    let (_, wallet, _) = upgraded(&server, "acme", 1).await;
    let request = wallet.login_request(&[&wallet.factors[&1]], &server);
    let slow = wallet
        .login_call(&request)
        .header("content-length", "99999");
    let reply = slow.send(&server).await;
    let problem = reply.problem();
    assert_eq!(problem.code, Code::Unavailable);
    assert_eq!(problem.retry_after, Some(1));
    assert!(problem.detail.contains("send the same again"), "{problem}");
}

#[tokio::test]
async fn bodies_take_no_more_memory_than_there_is_for_all() {
    let server = Server::start_with(|options| options, |config| config.body_bytes(0)).await;
    let small = || {
        call("POST", "/v1/acme/sessions")
            .header("content-type", "application/json")
            .raw(b"{}".to_vec())
    };
    assert_eq!(small().send(&server).await.code(), Code::MalformedRequest);
    // One that says it will be long, or does not say, has all the room until it is there or too late.
    for header in [
        ("content-length", MAX_BODY.to_string()),
        ("transfer-encoding", "chunked".to_owned()),
    ] {
        let slow = small().header(header.0, &header.1).raw(Vec::new());
        let slow = slow.send_unheard(&server).await;
        let begun = std::time::Instant::now();
        let refused = loop {
            let reply = small().send(&server).await;
            if reply.status != 400 {
                break reply;
            }
            assert!(begun.elapsed().as_secs() < 9, "it is not counted");
        };
        assert_eq!(refused.code(), Code::Unavailable);
        assert_eq!(refused.header("retry-after"), Some("1"));
        drop(slow);
        while small().send(&server).await.status != 400 {
            assert!(begun.elapsed().as_secs() < 20, "the room is lost");
        }
    }
}
