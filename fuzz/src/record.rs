//! Records: as a server sends them, and as the account's own key would sign them.
//!
//! Input: 0 and the JSON of a signed payload, or 1 and payload bytes that get a good signature, so that what lies behind
//! the signature is reached too.

use trefoil_protocol::bytes::{AccountId, Blob};
use trefoil_protocol::commit::{check_commit, check_create};
use trefoil_protocol::opening::{OpenAccount, Opening};
use trefoil_protocol::record::{Custody, Payload, SignedPayload, VerifiedRecord};

use crate::Seed;
use crate::fixture::{Stage, fixture};
use crate::reader::Reader;

/// Panics where a record verifies that should not, changes on its way, or opens to another key.
pub fn check(data: &[u8]) {
    let mut reader = Reader::new(data);
    if reader.choice(2) == 0 {
        let Ok(signed) = serde_json::from_slice::<SignedPayload>(reader.rest()) else {
            return;
        };
        round_trip(&signed);
        if let Ok(record) = signed.verify(&fixture().tenant) {
            // The fuzzer holds no key: whatever verifies was made here.
            let made = fixture()
                .stages
                .iter()
                .any(|stage| *stage.record.signed() == signed);
            assert!(made, "a forged record verifies");
            check_verified(&signed, &record);
        }
    } else {
        let signed = sign(reader.rest());
        round_trip(&signed);
        if let Ok(record) = signed.verify(&fixture().tenant) {
            assert_eq!(record.account_auth_key, fixture().account.keys().auth_key());
            check_verified(&signed, &record);
        }
    }
}

fn sign(payload: &[u8]) -> SignedPayload {
    let signature = fixture().account.keys().auth().sign("record", payload);
    SignedPayload {
        payload: Blob::new(payload.to_vec()),
        signature,
    }
}

fn round_trip(signed: &SignedPayload) {
    let json = serde_json::to_vec(signed).unwrap();
    assert!(serde_json::from_slice::<SignedPayload>(&json).unwrap() == *signed);
}

fn check_verified(signed: &SignedPayload, record: &VerifiedRecord) {
    assert!(record.signed() == signed, "the signed bytes changed");
    assert_eq!(record.hash(), signed.hash());
    let json = serde_json::to_vec(record.payload()).unwrap();
    assert!(serde_json::from_slice::<Payload>(&json).unwrap() == *record.payload());

    let (threshold, count) = (usize::from(record.threshold), record.factors.len());
    assert!(1 <= threshold && threshold <= count && count <= 255);
    assert_eq!(threshold == 1, record.custody == Custody::OneClick);
    assert!(record.factors.iter().all(|entry| entry.index > 0));
    assert!(record.factors.is_sorted_by(|a, b| a.index < b.index));
    assert_eq!(record.account_id, AccountId::of(&record.account_auth_key));
    assert_eq!(record.tenant, fixture().tenant);

    let _ = check_create(record);
    for stage in &fixture().stages {
        check_as_commit(&stage.record, record);
        check_opening(stage, record);
    }
}

fn check_as_commit(current: &VerifiedRecord, new: &VerifiedRecord) {
    if check_commit(current, new).is_ok() {
        assert!(new.revision > current.revision);
        assert!(new.restore || new.previous == Some(current.hash()));
        assert!(current.custody == Custody::OneClick || new.custody != Custody::OneClick);
        assert!(new.epoch >= current.epoch);
    }
}

/// Whoever opens it gets the account's key or an error.
fn check_opening(stage: &Stage, record: &VerifiedRecord) {
    if let Some(account) = opened(stage, record) {
        assert!(
            account.key() == fixture().account.key(),
            "a record opens to another key"
        );
    }
}

/// With all factors for which the stage has an envelope.
fn opened(stage: &Stage, record: &VerifiedRecord) -> Option<OpenAccount> {
    let envelope = |index: u32| stage.envelopes.iter().find(|(at, _)| *at == index);
    let mut opening: Option<Opening> = None;
    for (index, keys) in (1..).zip(&fixture().factors) {
        let Some((_, envelope)) = envelope(index) else {
            continue;
        };
        match &mut opening {
            None => opening = Opening::begin(record.clone(), keys.clone(), envelope).ok(),
            Some(opening) => drop(opening.add(keys.clone(), envelope)),
        }
    }
    opening?.complete(stage.sealed_nonce.as_ref()).ok()
}

/// The fixture's records, and some that are nearly right.
pub fn seeds() -> Vec<Seed> {
    let stages = &fixture().stages;
    let wire = |stage: usize| {
        let json = serde_json::to_vec(stages[stage].record.signed()).unwrap();
        [&[0], &json[..]].concat()
    };
    let payload = |stage: usize| {
        let payload = stages[stage].record.signed().payload.as_bytes();
        String::from_utf8(payload.to_vec()).unwrap()
    };
    let edited = |stage: usize, from: &str, to: &str| {
        assert!(payload(stage).contains(from), "{from}");
        [&[1], payload(stage).replacen(from, to, 1).as_bytes()].concat()
    };
    vec![
        ("wire-one-click", wire(0)),
        ("wire-self-custody", wire(1)),
        ("wire-guarded", wire(3)),
        ("payload-one-click", edited(0, "{", "{")),
        ("payload-self-custody", edited(1, "{", "{")),
        ("payload-refreshed", edited(2, "{", "{")),
        (
            "unknown-version",
            edited(1, "\"version\":1", "\"version\":2"),
        ),
        ("unknown-field", edited(1, "{", "{\"more\":0,")),
        (
            "threshold-above-factors",
            edited(1, "\"threshold\":2", "\"threshold\":9"),
        ),
        (
            "restore",
            edited(1, "\"restore\":false", "\"restore\":true"),
        ),
        (
            "highest-revision",
            edited(1, "\"revision\":2", "\"revision\":18446744073709551615"),
        ),
        ("other-tenant", edited(1, "acme", "acne")),
        ("spaces", edited(1, "{", "{ ")),
        ("truncated", edited(1, "\"factors\"", "")[..400].to_vec()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixture_reaches_every_oracle() {
        let stages = &fixture().stages;
        for stage in stages {
            let record = stage.record.signed().verify(&fixture().tenant).unwrap();
            assert!(opened(stage, &record).is_some());
            let resigned = sign(stage.record.signed().payload.as_bytes());
            assert!(resigned == *stage.record.signed());
        }
        for pair in stages.windows(2) {
            assert!(check_commit(&pair[0].record, &pair[1].record).is_ok());
        }
        assert!(check_create(&stages[0].record).is_ok());
    }
}
