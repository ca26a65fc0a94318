//! A server that was set back, and the commit by which a device brings back what was lost.

use trefoil_protocol::change::{Accepted, Change, ChangeError, restore};
use trefoil_protocol::commit::NonceChange;
use trefoil_protocol::opening::OpeningError;
use trefoil_protocol::policy::Action;
use trefoil_protocol::record::Custody;
use trefoil_protocol::rollback::{Freshness, RollbackError, compare};

use crate::support::*;

fn refresh() -> Change {
    Change {
        refresh: true,
        ..Change::default()
    }
}

fn remove(index: u32) -> Change {
    Change {
        remove: vec![index],
        accepted: Accepted {
            no_spare_factor: true,
            one_primary_factor: true,
        },
        ..Change::default()
    }
}

fn add(number: u8) -> Change {
    Change {
        add: primaries([number]),
        ..Change::default()
    }
}

/// What the device keeps of the newest record: with its own envelope only.
fn kept(stored: &Stored, number: u8) -> trefoil_protocol::opening::Opening {
    stored.begin(&[factor(number)]).unwrap()
}

#[test]
fn every_kind_of_rollback_is_named() {
    let mut rng = rng(1);
    let (mut stored, _) = self_custody(2, 3, &mut rng);
    let old = stored.clone();
    stored
        .change(&numbered([1, 2]), &refresh(), &mut rng)
        .unwrap();
    let seen = stored.record.clone();
    assert_eq!(compare(&seen, &seen), Ok(Freshness::Same));
    assert_eq!(compare(&old.record, &seen), Ok(Freshness::Newer));
    assert_eq!(
        compare(&seen, &old.record),
        Err(RollbackError::Older { served: 2, seen: 3 })
    );
    // The same revision with other content.
    let mut fork = old.clone();
    fork.change(&numbered([1, 2]), &add(4), &mut rng).unwrap();
    assert_eq!(
        compare(&seen, &fork.record),
        Err(RollbackError::Fork { revision: 3 })
    );
    // A successor of something else.
    fork.change(&numbered([1, 2]), &refresh(), &mut rng)
        .unwrap();
    assert_eq!(
        compare(&seen, &fork.record),
        Err(RollbackError::Fork { revision: 4 })
    );
    // Two ahead nothing can be told any more.
    fork.change(&numbered([1, 2]), &refresh(), &mut rng)
        .unwrap();
    assert_eq!(compare(&seen, &fork.record), Ok(Freshness::Newer));
    let (other, _) = self_custody(2, 3, &mut rng);
    assert_eq!(
        compare(&seen, &other.record),
        Err(RollbackError::OtherAccount)
    );
    assert!(
        RollbackError::Gone { seen: 3 }
            .to_string()
            .contains("revision 3")
    );
}

#[test]
fn a_device_brings_back_what_the_server_lost() {
    let mut rng = rng(2);
    let (mut stored, made) = self_custody(2, 3, &mut rng);
    let backup = stored.clone();
    stored.change(&numbered([1, 2]), &add(4), &mut rng).unwrap();
    stored
        .change(&numbered([1, 2]), &remove(3), &mut rng)
        .unwrap();
    let (lost, device) = (stored.clone(), kept(&stored, 2));

    let mut server = backup.clone();
    let served = server.open(&numbered([1, 2])).unwrap();
    // Before the restore the factor of the lost history does not open, and the removed one does again.
    assert_eq!(
        server.begin(&[factor(4)]).unwrap_err(),
        OpeningError::NotEnrolled
    );
    assert!(server.open(&numbered([1, 3])).is_ok());

    let prepared = restore(&served, &device, &mut rng).unwrap();
    let derived = server.commit(&prepared).unwrap();
    assert!(derived.restore);
    assert_eq!(derived.added, [factor(4).locator()]);
    assert_eq!(derived.removed, [factor(3).locator()]);
    let record = &server.record;
    assert!(record.restore);
    assert_eq!(record.revision, lost.record.revision + 1);
    assert_eq!(record.previous, Some(lost.record.hash()));
    assert!(record.epoch > lost.record.epoch && record.epoch > backup.record.epoch);
    assert_eq!(record.vault, lost.record.vault);
    assert_eq!(record.policy, lost.record.policy);
    assert_eq!(record.custody, lost.record.custody);
    for pair in subsets(&numbered([1, 2, 4]), 2) {
        let account = server.open(&pair).unwrap();
        assert_eq!(account.key(), made.key());
        assert_eq!(account.state().factors, device.state().factors);
        assert_eq!(account.state().next_index, device.state().next_index);
    }
    assert_eq!(
        server.begin(&[factor(3)]).unwrap_err(),
        OpeningError::NotEnrolled
    );
    // Other devices accept it, whatever they have seen below it, and are told.
    for seen in [&backup, &lost] {
        assert_eq!(compare(&seen.record, record), Ok(Freshness::Restored));
    }
    // From here life goes on.
    server
        .change(&numbered([2, 4]), &refresh(), &mut rng)
        .unwrap();
    assert!(!server.record.restore);
}

