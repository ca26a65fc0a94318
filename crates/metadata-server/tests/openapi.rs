//! The API document against the server that made it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

mod support;

use serde_json::Value;
use support::Server;
use support::http::call;
use support::openapi::document;
use trefoil_protocol::problem::ProblemCode as Code;

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "TRACE"];

/// Every route with every method: what the document has is answered by its handler, what it does not have is refused.
#[tokio::test]
async fn the_document_has_the_routes_of_the_router_and_no_others() {
    let server = Server::start().await;
    let id = "A".repeat(22);
    let mut operations = 0;
    for (pattern, item) in document()["paths"].as_object().unwrap() {
        let path = pattern
            .replace("{tenant}", "acme")
            .replace("{account}", &id)
            .replace("{slot}", &id)
            .replace("{mailbox}", &id)
            .replace("{role}", "old")
            .replace("{step}", "1");
        assert!(!path.contains('{'), "{path}");
        for method in METHODS {
            let documented = item.get(method.to_ascii_lowercase()).is_some();
            operations += usize::from(documented);
            // axum answers HEAD wherever it answers GET.
            let answered = documented || (method == "HEAD" && item.get("get").is_some());
            let reply = call(method, &path).send(&server).await;
            assert_eq!(reply.status != 405, answered, "{method} {path}");
            if !answered && method != "HEAD" {
                assert_eq!(reply.code(), Code::MethodNotAllowed);
            }
        }
    }
    assert_eq!(operations, 22);
}

/// A route that is in the router and not in the document would be found by its absence here.
#[test]
fn every_route_in_the_sources_is_documented() {
    let paths = document()["paths"].as_object().unwrap();
    let mut found = 0;
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(
                !text.contains(".route(\""),
                "{path:?} has a route without a description"
            );
            for rest in text.split("path = \"/").skip(1) {
                let pattern = format!("/{}", rest.split('"').next().unwrap());
                assert!(paths.contains_key(&pattern), "{pattern}");
                found += 1;
            }
        }
    }
    assert_eq!(found, 22);
}

#[tokio::test]
async fn the_server_hands_it_out() {
    let server = Server::start().await;
    let reply = call("GET", "/openapi.json").send(&server).await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.ok::<Value>(), *document());
    assert_eq!(
        document()["openapi"].as_str().unwrap().split('.').next(),
        Some("3")
    );
}

/// Whatever is referred to is there, and whatever is sent is closed against unknown fields.
#[test]
fn references_lead_somewhere_and_bodies_are_closed() {
    fn walk(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                if let Some(reference) = members.get("$ref") {
                    found.push(reference.as_str().unwrap().to_owned());
                }
                members.values().for_each(|member| walk(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            _ => {}
        }
    }
    let mut references = Vec::new();
    walk(document(), &mut references);
    assert!(references.len() > 50);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document().pointer(pointer).is_some(), "{reference}");
    }
    for (name, schema) in document()["components"]["schemas"].as_object().unwrap() {
        if schema["type"] == "object" && name != "Problem" {
            assert_eq!(schema["additionalProperties"], false, "{name}");
        }
    }
}
