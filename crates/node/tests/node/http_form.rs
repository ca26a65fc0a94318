//! The HTTP surface: every refusal is a problem document, whatever was sent.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use trefoil_protocol::social::{EphemeralKey, EvaluateResponse, SignedManifest};

use crate::world::{World, answer, request, rng};

/// Posts bytes under a media type.
async fn raw(
    world: &World,
    media_type: Option<&str>,
    body: impl Into<reqwest::Body>,
) -> Result<EvaluateResponse, &'static str> {
    let mut request = world
        .http
        .post(format!("{}/v1/evaluate", world.urls[0]))
        .body(body);
    if let Some(media_type) = media_type {
        request = request.header("content-type", media_type);
    }
    answer(request)
        .await
        .map_err(|problem| problem.code.as_str())
}

fn honest(world: &World) -> Value {
    let key = EphemeralKey::random(&mut rng(10));
    request("acme", "google", &world.token("ada", &key), &key.public())
}

fn with(mut body: Value, name: &str, value: impl Into<Value>) -> Value {
    body[name] = value.into();
    body
}

#[tokio::test]
async fn bodies_of_another_form() {
    let world = World::small().await;
    let good = honest(&world);
    let text = good.to_string();
    let fields = good.as_object().unwrap();
    let mut bad = vec![
        String::new(),
        "{".to_owned(),
        "null".to_owned(),
        text[..text.len() - 1].to_owned(),
        format!("{text}{text}"),
        text.replacen("\"tenant\"", "\"tenant\":\"acme\",\"tenant\"", 1),
        // The values of all fields in the order of the struct: no object.
        json!(
            [
                "version",
                "tenant",
                "verifier",
                "id_token",
                "ephemeral_key",
                "generation"
            ]
            .map(|name| &good[name])
        )
        .to_string(),
        with(good.clone(), "scope", "all").to_string(),
        with(good.clone(), "version", "1").to_string(),
        with(good.clone(), "tenant", "Acme").to_string(),
        with(good.clone(), "verifier", "").to_string(),
        with(good.clone(), "id_token", 5).to_string(),
        with(good.clone(), "ephemeral_key", "AAAA").to_string(),
        with(good.clone(), "ephemeral_key", "=".repeat(43)).to_string(),
        with(good.clone(), "generation", -1).to_string(),
        with(good.clone(), "generation", 1.5).to_string(),
    ];
    for name in fields.keys() {
        let mut less = fields.clone();
        less.remove(name);
        bad.push(Value::Object(less).to_string());
    }
    for body in bad {
        assert_eq!(
            raw(&world, Some("application/json"), body.clone())
                .await
                .err(),
            Some("malformed_request"),
            "{body}"
        );
    }
    let mut not_utf8 = text.clone().into_bytes();
    not_utf8[text.find("acme").unwrap()] = 0xff;
    assert_eq!(
        raw(&world, Some("application/json"), not_utf8).await.err(),
        Some("malformed_request")
    );
    assert!(
        raw(
            &world,
            Some("application/json; charset=utf-8"),
            format!(" \r\n\t{text}\n")
        )
        .await
        .is_ok()
    );
}

#[tokio::test]
async fn refusals_before_the_token() {
    let world = World::small().await;
    for (name, value, code) in [
        ("version", json!(2), "unknown_version"),
        ("version", json!(0), "unknown_version"),
        ("tenant", json!("rival"), "unknown_tenant"),
        ("verifier", json!("other"), "unknown_verifier"),
        ("generation", json!(16), "generation_out_of_range"),
        ("generation", json!(u32::MAX), "generation_out_of_range"),
    ] {
        let body = with(honest(&world), name, value.clone());
        assert_eq!(
            world.post(0, &body).await.unwrap_err().code.as_str(),
            code,
            "{name} {value}"
        );
    }
    // A version of the future may have any fields.
    let future = json!({ "version": 2, "whatever": true });
    assert_eq!(
        world.post(0, &future).await.unwrap_err().code.as_str(),
        "unknown_version"
    );
    assert_eq!(world.provider.fetches().jwks, 0);
}

