//! One life from a fixed random source, every byte string pinned, so that another implementation can follow it; and the
//! committed form of everything that is stored or sent.
//!
//! A difference means that records out there no longer open. `TREFOIL_WRITE_SNAPSHOTS=1` rewrites the files on purpose.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::{Value, json};
use trefoil_protocol::account::ed25519_wallet_seed;
use trefoil_protocol::bytes::{Blob, PayloadHash};
use trefoil_protocol::change::{Change, Prepared, create};
use trefoil_protocol::event::{self, Event, EventBody};
use trefoil_protocol::factor::{FactorKeys, FactorKind, FactorSecret};
use trefoil_protocol::kit::RecoveryKit;
use trefoil_protocol::policy::{Action, Level, Policy};
use trefoil_protocol::problem::{Problem, ProblemCode};
use trefoil_protocol::record::{Custody, SignedPayload};
use trefoil_protocol::statement::{Context, SignedStatement, StatementBody};

use crate::snapshots::{committed, snapshot};
use crate::support::*;

const SEED: [u8; 32] = [0x42; 32];

/// With sorted keys, whatever features of `serde_json` other packages in the build have switched on.
fn pretty(value: &Value) -> String {
    let mut sorted = value.clone();
    sorted.sort_all_objects();
    serde_json::to_string_pretty(&sorted).unwrap()
}

/// A factor whose secret is this byte 32 times.
fn described(number: u8) -> Value {
    let secret = FactorSecret::from_bytes([number; 32]);
    let keys = FactorKeys::derive(&tenant(), &secret);
    json!({
        "secret": hex::encode(secret.expose_secret()),
        "auth_key": keys.auth_key(),
        "locator": keys.locator(),
        "envelope_key": keys.envelope_key(),
    })
}

fn stage(name: &str, prepared: &Prepared) -> Value {
    let signed = prepared.record().signed();
    json!({
        "stage": name,
        "payload": String::from_utf8(signed.payload.as_bytes().to_vec()).unwrap(),
        "payload_hash": signed.hash(),
        "signature": signed.signature,
        "new_envelopes": prepared.envelopes,
        "new_sealed_nonce": prepared.sealed_nonce,
        "state": serde_json::to_value(prepared.account.state()).unwrap(),
    })
}

