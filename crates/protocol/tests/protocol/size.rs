//! How large an account is, and that it stays so.

use trefoil_protocol::bytes::{Envelope, Signature};
use trefoil_protocol::change::{Change, NewFactor};
use trefoil_protocol::factor::FactorKind;
use trefoil_protocol::record::{Custody, MAX_PAYLOAD};
use trefoil_protocol::wire::MAX_BODY;

use crate::support::*;

/// Payload, signature, envelopes, sealed nonce: what is stored of an account.
fn size(stored: &Stored) -> usize {
    let envelopes: usize = stored
        .envelopes
        .values()
        .map(|e| Envelope::as_bytes(e).len())
        .sum();
    let nonce = stored
        .nonce
        .as_ref()
        .map_or(0, |nonce| nonce.as_bytes().len());
    stored.record.signed().payload.as_bytes().len() + Signature::LEN + envelopes + nonce
}

#[test]
fn a_2_of_3_stays_under_4_kib_whatever_its_history() {
    let mut rng = rng(1);
    let (mut stored, mut account) = self_custody(2, 3, &mut rng);
    let first = size(&stored);
    assert!(first < 4096, "{first} bytes");
    let state = stored.record.state.as_bytes().len();
    let refresh = Change {
        refresh: true,
        ..Change::default()
    };
    for _ in 0..200 {
        let prepared = account.prepare(&refresh, NOW, &mut rng).unwrap();
        stored.commit(&prepared).unwrap();
        account = prepared.account;
    }
    assert_eq!((stored.record.revision, stored.record.epoch), (202, 202));
    assert_eq!(stored.record.state.as_bytes().len(), state);
    // Two numbers have two digits more each.
    assert_eq!(size(&stored), first + 4);
    assert!(size(&stored) < 4096);
}

#[test]
fn replacing_factors_leaves_nothing_behind() {
    let mut rng = rng(2);
    let (mut stored, mut account) = self_custody(2, 3, &mut rng);
    let first = size(&stored);
    for round in 0..40_u8 {
        let change = Change {
            add: vec![present(FactorKind::Device, 10 + round)],
            remove: vec![account.record().factors[2].index],
            ..Change::default()
        };
        let prepared = account.prepare(&change, NOW, &mut rng).unwrap();
        stored.commit(&prepared).unwrap();
        account = prepared.account;
    }
    assert_eq!(stored.envelopes.len(), 3);
    // Digits of revision, epoch and index.
    assert!(
        size(&stored) <= first + 3,
        "{} after {first}",
        size(&stored)
    );
}

#[test]
fn the_largest_account_fits_what_a_server_takes() {
    let mut rng = rng(3);
    let (mut stored, _) = one_click(&mut rng);
    let change = Change {
        custody: Some(Custody::SelfCustody),
        threshold: Some(254),
        add: (2..=255)
            .map(|number| NewFactor::present(FactorKind::OtherDevice, "a device", factor(number)))
            .collect(),
        ..Change::default()
    };
    let account = stored.open(&[factor(1)]).unwrap();
    let prepared = account.prepare(&change, NOW, &mut rng).unwrap();
    assert!(prepared.record().signed().payload.as_bytes().len() <= MAX_PAYLOAD);
    let body = serde_json::to_vec(&prepared.commit_request()).unwrap();
    assert!(body.len() <= MAX_BODY, "{} bytes", body.len());
    stored.commit(&prepared).unwrap();
    let opened = stored.open(&numbered(2..=255)).unwrap();
    assert_eq!(opened.key(), account.key());
}
