//! Each fault of a message has its own error, and the bytes that are signed are pinned.

use std::format;
use std::string::ToString;
use std::vec;
use std::vec::Vec;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::*;
use crate::bytes::{Blob, CeremonyId, EnvelopeKey, ManifestHash};
use crate::seal::hpke::EnvelopePrivateKey;
use crate::sign::AuthPrivateKey;

fn key(node: u16) -> AuthPrivateKey {
    AuthPrivateKey::from_seed(&[u8::try_from(node).unwrap(); 32])
}

fn coordinator() -> AuthPrivateKey {
    AuthPrivateKey::from_seed(&[99; 32])
}

fn hpke(node: u16) -> EnvelopePrivateKey {
    EnvelopePrivateKey::derive(&[u8::try_from(node).unwrap() + 100; 32])
}

/// Of a key among three nodes, two of which are needed.
fn plan() -> Plan {
    let nodes = (1..=3).map(|i| (format!("https://node-{i}.example"), key(i).auth_key()));
    Plan::new(None, 2, nodes, &mut ChaCha20Rng::seed_from_u64(1))
}

fn verified() -> VerifiedPlan {
    plan().sign(&coordinator()).verify().unwrap()
}

fn join(node: u16) -> NodeMessage {
    let package = Some(vec![u8::try_from(node).unwrap(); 4]);
    Join::sign(
        verified().ceremony(),
        node,
        hpke(node).public(),
        package,
        &key(node),
    )
}

fn joins() -> Vec<NodeMessage> {
    (1..=3).map(join).collect()
}

fn dealing() -> NodeMessage {
    let plan = verified();
    let joins = Joins::verify(&plan, &joins()).unwrap();
    let sub_shares: Vec<Zeroizing<Vec<u8>>> = (1..=3).map(|i| Zeroizing::new(vec![i; 5])).collect();
    let dealt = DealtShares {
        dealer: 2,
        commitments: Vec::new(),
        sub_shares: &sub_shares,
    };
    Dealing::seal(
        &plan,
        &joins,
        dealt,
        &key(2),
        &mut ChaCha20Rng::seed_from_u64(2),
    )
    .unwrap()
}

/// Changed and signed again by `signer`.
fn again(
    message: &NodeMessage,
    label: &str,
    signer: u16,
    change: impl FnOnce(&mut Value),
) -> NodeMessage {
    let mut said: Value = serde_json::from_slice(message.body.as_bytes()).unwrap();
    change(&mut said);
    let body = serde_json::to_vec(&said).unwrap();
    NodeMessage {
        signature: key(signer).sign(label, &body),
        body: Blob::new(body),
    }
}

fn other() -> Value {
    serde_json::to_value(CeremonyId::from_bytes([9; 32])).unwrap()
}

/// Compares with the file; on purpose there is no switch that rewrites it.
#[track_caller]
fn assert_snapshot(name: &str, expected: &str, got: &[u8]) {
    assert_eq!(
        core::str::from_utf8(got).unwrap(),
        expected.trim_end(),
        "src/ceremony/snapshots/{name} differs from the bytes now made"
    );
}

#[test]
fn what_is_signed_has_these_bytes() {
    assert_snapshot(
        "plan.json",
        include_str!("snapshots/plan.json"),
        plan().sign(&coordinator()).plan.as_bytes(),
    );
    assert_snapshot(
        "join.json",
        include_str!("snapshots/join.json"),
        join(1).body.as_bytes(),
    );
    assert_snapshot(
        "dealing.json",
        include_str!("snapshots/dealing.json"),
        dealing().body.as_bytes(),
    );
    let manifest = ManifestHash::from_bytes([5; 32]);
    let said = [
        Held::sign(1, manifest, &key(1)),
        Active::sign(1, manifest, &key(1)),
    ];
    let got = serde_json::to_vec(&(plan().sign(&coordinator()).signature, said)).unwrap();
    assert_snapshot("signed.json", include_str!("snapshots/signed.json"), &got);
}

