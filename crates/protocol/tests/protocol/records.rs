//! Bytes that are not a record: each kind of fault its own error, and never a panic.

use trefoil_protocol::bytes::{Binding, Blob, NonceHash, PayloadHash, Signature};
use trefoil_protocol::factor::EnrolmentError;
use trefoil_protocol::opening::OpenAccount;
use trefoil_protocol::record::{
    Custody, FactorEntry, MAX_PAYLOAD, Payload, RecordError, SignedPayload, VerifiedRecord,
};
use trefoil_protocol::tenant::Tenant;

use crate::support::*;

fn setting() -> (Stored, OpenAccount) {
    self_custody(2, 3, &mut rng(1))
}

/// These very bytes, signed by the account.
fn signed(account: &OpenAccount, bytes: Vec<u8>) -> SignedPayload {
    SignedPayload {
        signature: account.keys().auth().sign("record", &bytes),
        payload: Blob::new(bytes),
    }
}

fn verify(record: &SignedPayload) -> Result<VerifiedRecord, RecordError> {
    record.verify(&tenant())
}

/// The payload's text with one piece replaced, signed.
fn replaced(stored: &Stored, account: &OpenAccount, from: &str, to: &str) -> RecordError {
    let text = String::from_utf8(stored.record.signed().payload.as_bytes().to_vec()).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    verify(&signed(account, text.replacen(from, to, 1).into_bytes())).unwrap_err()
}

#[test]
fn cut_flipped_and_over_long_bytes() {
    let (stored, account) = setting();
    let good = stored.record.signed();
    let bytes = good.payload.as_bytes();
    for at in 0..bytes.len() {
        let cut = signed(&account, bytes[..at].to_vec());
        assert_eq!(
            verify(&cut).unwrap_err(),
            RecordError::Malformed,
            "cut at {at}"
        );
        for bit in [0x01, 0x20] {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= bit;
            let damaged = SignedPayload {
                payload: Blob::new(damaged),
                ..good.clone()
            };
            assert!(
                matches!(
                    verify(&damaged).unwrap_err(),
                    RecordError::Malformed
                        | RecordError::BadSignature
                        | RecordError::UnknownVersion(_)
                ),
                "byte {at}"
            );
        }
    }
    for at in 0..Signature::LEN {
        let signature = flipped(good.signature.as_bytes(), at);
        let damaged = SignedPayload {
            signature: Signature::try_from(signature.as_slice()).unwrap(),
            ..good.clone()
        };
        assert_eq!(verify(&damaged).unwrap_err(), RecordError::BadSignature);
    }
    let trailing = signed(&account, [bytes, b"{}"].concat());
    assert_eq!(verify(&trailing).unwrap_err(), RecordError::Malformed);
    let mut long = bytes.to_vec();
    long.resize(MAX_PAYLOAD, b' ');
    assert!(
        verify(&signed(&account, long.clone())).is_ok(),
        "blanks at the end are JSON"
    );
    long.push(b' ');
    assert_eq!(
        verify(&signed(&account, long)).unwrap_err(),
        RecordError::TooLarge
    );
}

#[test]
fn nonsense_is_malformed() {
    let (_, account) = setting();
    let deep = "[".repeat(100_000);
    for nonsense in [
        "",
        "null",
        "[]",
        "{}",
        "\"record\"",
        "{\"version\":-1}",
        "{\"version\":\"1\"}",
        &deep,
    ] {
        let record = signed(&account, nonsense.as_bytes().to_vec());
        assert_eq!(verify(&record).unwrap_err(), RecordError::Malformed);
    }
    let not_utf8 = signed(&account, vec![0xff; 64]);
    assert_eq!(verify(&not_utf8).unwrap_err(), RecordError::Malformed);
}

#[test]
fn unknown_fields_and_versions_are_refused_even_when_signed() {
    let (stored, account) = setting();
    let refused = |from: &str, to: &str| replaced(&stored, &account, from, to);
    // In the payload, in an entry, in the policy.
    for (from, to) in [
        ("{\"version\":1", "{\"more\":1,\"version\":1"),
        ("{\"index\":1", "{\"more\":1,\"index\":1"),
        ("\"policy\":{", "\"policy\":{\"more\":1"),
        (
            "\"policy\":{",
            "\"policy\":{\"actions\":{\"fly\":\"step_up\"}",
        ),
        (
            "\"policy\":{",
            "\"policy\":{\"nonce_release\":\"secondary\"",
        ),
        ("\"custody\":\"self\"", "\"custody\":\"other\""),
        ("\"restore\":false", "\"restore\":0"),
        ("\"threshold\":2", "\"threshold\":256"),
        ("\"threshold\":2", "\"threshold\":2,\"threshold\":2"),
        ("\"epoch\":2", "\"epoch\":4294967296"),
        ("\"index\":1", "\"index\":-1"),
        ("\"tenant\":\"acme\"", "\"tenant\":\"Acme\""),
        ("\"state\":\"", "\"state\":\"="),
    ] {
        assert_eq!(refused(from, to), RecordError::Malformed, "{to}");
    }
    for version in [0, 2, u32::MAX] {
        let to = format!("\"version\":{version}");
        assert_eq!(
            refused("\"version\":1", &to),
            RecordError::UnknownVersion(version)
        );
    }
    // A newer version may have any other form.
    let newer = signed(&account, b"{\"version\":9,\"something\":[]}".to_vec());
    assert_eq!(verify(&newer).unwrap_err(), RecordError::UnknownVersion(9));
}