#[test]
fn a_server_set_back_before_the_upgrade() {
    for custody in [Custody::SelfCustody, Custody::Guarded] {
        let mut rng = rng(3);
        let (mut stored, made) = one_click(&mut rng);
        let backup = stored.clone();
        let change = Change {
            custody: Some(custody),
            ..upgrade(2, 3)
        };
        stored.change(&[factor(1)], &change, &mut rng).unwrap();
        let device = kept(&stored, 2);

        // The backup is one-click again, as protocol.md says, until an owner's device restores.
        let mut server = backup.clone();
        let served = server.open(&[factor(1)]).unwrap();
        let prepared = restore(&served, &device, &mut rng).unwrap();
        let derived = server.commit(&prepared).unwrap();
        assert!(derived.actions.contains(&Action::ChangePolicy));
        assert_eq!(server.record.custody, custody);
        match custody {
            Custody::Guarded => {
                assert!(matches!(derived.nonce, NonceChange::Replace(_)));
                assert_ne!(server.nonce, stored.nonce, "the nonce is new");
            }
            _ => assert_eq!(derived.nonce, NonceChange::Drop),
        }
        for pair in subsets(&numbered(1..=3), 2) {
            assert_eq!(server.open(&pair).unwrap().key(), made.key());
        }
        assert!(matches!(
            server.open(&[factor(1)]),
            Err(OpeningError::Shares(_))
        ));
    }
}

#[test]
fn a_one_click_account_is_restored_too() {
    let mut rng = rng(4);
    let (mut stored, made) = one_click(&mut rng);
    let backup = stored.clone();
    let label = Change {
        labels: [(1, String::from("work"))].into(),
        ..Change::default()
    };
    stored.change(&[factor(1)], &label, &mut rng).unwrap();
    let device = kept(&stored, 1);
    let mut server = backup;
    let served = server.open(&[factor(1)]).unwrap();
    let prepared = restore(&served, &device, &mut rng).unwrap();
    let derived = server.commit(&prepared).unwrap();
    assert_eq!(derived.nonce, NonceChange::Keep);
    let account = server.open(&[factor(1)]).unwrap();
    assert_eq!(account.key(), made.key());
    assert_eq!(account.state().factors[0].label, "work");
}

#[test]
fn accepted_risks_of_the_lost_history_do_not_bar_the_restore() {
    let mut rng = rng(5);
    let (mut stored, made) = one_click(&mut rng);
    let backup = stored.clone();
    stored
        .change(&[factor(1)], &upgrade(2, 3), &mut rng)
        .unwrap();
    stored
        .change(&numbered([1, 2]), &remove(3), &mut rng)
        .unwrap();
    let device = kept(&stored, 2);
    let mut server = backup;
    let served = server.open(&[factor(1)]).unwrap();
    let prepared = restore(&served, &device, &mut rng).unwrap();
    server.commit(&prepared).unwrap();
    assert_eq!(server.open(&numbered([1, 2])).unwrap().key(), made.key());
}