/// Creation, upgrade to 2 of 3, one commit that removes a factor and adds another.
fn life() -> (Vec<(&'static str, Prepared)>, Stored) {
    let mut rng = ChaCha20Rng::from_seed(SEED);
    let hints = BTreeMap::from([(String::from("verifier"), String::from("google"))]);
    let label = String::from("Google");
    let created = create(&tenant(), factor(1), label, hints, None, NOW, &mut rng).unwrap();
    let mut stored = Stored::created(&created);
    let change = Change {
        custody: Some(Custody::SelfCustody),
        add: vec![
            present(FactorKind::Device, 2),
            present(FactorKind::RecoveryPhrase, 3),
        ],
        ..Change::default()
    };
    let upgraded = stored.open(&[factor(1)]).unwrap();
    let upgraded = upgraded.prepare(&change, NOW + 60, &mut rng).unwrap();
    stored.commit(&upgraded).unwrap();
    let change = Change {
        add: vec![present(FactorKind::DappShare, 4)],
        remove: vec![2],
        ..Change::default()
    };
    let replaced = stored.open(&numbered([1, 3])).unwrap();
    let replaced = replaced.prepare(&change, NOW + 120, &mut rng).unwrap();
    stored.commit(&replaced).unwrap();
    let stages = vec![
        ("create", created),
        ("upgrade", upgraded),
        ("replace", replaced),
    ];
    (stages, stored)
}

#[test]
fn a_whole_life_is_pinned() {
    let (stages, stored) = life();
    let account = stored.open(&numbered([3, 4])).unwrap();
    let stages: Vec<Value> = stages
        .iter()
        .map(|(name, prepared)| stage(name, prepared))
        .collect();
    let vector = json!({
        "about": "Every byte of one account's life. Randomness: rand_chacha 0.10 ChaCha20Rng::from_seed(seed); \
                  factor i has the secret of byte i 32 times; bytes are base64url without padding unless hexadecimal.",
        "seed": hex::encode(SEED),
        "tenant": tenant(),
        "time": NOW,
        "factors": [described(1), described(2), described(3), described(4)],
        "wallet_key": hex::encode(*account.key().expose_secret()),
        "public_key": account.public_key().to_string(),
        "account_id": account.keys().id(),
        "account_auth_key": account.keys().auth_key(),
        "ed25519_wallet_seed": hex::encode(*ed25519_wallet_seed(account.key())),
        "guess_seed_1": hex::encode(account.keys().guess_seed(1).expose_secret()),
        "slot_admin_of_slot_1": account.keys().slot_admin(b"slot-1").auth_key(),
        "stages": stages,
    });
    snapshot("life.json", &pretty(&vector));
}

/// The committed file is read by itself, with nothing but the factors: what is out there opens for ever.
#[test]
fn the_committed_life_still_opens() {
    let text = &committed("life.json");
    let vector: Value = serde_json::from_str(text).unwrap();
    let mut stored: Option<Stored> = None;
    for stage in vector["stages"].as_array().unwrap() {
        let payload = stage["payload"].as_str().unwrap().as_bytes().to_vec();
        let signed = SignedPayload {
            payload: Blob::new(payload),
            signature: serde_json::from_value(stage["signature"].clone()).unwrap(),
        };
        assert_eq!(json!(signed.hash()), stage["payload_hash"]);
        let record = signed.verify(&tenant()).unwrap();
        let mut envelopes = stored.map(|stored| stored.envelopes).unwrap_or_default();
        for made in stage["new_envelopes"].as_array().unwrap() {
            let index = u32::try_from(made["index"].as_u64().unwrap()).unwrap();
            envelopes.insert(
                index,
                serde_json::from_value(made["envelope"].clone()).unwrap(),
            );
        }
        let nonce = serde_json::from_value(stage["new_sealed_nonce"].clone()).unwrap();
        let now = Stored {
            record,
            envelopes,
            nonce,
        };
        let using: &[u8] = match stage["stage"].as_str().unwrap() {
            "create" => &[1],
            "upgrade" => &[2, 3],
            _ => &[4, 1],
        };
        let account = now.open(&numbered(using.iter().copied())).unwrap();
        assert_eq!(
            json!(hex::encode(*account.key().expose_secret())),
            vector["wallet_key"]
        );
        stored = Some(now);
    }
}

#[test]
fn the_forms_are_pinned() {
    let (stages, stored) = life();
    let payload = String::from_utf8(stages[1].1.record().signed().payload.as_bytes().to_vec());
    snapshot("payload.json", &payload.unwrap());
    snapshot("kit.txt", stored.kit().to_text().trim_end());
    assert_eq!(RecoveryKit::parse(&committed("kit.txt")), Ok(stored.kit()));

    let mut rng = ChaCha20Rng::from_seed(SEED);
    let tenant = tenant();
    let context = Context {
        aud: "https://meta.example",
        tenant: &tenant,
        now: NOW,
    };
    let (hash, account_id) = (stored.record.hash(), stored.record.account_id);
    let bodies = [
        StatementBody::Login {},
        StatementBody::Create { payload_hash: hash },
        StatementBody::Kit { account_id },
        StatementBody::Delete { account_id },
    ];
    let statements: Vec<Value> = bodies
        .into_iter()
        .map(|body| {
            let signed = SignedStatement::sign(body, factor(1).auth(), context, &mut rng);
            json!({
                "statement": String::from_utf8(signed.statement.as_bytes().to_vec()).unwrap(),
                "signature": signed.signature,
            })
        })
        .collect();
    snapshot("statements.json", &pretty(&json!(statements)));

    let bodies = [
        EventBody::Created { payload_hash: hash },
        EventBody::Committed {
            revision: 3,
            payload_hash: hash,
            actions: BTreeSet::from([Action::AddFactor, Action::RemoveFactor]),
            restore: false,
        },
        EventBody::NonceReleased {},
        EventBody::KitExported {},
    ];
    let mut chain: Vec<Blob> = Vec::new();
    for (body, sequence) in bodies.into_iter().zip(1..) {
        let previous = chain.last().map(|before| event::hash(before.as_bytes()));
        let event = Event {
            version: event::VERSION,
            sequence,
            time: NOW,
            previous,
            body,
        };
        chain.push(Blob::new(event.to_bytes()));
    }
    let lines: Vec<&str> = chain
        .iter()
        .map(|bytes| std::str::from_utf8(bytes.as_bytes()).unwrap())
        .collect();
    snapshot("events.jsonl", &lines.join("\n"));

    let mut problem = Problem::new(ProblemCode::StaleRevision, "the account has changed since");
    problem.revision = Some(7);
    let mut expired = Problem::from(ProblemCode::StatementExpired);
    expired.server_time = Some(NOW);
    snapshot("problems.json", &pretty(&json!([problem, expired])));

    let policy = Policy {
        nonce_release: Level::Elevated,
        actions: BTreeMap::from([
            (Action::ChangePolicy, Level::StepUp),
            (Action::Sign, Level::Primary),
        ]),
        authenticator_required: true,
    };
    snapshot("policy.json", &pretty(&json!([Policy::default(), policy])));
}

/// New codes may come; one that was published keeps its meaning.
#[test]
fn published_problem_codes_stay() {
    let codes = ProblemCode::ALL
        .iter()
        .map(|code| json!([code, code.status()]));
    let codes: Vec<Value> = codes.collect();
    if std::env::var_os("TREFOIL_WRITE_SNAPSHOTS").is_some() {
        snapshot("problem-codes.json", &pretty(&json!(codes)));
    }
    let published: Vec<Value> = serde_json::from_str(&committed("problem-codes.json")).unwrap();
    for code in &published {
        assert!(codes.contains(code), "{code} is gone or has another status");
    }
    assert!(published.len() > 50);
}

#[test]
fn a_chain_of_events_is_checked_link_by_link() {
    let text = &committed("events.jsonl");
    let chain: Vec<Blob> = text
        .lines()
        .map(|line| Blob::new(line.as_bytes().to_vec()))
        .collect();
    let head = event::hash(chain[3].as_bytes());
    assert_eq!(event::verify_chain(&chain, &head).unwrap().len(), 4);
    // A server may drop the oldest, but nothing in between, nor the newest.
    assert_eq!(event::verify_chain(&chain[2..], &head).unwrap().len(), 2);
    use event::EventChainError as E;
    let verify = |chain: &[Blob]| event::verify_chain(chain, &head).unwrap_err();
    assert_eq!(verify(&[]), E::WrongHead);
    assert_eq!(verify(&chain[..3]), E::WrongHead);
    assert_eq!(
        verify(&[chain[0].clone(), chain[2].clone(), chain[3].clone()]),
        E::Broken(1)
    );
    assert_eq!(verify(&[chain[1].clone(), chain[0].clone()]), E::Broken(1));
    let edited = |from: &str, to: &str, at: usize| {
        let mut chain = chain.clone();
        let text = std::str::from_utf8(chain[at].as_bytes()).unwrap();
        assert!(text.contains(from));
        chain[at] = Blob::new(text.replace(from, to).into_bytes());
        verify(&chain)
    };
    assert_eq!(edited("add_factor", "reshare", 1), E::Broken(2));
    assert_eq!(edited("kit_exported", "nonce_released", 3), E::WrongHead);
    assert_eq!(edited("\"version\":1", "\"version\":2", 2), E::Malformed(2));
    assert_eq!(
        edited("{\"version\"", "{\"more\":1,\"version\"", 0),
        E::Malformed(0)
    );
    assert_eq!(edited("\"sequence\":1", "\"sequence\":2", 0), E::Broken(0));
    assert_eq!(edited("\"sequence\":3", "\"sequence\":9", 2), E::Broken(2));
    assert_eq!(
        event::verify_chain(&chain, &PayloadHash::from_bytes([0; 32])).unwrap_err(),
        E::WrongHead
    );
}