#[test]
fn each_fault_of_a_plan_has_its_own_error() {
    let error = |change: fn(&mut Plan)| {
        let mut plan = plan();
        change(&mut plan);
        plan.sign(&coordinator()).verify().unwrap_err()
    };
    assert_eq!(error(|plan| plan.version = 2), PlanError::UnknownVersion(2));
    for threshold in [0, 1, 4] {
        let mut plan = plan();
        plan.threshold = threshold;
        let refused = plan.sign(&coordinator()).verify().unwrap_err();
        assert_eq!(
            refused,
            PlanError::Threshold {
                threshold,
                nodes: 3
            }
        );
    }
    assert_eq!(error(|plan| plan.nodes[1].index = 3), PlanError::Indices);
    assert_eq!(error(|plan| plan.nodes.swap(0, 1)), PlanError::Indices);
    assert_eq!(
        error(|plan| plan.nodes[1].url = "http://node-2.example".to_string()),
        PlanError::Url(2)
    );
    // What a stranger wrote does not come back in an error, which is logged.
    let text = error(|plan| plan.nodes[1].url = "two\nlines".to_string()).to_string();
    assert!(!text.contains("lines"), "{text}");
    assert_eq!(
        error(|plan| plan.nodes[2].url = plan.nodes[0].url.clone()),
        PlanError::DuplicateNode(3)
    );
    assert_eq!(
        error(|plan| plan.nodes[2].identity_key = plan.nodes[0].identity_key),
        PlanError::DuplicateNode(3)
    );
    for change in [
        (|plan| plan.epoch = 0) as fn(&mut Plan),
        |plan| plan.epoch = 2,
        |plan| plan.previous = Some(ManifestHash::from_bytes([1; 32])),
    ] {
        assert_eq!(error(change), PlanError::History);
    }
    assert_eq!(
        error(|plan| {
            let node = plan.nodes[0].clone();
            plan.nodes.resize(crate::social::MAX_NODES + 1, node);
        }),
        PlanError::TooManyNodes
    );
    let mut signed = plan().sign(&coordinator());
    signed.coordinator = key(1).auth_key();
    assert_eq!(signed.verify(), Err(PlanError::BadSignature));
    let unknown = |text: &str| {
        let body = text.as_bytes().to_vec();
        let signature = coordinator().sign("ceremony/plan", &body);
        let (plan, coordinator) = (Blob::new(body), coordinator().auth_key());
        SignedPlan {
            plan,
            coordinator,
            signature,
        }
        .verify()
    };
    let json = serde_json::to_string(&plan()).unwrap();
    assert!(unknown(&json).is_ok());
    assert_eq!(
        unknown(&json.replacen('{', "{\"more\":1,", 1)),
        Err(PlanError::Malformed)
    );
    assert_eq!(unknown(&format!("[{json}]")), Err(PlanError::Malformed));
    assert_eq!(
        unknown(&(json + &" ".repeat(64 * 1024))),
        Err(PlanError::Malformed)
    );
}

#[test]
fn each_fault_of_a_join_has_its_own_error() {
    let plan = verified();
    let with =
        |message: NodeMessage| Joins::verify(&plan, &[join(1), message, join(3)]).unwrap_err();
    let changed = |change: fn(&mut Value)| with(again(&join(2), "ceremony/join", 2, change));
    assert_eq!(
        changed(|said| said["version"] = json!(2)),
        MessageError::UnknownVersion(2)
    );
    assert_eq!(
        changed(|said| said["more"] = json!(1)),
        MessageError::Malformed
    );
    assert_eq!(
        changed(|said| said["ceremony"] = other()),
        MessageError::OtherCeremony(2)
    );
    assert_eq!(
        changed(|said| said["index"] = json!(4)),
        MessageError::UnknownNode(4)
    );
    assert_eq!(
        changed(|said| said["index"] = json!(0)),
        MessageError::UnknownNode(0)
    );
    assert_eq!(
        changed(|said| said["index"] = json!(1)),
        MessageError::BadSignature(1)
    );
    assert_eq!(
        changed(|said| said["package"] = Value::Null),
        MessageError::BadValue(2)
    );
    // Of small order, and in a second encoding.
    for bad in [[0; 32], [0xff; 32]] {
        let bad = serde_json::to_value(EnvelopeKey::from_bytes(bad)).unwrap();
        let join = again(&join(2), "ceremony/join", 2, |said| said["hpke_key"] = bad);
        assert_eq!(with(join), MessageError::BadValue(2));
    }
    let same = serde_json::to_value(hpke(1).public()).unwrap();
    let join_of_one = again(&join(2), "ceremony/join", 2, |said| said["hpke_key"] = same);
    assert_eq!(with(join_of_one), MessageError::BadValue(2));
    // Under the label of another kind of message.
    assert_eq!(
        with(again(&join(2), "ceremony/deal", 2, |_| {})),
        MessageError::BadSignature(2)
    );
    assert_eq!(with(join(1)), MessageError::Twice(1));
    assert_eq!(
        Joins::verify(&plan, &[join(1), join(3)]).unwrap_err(),
        MessageError::Missing(2)
    );
    assert_eq!(
        Joins::verify(&plan, &[joins(), joins()].concat()).unwrap_err(),
        MessageError::TooMany { nodes: 3, given: 6 }
    );
    // In whatever order they come: the same.
    let mut reversed = joins();
    reversed.reverse();
    assert_eq!(
        Joins::verify(&plan, &reversed),
        Joins::verify(&plan, &joins())
    );
}