/// Serde would read a struct from a list of its fields' values as well.
#[test]
fn a_list_of_the_values_is_no_record() {
    let (stored, account) = setting();
    let bytes = stored.record.signed().payload.as_bytes();
    let mut fields = serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
    let order = [
        "version",
        "tenant",
        "account_id",
        "account_auth_key",
        "revision",
        "previous",
        "epoch",
        "restore",
        "custody",
        "threshold",
        "reset_key",
        "policy",
        "nonce_hash",
        "factors",
        "state",
        "vault",
    ];
    let values: Vec<serde_json::Value> = order.iter().map(|name| fields[*name].take()).collect();
    let list = serde_json::to_vec(&values).unwrap();
    assert!(
        serde_json::from_slice::<Payload>(&list).is_ok(),
        "that is what serde does"
    );
    assert_eq!(
        verify(&signed(&account, list)).unwrap_err(),
        RecordError::Malformed
    );
}

#[test]
fn only_the_account_it_names_signs_it() {
    let (stored, account) = setting();
    let (_, other) = self_custody(2, 3, &mut rng(2));
    let bytes = stored.record.signed().payload.as_bytes();
    let foreign = signed(&other, bytes.to_vec());
    assert_eq!(verify(&foreign).unwrap_err(), RecordError::BadSignature);
    let label = SignedPayload {
        signature: account.keys().auth().sign("statement", bytes),
        payload: Blob::new(bytes.to_vec()),
    };
    assert_eq!(verify(&label).unwrap_err(), RecordError::BadSignature);
    let payload = Payload {
        account_id: other.record().account_id,
        ..stored.record.payload().clone()
    };
    let renamed = SignedPayload::sign(&payload, account.keys().auth());
    assert_eq!(verify(&renamed).unwrap_err(), RecordError::WrongAccountId);
    let elsewhere = Tenant::new("other").unwrap();
    assert_eq!(
        stored.record.signed().verify(&elsewhere).unwrap_err(),
        RecordError::WrongTenant
    );
}

#[test]
fn numbers_go_together() {
    let (stored, account) = setting();
    let (one_click_stored, one_click_account) = one_click(&mut rng(3));
    let nonce = Some(NonceHash::from_bytes([7; 32]));
    type Edit<'a> = &'a dyn Fn(&mut Payload);
    let own: [Edit<'_>; 14] = [
        &|p| p.threshold = 0,
        &|p| p.threshold = 1,
        &|p| p.threshold = 4,
        &|p| p.factors.clear(),
        &|p| p.factors.truncate(1),
        &|p| p.nonce_hash = nonce,
        &|p| p.custody = Custody::Guarded,
        &|p| p.custody = Custody::OneClick,
        &|p| (p.custody, p.nonce_hash) = (Custody::OneClick, nonce),
        &|p| p.revision = 0,
        &|p| p.revision = 1,
        &|p| p.previous = None,
        &|p| (p.revision, p.previous) = (1, Some(PayloadHash::from_bytes([1; 32]))),
        &|p| p.epoch = 0,
    ];
    let one: [Edit<'_>; 4] = [
        &|p| p.threshold = 2,
        &|p| p.nonce_hash = None,
        &|p| p.factors.clear(),
        &|p| p.previous = Some(PayloadHash::from_bytes([1; 32])),
    ];
    let cases = own.iter().map(|edit| (&stored, &account, edit));
    let cases = cases.chain(
        one.iter()
            .map(|edit| (&one_click_stored, &one_click_account, edit)),
    );
    for (at, (stored, account, edit)) in cases.enumerate() {
        let mut payload = stored.record.payload().clone();
        edit(&mut payload);
        let record = SignedPayload::sign(&payload, account.keys().auth());
        assert_eq!(
            verify(&record).unwrap_err(),
            RecordError::Inconsistent,
            "case {at}"
        );
    }
}

