//! A trusted contact lends its share: what is taken and what is refused.

use trefoil_protocol::change::Change;
use trefoil_protocol::opening::OpeningError;
use trefoil_protocol::pairing::LentShare;
use trefoil_shares::ReconstructError;

use crate::support::*;

fn lend(stored: &Stored, number: u8) -> LentShare {
    stored.begin(&[factor(number)]).unwrap().lend().unwrap()
}

#[test]
fn a_lent_share_opens_and_lets_factors_be_changed() {
    let mut rng = rng(1);
    let (mut stored, made) = self_custody(2, 3, &mut rng);
    let mut opening = stored.begin(&[factor(1)]).unwrap();
    assert_eq!(opening.missing(), 1);
    opening.add_share(&lend(&stored, 3)).unwrap();
    assert_eq!((opening.missing(), opening.lent()), (0, [3].as_slice()));
    let account = opening.complete(None).unwrap();
    assert_eq!(account.key(), made.key());
    // The lender's factor is not at hand, so it is not among those that are.
    assert_eq!(account.held().len(), 1);

    // The user enrols what was lost anew, in the same epoch and in a new one.
    let add = Change {
        add: primaries([4]),
        ..Change::default()
    };
    let prepared = account.prepare(&add, NOW, &mut rng).unwrap();
    stored.commit(&prepared).unwrap();
    assert_eq!(
        stored.open(&[factor(1), factor(4)]).unwrap().key(),
        made.key()
    );
    let remove = Change {
        remove: vec![2],
        ..Change::default()
    };
    let prepared = prepared.account.prepare(&remove, NOW, &mut rng).unwrap();
    stored.commit(&prepared).unwrap();
    assert_eq!(
        stored.open(&[factor(3), factor(4)]).unwrap().key(),
        made.key()
    );
}

#[test]
fn two_contacts_of_three_needed() {
    let mut rng = rng(2);
    let (stored, made) = self_custody(3, 5, &mut rng);
    let mut opening = stored.begin(&[factor(1)]).unwrap();
    opening.add_share(&lend(&stored, 4)).unwrap();
    assert_eq!(opening.missing(), 1);
    assert!(matches!(
        opening.complete(None).unwrap_err(),
        OpeningError::Shares(ReconstructError::TooFew { have: 2, .. })
    ));
    opening.add_share(&lend(&stored, 5)).unwrap();
    assert_eq!(opening.complete(None).unwrap().key(), made.key());
}

#[test]
fn wrong_stale_foreign_and_duplicate_shares_have_errors_of_their_own() {
    let mut rng = rng(3);
    let (mut stored, _) = self_custody(2, 4, &mut rng);
    let before = stored.clone();
    let old = lend(&stored, 3);
    let refresh = Change {
        refresh: true,
        ..Change::default()
    };
    stored
        .change(&[factor(1), factor(2)], &refresh, &mut rng)
        .unwrap();
    let mut opening = stored.begin(&[factor(1)]).unwrap();
    let stale = OpeningError::StaleShare {
        lent: before.record.epoch,
        current: stored.record.epoch,
    };
    assert_eq!(opening.add_share(&old), Err(stale));
    // A lender, or whoever answers for it, that calls the old share a new one.
    let mut relabelled = old;
    relabelled.epoch = stored.record.epoch;
    assert!(matches!(
        opening.add_share(&relabelled),
        Err(OpeningError::Shares(ReconstructError::BadShares { bad, .. })) if bad.len() == 1
    ));

    let (other, _) = self_custody(2, 4, &mut rng);
    let foreign = lend(&other, 3);
    assert_eq!(opening.add_share(&foreign), Err(OpeningError::ForeignShare));
    let mut renamed = foreign;
    renamed.account_id = stored.record.account_id;
    renamed.epoch = stored.record.epoch;
    assert!(matches!(
        opening.add_share(&renamed),
        Err(OpeningError::Shares(_))
    ));

    let good = lend(&stored, 3);
    opening.add_share(&good).unwrap();
    assert_eq!(opening.add_share(&good), Err(OpeningError::AlreadyGiven));
    assert_eq!(
        opening.add_share(&lend(&stored, 1)),
        Err(OpeningError::AlreadyGiven)
    );
    let envelope = stored.envelope(&factor(3)).unwrap();
    assert_eq!(
        opening.add(factor(3), envelope).unwrap_err(),
        OpeningError::AlreadyGiven
    );
    assert!(opening.complete(None).is_ok());
}

#[test]
fn a_removed_contact_helps_no_more() {
    let mut rng = rng(4);
    let (mut stored, _) = self_custody(2, 4, &mut rng);
    let removed = lend(&stored, 3);
    let remove = Change {
        remove: vec![3],
        ..Change::default()
    };
    stored
        .change(&[factor(1), factor(2)], &remove, &mut rng)
        .unwrap();
    let mut opening = stored.begin(&[factor(1)]).unwrap();
    assert!(matches!(
        opening.add_share(&removed),
        Err(OpeningError::StaleShare { .. })
    ));
    let mut relabelled = removed;
    relabelled.epoch = stored.record.epoch;
    assert_eq!(
        opening.add_share(&relabelled),
        Err(OpeningError::NotEnrolled)
    );
}

#[test]
fn one_click_has_no_shares() {
    let mut rng = rng(5);
    let (stored, _) = one_click(&mut rng);
    let mut opening = stored.begin(&[factor(1)]).unwrap();
    assert_eq!(opening.lend(), Err(OpeningError::NoSharesHere));
    let (other, _) = self_custody(2, 3, &mut rng);
    let mut lent = lend(&other, 2);
    lent.account_id = stored.record.account_id;
    assert_eq!(opening.add_share(&lent), Err(OpeningError::NoSharesHere));
}