#[test]
fn each_fault_of_a_dealing_has_its_own_error_and_it_opens_for_its_member_alone() {
    let plan = verified();
    let joins = Joins::verify(&plan, &joins()).unwrap();
    let verify = |message: &NodeMessage| {
        Dealing::verify(message, &plan, &joins, |dealer| {
            (dealer == 2).then(|| key(2).auth_key())
        })
    };
    let changed = |change: fn(&mut Value)| {
        verify(&again(&dealing(), "ceremony/deal", 2, change)).unwrap_err()
    };
    assert_eq!(
        changed(|said| said["dealer"] = json!(1)),
        MessageError::UnknownNode(1)
    );
    assert_eq!(
        changed(|said| said["ceremony"] = other()),
        MessageError::OtherCeremony(2)
    );
    assert_eq!(
        changed(|said| said["joins"] = other()),
        MessageError::BadValue(2)
    );
    assert_eq!(
        changed(|said| said["commitments"] = json!([other()])),
        MessageError::BadValue(2)
    );
    assert_eq!(
        changed(|said| drop(said["sealed"].as_array_mut().unwrap().pop())),
        MessageError::BadValue(2)
    );
    assert_eq!(
        verify(&again(&dealing(), "ceremony/deal", 1, |_| {})).unwrap_err(),
        MessageError::BadSignature(2)
    );
    let dealing = verify(&dealing()).unwrap();
    for to in 0..=4 {
        for reader in 1..=3 {
            let opened = dealing
                .open(to, &hpke(reader))
                .map(|opened| opened.to_vec());
            let own = to == reader;
            let expected = own.then(|| vec![u8::try_from(to).unwrap(); 5]);
            assert_eq!(opened.ok(), expected, "{to} read by {reader}");
        }
    }
}

#[test]
fn receipts_count_when_every_member_gave_its_own() {
    let plan = verified();
    let manifest = ManifestHash::from_bytes([5; 32]);
    let held = |node: u16| Held::sign(node, manifest, &key(node));
    let all: Vec<NodeMessage> = (1..=3).map(held).collect();
    assert_eq!(Held::verify_all(&plan, manifest, &all), Ok(()));
    let with = |message: NodeMessage| {
        Held::verify_all(&plan, manifest, &[held(1), held(2), message]).unwrap_err()
    };
    assert_eq!(with(held(2)), MessageError::Missing(3));
    assert_eq!(
        with(Held::sign(3, manifest, &key(2))),
        MessageError::BadSignature(3)
    );
    assert_eq!(
        with(Held::sign(4, manifest, &key(2))),
        MessageError::UnknownNode(4)
    );
    let elsewhere = ManifestHash::from_bytes([6; 32]);
    assert_eq!(
        with(Held::sign(3, elsewhere, &key(3))),
        MessageError::OtherManifest(3)
    );
    // "I serve" is not "I hold".
    assert_eq!(
        with(Active::sign(3, manifest, &key(3))),
        MessageError::BadSignature(3)
    );
    assert_eq!(
        Held::verify_all(&plan, manifest, &vec![held(1); 4]).unwrap_err(),
        MessageError::TooMany { nodes: 3, given: 4 }
    );
}