#[test]
fn factor_lists_are_ordered_and_without_repetition() {
    let (stored, account) = setting();
    let (one_click_stored, one_click_account) = one_click(&mut rng(3));
    let keys = account.keys();
    let entry = |index, number| {
        let enrolment = factor(number).enrol(&keys.id(), &keys.auth_key());
        FactorEntry::new(index, &enrolment, stored.record.factors[0].envelope_hash)
    };
    let lists = [
        vec![entry(0, 1), entry(1, 2), entry(2, 3)],
        vec![entry(1, 1), entry(1, 2), entry(2, 3)],
        vec![entry(1, 1), entry(3, 2), entry(2, 3)],
        vec![entry(3, 1), entry(2, 2), entry(1, 3)],
        vec![entry(1, 1), entry(2, 2), entry(3, 1)],
    ];
    for factors in lists {
        let payload = Payload {
            factors,
            ..stored.record.payload().clone()
        };
        let record = SignedPayload::sign(&payload, keys.auth());
        assert_eq!(verify(&record).unwrap_err(), RecordError::BadFactorList);
    }
    let mut payload = one_click_stored.record.payload().clone();
    payload.factors[0].index = 2;
    let record = SignedPayload::sign(&payload, one_click_account.keys().auth());
    assert_eq!(verify(&record).unwrap_err(), RecordError::BadFactorList);
}

#[test]
fn at_most_255_factors() {
    let (stored, account) = setting();
    let keys = account.keys();
    let many = |count: u32| {
        let first = stored.record.factors[0].clone();
        // One valid proof repeated under made-up locators: the count is looked at first.
        let factors = (1..=count).map(|index| FactorEntry {
            index,
            ..first.clone()
        });
        let payload = Payload {
            factors: factors.collect(),
            ..stored.record.payload().clone()
        };
        verify(&SignedPayload::sign(&payload, keys.auth())).unwrap_err()
    };
    assert_eq!(
        many(255),
        RecordError::BadFactorList,
        "a locator stands twice"
    );
    assert_eq!(many(256), RecordError::Inconsistent);
    let factors: Vec<FactorEntry> = (1..=255)
        .map(|index| {
            let enrolment =
                factor(u8::try_from(index).unwrap()).enrol(&keys.id(), &keys.auth_key());
            FactorEntry::new(index, &enrolment, stored.record.factors[0].envelope_hash)
        })
        .collect();
    let payload = Payload {
        factors,
        ..stored.record.payload().clone()
    };
    let record = SignedPayload::sign(&payload, keys.auth());
    assert!(record.payload.as_bytes().len() <= MAX_PAYLOAD);
    assert_eq!(verify(&record).unwrap().factors.len(), 255);
}

#[test]
fn entries_belong_to_the_account() {
    let (stored, account) = setting();
    let (_, other) = self_custody(2, 3, &mut rng(2));
    let elsewhere = factor(2).enrol(&other.keys().id(), &other.keys().auth_key());
    type Edit<'a> = &'a dyn Fn(&mut FactorEntry);
    let cases: [(Edit<'_>, EnrolmentError); 4] = [
        (
            &|e| e.locator = factor(9).locator(),
            EnrolmentError::Locator,
        ),
        (
            &|e| e.auth_key = factor(9).auth_key(),
            EnrolmentError::Locator,
        ),
        (&|e| e.proof = elsewhere.proof, EnrolmentError::Proof),
        (
            &|e| e.proof = Signature::from_bytes([0; 64]),
            EnrolmentError::Proof,
        ),
    ];
    for (edit, source) in cases {
        let mut payload = stored.record.payload().clone();
        edit(&mut payload.factors[1]);
        let record = SignedPayload::sign(&payload, account.keys().auth());
        assert_eq!(
            verify(&record).unwrap_err(),
            RecordError::BadFactor { index: 2, source }
        );
    }
    // A server cannot see that a binding or an envelope key is wrong; the factor does.
    let mut payload = stored.record.payload().clone();
    payload.factors[1].binding = Binding::from_bytes([0; 32]);
    assert!(verify(&SignedPayload::sign(&payload, account.keys().auth())).is_ok());
}

#[test]
fn what_verifies_is_what_was_signed_byte_for_byte() {
    let (stored, account) = setting();
    let spaced = String::from_utf8(stored.record.signed().payload.as_bytes().to_vec()).unwrap();
    let spaced = spaced.replace(",\"", ", \"");
    let record = signed(&account, spaced.clone().into_bytes());
    let verified = verify(&record).unwrap();
    assert_eq!(verified.signed().payload.as_bytes(), spaced.as_bytes());
    assert_eq!(verified.payload(), stored.record.payload());
    assert_ne!(verified.hash(), stored.record.hash());
    assert_eq!(verified.hash(), record.hash());
}

#[test]
fn the_signed_form_refuses_unknown_fields_too() {
    let (stored, _) = setting();
    let text = serde_json::to_string(stored.record.signed()).unwrap();
    let parse = |text: &str| serde_json::from_str::<SignedPayload>(text);
    assert_eq!(parse(&text).unwrap(), *stored.record.signed());
    for bad in [
        text.replacen('{', "{\"more\":1,", 1),
        text.replacen("\"signature\":\"", "\"signature\":\"AA", 1),
        text.replacen("\"payload\":\"", "\"payload\":\"*", 1),
        text.replacen("\"payload\"", "\"load\"", 1),
    ] {
        assert!(parse(&bad).is_err());
    }
}
