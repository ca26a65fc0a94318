//! Self custody and guarded: switching keeps the key; what the nonce holds back and what it does not.

use std::collections::BTreeSet;

use trefoil_protocol::account::reset_key;
use trefoil_protocol::bytes::SealedNonce;
use trefoil_protocol::change::{Accepted, Change};
use trefoil_protocol::commit::{Derived, NonceChange};
use trefoil_protocol::opening::OpeningError;
use trefoil_protocol::policy::Action;
use trefoil_protocol::record::Custody;
use trefoil_shares::SharedSecret;

use crate::support::*;

fn to(custody: Custody) -> Change {
    Change {
        custody: Some(custody),
        ..Change::default()
    }
}

#[test]
fn guarded_and_back_keeps_the_key() {
    let mut rng = rng(1);
    let (mut stored, made) = self_custody(2, 3, &mut rng);
    let reset_of_key = reset_key(&tenant(), &SharedSecret::from(made.key().clone())).auth_key();
    assert_eq!(stored.record.reset_key, reset_of_key);

    let (derived, account) = stored
        .change(&numbered([1, 2]), &to(Custody::Guarded), &mut rng)
        .unwrap();
    assert_eq!(derived.actions, BTreeSet::from([Action::ChangePolicy]));
    assert!(matches!(derived.nonce, NonceChange::Replace(_)));
    assert_eq!(account.key(), made.key());
    assert_ne!(stored.record.reset_key, reset_of_key);
    assert_eq!(
        account.state().mfa.since,
        Some(NOW),
        "MFA is as old as before"
    );
    for pair in subsets(&numbered(1..=3), 2) {
        let opening = stored.begin(&pair).unwrap();
        assert!(opening.needs_nonce());
        assert_eq!(
            opening.complete(None).unwrap_err(),
            OpeningError::NonceNeeded
        );
        let opened = opening.complete(stored.nonce.as_ref()).unwrap();
        assert_eq!(opened.key(), made.key());
        assert_eq!(opened.public_key(), made.public_key());
    }
    // One factor and the released nonce are not enough.
    let opening = stored.begin(&[factor(1)]).unwrap();
    assert!(matches!(
        opening.complete(stored.nonce.as_ref()),
        Err(OpeningError::Shares(error)) if error.missing() == 1
    ));

    let (derived, account) = stored
        .change(&numbered([2, 3]), &to(Custody::SelfCustody), &mut rng)
        .unwrap();
    assert_eq!(derived.actions, BTreeSet::from([Action::ChangePolicy]));
    assert_eq!(derived.nonce, NonceChange::Drop);
    assert!(stored.nonce.is_none());
    assert_eq!(account.key(), made.key());
    assert_eq!(stored.record.reset_key, reset_of_key);
    for pair in subsets(&numbered(1..=3), 2) {
        assert_eq!(stored.open(&pair).unwrap().key(), made.key());
    }
}

#[test]
fn one_click_becomes_guarded_at_once() {
    let mut rng = rng(2);
    let (mut stored, made) = one_click(&mut rng);
    let old_nonce = stored.nonce.clone();
    let change = Change {
        custody: Some(Custody::Guarded),
        ..upgrade(2, 3)
    };
    let (derived, _) = stored.change(&[factor(1)], &change, &mut rng).unwrap();
    assert!(
        matches!(derived.nonce, NonceChange::Replace(hash) if Some(hash) == stored.record.nonce_hash)
    );
    for pair in subsets(&numbered(1..=3), 2) {
        assert_eq!(stored.open(&pair).unwrap().key(), made.key());
        let opening = stored.begin(&pair).unwrap();
        assert_eq!(
            opening.complete(old_nonce.as_ref()).unwrap_err(),
            OpeningError::WrongNonce
        );
    }
    assert!(Derived::becomes_guarded(made.record(), &stored.record));
    assert!(!Derived::becomes_guarded(&stored.record, &stored.record));
}

#[test]
fn changes_within_guarded_carry_the_nonce() {
    let mut rng = rng(3);
    let (mut stored, made) = self_custody(2, 4, &mut rng);
    stored
        .change(&numbered([1, 2]), &to(Custody::Guarded), &mut rng)
        .unwrap();
    let (nonce, reset) = (stored.nonce.clone(), stored.record.reset_key);
    let changes = [
        Change {
            refresh: true,
            ..Change::default()
        },
        Change {
            add: primaries([5]),
            ..Change::default()
        },
        Change {
            remove: vec![3],
            ..Change::default()
        },
        Change {
            threshold: Some(3),
            ..Change::default()
        },
        Change {
            proven: vec![1],
            ..Change::default()
        },
    ];
    for change in changes {
        let (derived, account) = stored
            .change(&numbered([1, 2, 4]), &change, &mut rng)
            .unwrap();
        assert_eq!(derived.nonce, NonceChange::Keep);
        assert!(!derived.actions.contains(&Action::ChangePolicy));
        assert_eq!((&stored.nonce, stored.record.reset_key), (&nonce, reset));
        assert_eq!(account.key(), made.key());
    }
    assert_eq!(stored.open(&numbered([2, 4, 5])).unwrap().key(), made.key());
}

#[test]
fn a_swapped_nonce_is_refused_even_where_its_hash_was_signed() {
    let mut rng = rng(4);
    let (mut stored, _) = self_custody(2, 3, &mut rng);
    stored
        .change(&numbered([1, 2]), &to(Custody::Guarded), &mut rng)
        .unwrap();
    let (first, first_record) = (stored.nonce.clone().unwrap(), stored.record.clone());
    stored
        .change(&numbered([1, 2]), &to(Custody::SelfCustody), &mut rng)
        .unwrap();
    stored
        .change(&numbered([1, 2]), &to(Custody::Guarded), &mut rng)
        .unwrap();
    let opening = stored.begin(&numbered([1, 2])).unwrap();
    assert_eq!(
        opening.complete(Some(&first)).unwrap_err(),
        OpeningError::WrongNonce
    );

    // A signed hash of a nonce that does not fit the state.
    let auth = stored.open(&numbered([1, 2])).unwrap();
    let forged = stored.forge(
        &factor(1),
        auth.keys().auth(),
        |payload, _| payload.nonce_hash = first_record.nonce_hash,
        &mut rng,
    );
    let opening = forged.begin(&numbered([1, 2])).unwrap();
    for nonce in [
        &first,
        stored.nonce.as_ref().unwrap(),
        &SealedNonce::new(vec![0; 72]),
    ] {
        assert_eq!(
            opening.complete(Some(nonce)).unwrap_err(),
            OpeningError::WrongNonce
        );
    }
}

#[test]
fn an_account_without_a_spare_factor_may_still_switch() {
    let mut rng = rng(5);
    let (mut stored, made) = self_custody(2, 3, &mut rng);
    let change = Change {
        remove: vec![3],
        accepted: Accepted {
            no_spare_factor: true,
            ..Accepted::default()
        },
        ..Change::default()
    };
    stored.change(&numbered([1, 2]), &change, &mut rng).unwrap();
    // Section 4 bars m = t from upgrades and threshold changes only; what was accepted stays accepted.
    for custody in [Custody::Guarded, Custody::SelfCustody] {
        let (_, account) = stored
            .change(&numbered([1, 2]), &to(custody), &mut rng)
            .unwrap();
        assert_eq!(account.key(), made.key());
    }
}
