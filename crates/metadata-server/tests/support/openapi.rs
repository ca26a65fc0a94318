//! The API document, and whether an answer is one that it promises.

use std::sync::LazyLock;

use serde_json::Value;

use super::http::{Call, Reply};

pub fn document() -> &'static Value {
    static DOCUMENT: LazyLock<Value> =
        LazyLock::new(|| serde_json::from_str(trefoil_metadata_server::openapi_json()).unwrap());
    &DOCUMENT
}

/// The operation that a request is for; none where the server has no such route.
fn operation(call: &Call) -> Option<&'static Value> {
    let path = call.path.split('?').next()?;
    let fits = |pattern: &str| {
        let (wanted, given): (Vec<_>, Vec<_>) =
            (pattern.split('/').collect(), path.split('/').collect());
        let mut pairs = wanted.iter().zip(&given);
        wanted.len() == given.len()
            && pairs.all(|(wanted, given)| wanted == given || wanted.starts_with('{'))
    };
    let paths = document()["paths"].as_object().unwrap();
    let (_, item) = paths.iter().find(|(pattern, _)| fits(pattern))?;
    item.get(call.method.to_ascii_lowercase())
}

/// Fails where the answer's status or problem code is not among those of the operation.
pub fn check(call: &Call, reply: &Reply) {
    let Some(operation) = operation(call) else {
        return;
    };
    let shown = format!("{} {}: {}", call.method, call.path, reply.status);
    let response = &operation["responses"][reply.status.to_string()];
    assert!(response.is_object(), "{shown} is not documented");
    let content_type = reply.header("content-type").unwrap_or_default();
    let essence = content_type.split(';').next().unwrap();
    match response["content"].as_object() {
        None => assert_eq!(reply.body, b"", "{shown}"),
        Some(content) => assert!(content.contains_key(essence), "{shown} {content_type}"),
    }
    if reply.status >= 400 {
        let code = reply.code();
        let codes = &response["content"][essence]["schema"]["allOf"][1]["properties"]["code"];
        let codes = codes["enum"].as_array().unwrap();
        assert!(
            codes.contains(&code.as_str().into()),
            "{shown} {code} is not documented"
        );
    }
}