#[test]
fn a_factor_that_moved_to_another_index_does_not_bar_the_restore() {
    let mut rng = rng(6);
    let (mut stored, made) = self_custody(2, 3, &mut rng);
    let backup = stored.clone();
    stored
        .change(&numbered([1, 2]), &remove(3), &mut rng)
        .unwrap();
    stored.change(&numbered([1, 2]), &add(3), &mut rng).unwrap();
    let device = kept(&stored, 1);
    let mut server = backup;
    let served = server.open(&numbered([1, 3])).unwrap();
    let prepared = restore(&served, &device, &mut rng).unwrap();
    assert_eq!(prepared.account.held().len(), 2);
    let derived = server.commit(&prepared).unwrap();
    assert!(derived.added.is_empty() && derived.removed.is_empty());
    assert_eq!(
        server.record.factor_at(&factor(3).locator()).unwrap().index,
        4
    );
    for pair in subsets(&numbered(1..=3), 2) {
        assert_eq!(server.open(&pair).unwrap().key(), made.key());
    }
}

#[test]
fn a_fork_at_the_same_revision_can_be_settled() {
    let mut rng = rng(7);
    let (mut stored, made) = self_custody(2, 3, &mut rng);
    let backup = stored.clone();
    stored.change(&numbered([1, 2]), &add(4), &mut rng).unwrap();
    let device = kept(&stored, 2);
    // A device with less knowledge restored first and took the same revision.
    let mut server = backup;
    server
        .change(&numbered([1, 2]), &refresh(), &mut rng)
        .unwrap();
    assert_eq!(server.record.revision, stored.record.revision);
    assert!(compare(device.record(), &server.record).is_err());
    let served = server.open(&numbered([1, 2])).unwrap();
    server
        .commit(&restore(&served, &device, &mut rng).unwrap())
        .unwrap();
    assert_eq!(server.open(&numbered([3, 4])).unwrap().key(), made.key());
}

#[test]
fn there_is_nothing_to_restore_from_an_old_or_foreign_record() {
    let mut rng = rng(8);
    let (mut stored, _) = self_custody(2, 3, &mut rng);
    let old = kept(&stored, 1);
    let same = stored.open(&numbered([1, 2])).unwrap();
    assert_eq!(
        restore(&same, &old, &mut rng).unwrap_err(),
        ChangeError::NothingToRestore
    );
    stored
        .change(&numbered([1, 2]), &refresh(), &mut rng)
        .unwrap();
    let served = stored.open(&numbered([1, 2])).unwrap();
    assert_eq!(
        restore(&served, &old, &mut rng).unwrap_err(),
        ChangeError::NothingToRestore
    );
    let (mut other, _) = self_custody(2, 3, &mut rng);
    other
        .change(&numbered([1, 2]), &refresh(), &mut rng)
        .unwrap();
    other
        .change(&numbered([1, 2]), &refresh(), &mut rng)
        .unwrap();
    assert_eq!(
        restore(&served, &kept(&other, 1), &mut rng).unwrap_err(),
        ChangeError::NothingToRestore
    );
}

#[test]
fn guarded_gets_a_new_nonce_with_a_restore() {
    let mut rng = rng(9);
    let (mut stored, made) = self_custody(2, 3, &mut rng);
    let guarded = Change {
        custody: Some(Custody::Guarded),
        ..Change::default()
    };
    stored
        .change(&numbered([1, 2]), &guarded, &mut rng)
        .unwrap();
    let backup = stored.clone();
    stored
        .change(&numbered([1, 2]), &refresh(), &mut rng)
        .unwrap();
    let device = kept(&stored, 3);
    let mut server = backup.clone();
    let served = server.open(&numbered([1, 2])).unwrap();
    let derived = server
        .commit(&restore(&served, &device, &mut rng).unwrap())
        .unwrap();
    assert!(matches!(derived.nonce, NonceChange::Replace(_)));
    assert_ne!(server.nonce, backup.nonce);
    assert_eq!(server.open(&numbered([2, 3])).unwrap().key(), made.key());
}