#[tokio::test]
async fn bodies_that_are_too_large() {
    let world = World::small().await;
    let large = vec![b' '; 64 * 1024 + 1];
    assert_eq!(
        raw(&world, Some("application/json"), large).await.err(),
        Some("body_too_large")
    );
    // To the limit it is read.
    let body = honest(&world).to_string();
    let padded = format!("{}{body}", " ".repeat(64 * 1024 - body.len()));
    assert!(raw(&world, Some("application/json"), padded).await.is_ok());
}

#[tokio::test]
async fn a_body_without_a_length_is_cut_off_too() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let world = World::small().await;
    let host = world.urls[0].strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let head = format!(
        "POST /v1/evaluate HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    let mut answer = Vec::new();
    for _ in 0..64 {
        // The node may hang up while we still send.
        if stream.write_all(chunk.as_bytes()).await.is_err() {
            break;
        }
    }
    let _ = stream.write_all(chunk.as_bytes()).await;
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        answer.extend_from_slice(&buffer[..read]);
        if String::from_utf8_lossy(&answer).contains("body_too_large") {
            return;
        }
    }
    panic!("{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn only_json() {
    let world = World::small().await;
    let body = honest(&world).to_string();
    for media_type in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("application/jsonp"),
    ] {
        assert_eq!(
            raw(&world, media_type, body.clone()).await.err(),
            Some("unsupported_media_type"),
            "{media_type:?}"
        );
    }
}

#[tokio::test]
async fn paths_and_methods() {
    let world = World::small().await;
    let url = |path: &str| format!("{}{path}", world.urls[0]);
    for path in [
        "/",
        "/v1",
        "/v1/evaluate/",
        "/v2/evaluate",
        "/v1/manifest/1",
        "/V1/evaluate",
        "/metrics",
    ] {
        let problem = answer(world.http.get(url(path))).await.unwrap_err();
        assert_eq!(problem.code.as_str(), "not_found", "{path}");
    }
    for (method, path) in [
        (Method::GET, "/v1/evaluate"),
        (Method::PUT, "/v1/evaluate"),
        (Method::POST, "/v1/manifest"),
    ] {
        let problem = answer(world.http.request(method.clone(), url(path)))
            .await
            .unwrap_err();
        assert_eq!(
            problem.code.as_str(),
            "method_not_allowed",
            "{method} {path}"
        );
    }
    // RFC 9110 section 15.5.6.
    let refused = world.http.get(url("/v1/evaluate")).send().await.unwrap();
    assert_eq!(refused.headers()["allow"], "POST");
    for path in ["/healthz", "/readyz"] {
        assert_eq!(
            world.http.get(url(path)).send().await.unwrap().status(),
            StatusCode::OK
        );
    }
}

#[tokio::test]
async fn every_node_serves_the_manifest_that_verifies() {
    let world = World::with(
        2,
        3,
        |provider| vec![crate::world::acme(provider)],
        trefoil_node::FetchConfig::default(),
    )
    .await;
    for url in &world.urls {
        let response = world
            .http
            .get(format!("{url}/v1/manifest"))
            .send()
            .await
            .unwrap();
        assert_eq!(response.headers()["content-type"], "application/json");
        let manifest: SignedManifest = response.json().await.unwrap();
        assert_eq!(
            manifest.verify_first(&world.manifest.network()).unwrap(),
            world.manifest
        );
    }
}

#[tokio::test]
async fn refusals_repeat_nothing_that_was_sent() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    let marker = "marker-ada-lovelace";
    let claims = world
        .claims(marker, &key)
        .with("exp", 1)
        .email(marker, true);
    let token = world.provider.id_token(&claims).unwrap();
    let mut bodies = vec![request("acme", "google", &token, &key.public())];
    for field in [
        "version",
        "tenant",
        "verifier",
        "ephemeral_key",
        "generation",
        "unknown",
    ] {
        bodies.push(with(honest(&world), field, marker));
    }
    bodies.push(with(honest(&world), "id_token", marker));
    for body in bodies {
        let problem = world.post(0, &body).await.unwrap_err();
        let text = serde_json::to_string(&problem).unwrap();
        assert!(!text.contains(marker) && !text.contains(&token), "{text}");
    }
}
