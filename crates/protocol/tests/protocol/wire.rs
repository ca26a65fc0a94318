//! The bodies of the metadata server's calls: there and back, and nothing in them that is not known.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use trefoil_protocol::bytes::{Blob, PayloadHash};
use trefoil_protocol::policy::Action;
use trefoil_protocol::statement::{Context, SignedStatement, StatementBody};
use trefoil_protocol::wire::{
    CommitRequest, CommitResponse, CreateRequest, DeleteRequest, EventsResponse, IndexedEnvelope,
    KitRequest, KitResponse, LoginRequest, LoginResponse, NonceResponse, RecordResponse,
    SessionGrant, SessionToken,
};

use crate::support::*;

/// Reads back what it writes, names exactly these fields, and refuses one more at every level, one less, and another type.
fn check<T>(body: &T, fields: &[&str], optional: &[&str])
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let value = serde_json::to_value(body).unwrap();
    assert_eq!(serde_json::from_value::<T>(value.clone()).unwrap(), *body);
    let mut found: Vec<&String> = value.as_object().unwrap().keys().collect();
    let mut expected = fields.to_vec();
    expected.extend(optional);
    found.sort();
    expected.sort_unstable();
    assert_eq!(found, expected);
    let mut variants = Vec::new();
    with_one_more(&value, &mut |changed| variants.push(changed));
    assert!(!variants.is_empty());
    for variant in variants {
        assert!(
            serde_json::from_value::<T>(variant.clone()).is_err(),
            "{variant}"
        );
    }
    for field in fields {
        let mut less = value.clone();
        less.as_object_mut().unwrap().remove(*field);
        assert!(
            serde_json::from_value::<T>(less).is_err(),
            "without {field}"
        );
        let mut other = value.clone();
        other[*field] = json!(1.5);
        assert!(
            serde_json::from_value::<T>(other).is_err(),
            "{field} is a number"
        );
    }
    for field in optional {
        let mut less = value.clone();
        less.as_object_mut().unwrap().remove(*field);
        serde_json::from_value::<T>(less).unwrap();
    }
}

/// This value once for each object inside it, which gets an unknown field.
fn with_one_more(value: &Value, found: &mut dyn FnMut(Value)) {
    match value {
        Value::Object(object) => {
            let mut more = object.clone();
            more.insert("more".into(), json!(1));
            found(Value::Object(more));
            for (name, inner) in object {
                with_one_more(inner, &mut |changed| {
                    let mut object = object.clone();
                    object.insert(name.clone(), changed);
                    found(Value::Object(object));
                });
            }
        }
        Value::Array(items) => {
            for (at, inner) in items.iter().enumerate() {
                with_one_more(inner, &mut |changed| {
                    let mut items = items.clone();
                    items[at] = changed;
                    found(Value::Array(items));
                });
            }
        }
        _ => {}
    }
}

#[test]
fn every_body() {
    let mut rng = rng(1);
    let (stored, _) = one_click(&mut rng);
    let tenant = tenant();
    let context = Context {
        aud: "https://meta.example",
        tenant: &tenant,
        now: NOW,
    };
    let statement =
        SignedStatement::sign(StatementBody::Login {}, factor(1).auth(), context, &mut rng);
    let envelopes = vec![IndexedEnvelope {
        index: 1,
        envelope: stored.envelopes[&1].clone(),
    }];
    let record = stored.record.signed().clone();
    let (sealed_nonce, nonce) = (stored.nonce.clone(), stored.nonce.clone().unwrap());
    let login = LoginRequest {
        statements: vec![statement.clone()],
    };
    check(&login, &["statements"], &[]);
    let answer = LoginResponse {
        account_id: stored.record.account_id,
        record: record.clone(),
        envelopes: envelopes.clone(),
        sealed_nonce: sealed_nonce.clone(),
        session: SessionGrant {
            token: SessionToken::from_bytes([7; 32]),
            expires: NOW,
        },
        logins: 1,
        unknown: vec![factor(2).locator()],
        removed: vec![factor(3).locator()],
        server_time: NOW,
    };
    let fields = [
        "account_id",
        "record",
        "envelopes",
        "session",
        "logins",
        "server_time",
    ];
    check(&answer, &fields, &["sealed_nonce", "unknown", "removed"]);
    let create = CreateRequest {
        statement: statement.clone(),
        record: record.clone(),
        envelopes: envelopes.clone(),
        sealed_nonce: sealed_nonce.clone(),
    };
    check(
        &create,
        &["statement", "record", "envelopes"],
        &["sealed_nonce"],
    );
    let commit = CommitRequest {
        record: record.clone(),
        envelopes: envelopes.clone(),
        sealed_nonce: sealed_nonce.clone(),
        guess_lists: Vec::new(),
    };
    check(&commit, &["record", "envelopes"], &["sealed_nonce"]);
    let kit = KitResponse {
        record: record.clone(),
        envelopes: envelopes.clone(),
        sealed_nonce,
    };
    check(&kit, &["record", "envelopes"], &["sealed_nonce"]);
    check(
        &RecordResponse { record, envelopes },
        &["record", "envelopes"],
        &[],
    );
    let committed = CommitResponse {
        revision: 2,
        actions: [Action::AddFactor, Action::ChangePolicy].into(),
    };
    check(&committed, &["revision", "actions"], &[]);
    check(
        &NonceResponse {
            sealed_nonce: nonce,
        },
        &["sealed_nonce"],
        &[],
    );
    let request = KitRequest {
        statement: statement.clone(),
    };
    check(&request, &["statement"], &[]);
    check(&DeleteRequest { statement }, &["statement"], &[]);
    let events = EventsResponse {
        events: vec![Blob::new(b"{}".to_vec())],
        head: PayloadHash::from_bytes([7; 32]),
    };
    check(&events, &["events", "head"], &[]);
}
