//! Adding, removing, replacing, other thresholds, refreshing: what carries over, what is refused.

use std::collections::{BTreeMap, BTreeSet};

use trefoil_protocol::change::{Accepted, Change, ChangeError, NewFactor};
use trefoil_protocol::commit::{CommitError, NonceChange};
use trefoil_protocol::factor::FactorKind;
use trefoil_protocol::opening::OpeningError;
use trefoil_protocol::policy::{Action, Level, Policy};
use trefoil_protocol::record::Custody;
use trefoil_protocol::state::MAX_LABEL;
use trefoil_protocol::vault::{Vault, VaultItem, VaultKind, VaultSecret};

use crate::support::*;

const NO_SPARE: Accepted = Accepted {
    no_spare_factor: true,
    one_primary_factor: false,
};

fn add(new: Vec<NewFactor>) -> Change {
    Change {
        add: new,
        ..Change::default()
    }
}

fn remove(indices: &[u32]) -> Change {
    Change {
        remove: indices.to_vec(),
        ..Change::default()
    }
}

#[test]
fn a_factor_added_in_the_same_epoch_leaves_all_envelopes_alone() {
    let mut rng = rng(1);
    let (mut stored, made) = self_custody(2, 3, &mut rng);
    let before = stored.clone();
    let (derived, _) = stored
        .change(&numbered([1, 3]), &add(primaries([4])), &mut rng)
        .unwrap();
    assert_eq!(derived.actions, BTreeSet::from([Action::AddFactor]));
    assert_eq!(derived.added, [factor(4).locator()]);
    assert_eq!(stored.record.epoch, before.record.epoch);
    assert_eq!(stored.record.revision, before.record.revision + 1);
    for (index, envelope) in &before.envelopes {
        assert_eq!(stored.envelopes[index], *envelope);
    }
    for pair in subsets(&numbered(1..=4), 2) {
        assert_eq!(stored.open(&pair).unwrap().key(), made.key());
    }
}

#[test]
fn an_absent_party_is_enrolled_by_its_public_parts() {
    let mut rng = rng(2);
    let (mut stored, made) = self_custody(2, 3, &mut rng);
    let enrolment = factor(4).enrol(&made.keys().id(), &made.keys().auth_key());
    let contact = NewFactor::absent(FactorKind::TrustedContact, "Ada", enrolment.clone())
        .hint("phone", "+44");
    let (_, account) = stored
        .change(&numbered([1, 2]), &add(vec![contact]), &mut rng)
        .unwrap();
    assert_eq!(account.held().len(), 2, "the contact is not at hand");
    let opened = stored.open(&numbered([4, 2])).unwrap();
    assert_eq!(opened.key(), made.key());
    let note = opened.state().note(4).unwrap();
    assert_eq!(
        (note.label.as_str(), note.kind),
        ("Ada", FactorKind::TrustedContact)
    );
    assert_eq!(note.hints, BTreeMap::from([("phone".into(), "+44".into())]));

    // A proof for another account, and an envelope key to which nothing can be sealed.
    let (_, other) = self_custody(2, 3, &mut rng);
    let foreign = factor(5).enrol(&other.keys().id(), &other.keys().auth_key());
    let mut weak = factor(6).enrol(&made.keys().id(), &made.keys().auth_key());
    weak.envelope_key = trefoil_protocol::bytes::EnvelopeKey::from_bytes([0; 32]);
    for bad in [foreign, weak] {
        let change = add(vec![NewFactor::absent(FactorKind::OtherDevice, "", bad)]);
        assert_eq!(
            opened.prepare(&change, NOW, &mut rng).unwrap_err(),
            ChangeError::BadFactorKey(5)
        );
    }
}

#[test]
fn a_removed_factor_opens_nothing_from_then_on() {
    let mut rng = rng(3);
    let (mut stored, made) = self_custody(2, 4, &mut rng);
    let before = stored.clone();
    let (derived, _) = stored
        .change(&numbered([1, 2]), &remove(&[3]), &mut rng)
        .unwrap();
    assert_eq!(derived.actions, BTreeSet::from([Action::RemoveFactor]));
    assert_eq!(derived.removed, [factor(3).locator()]);
    assert_eq!(stored.record.epoch, before.record.epoch + 1);
    assert_eq!(
        stored.begin(&[factor(3)]).unwrap_err(),
        OpeningError::NotEnrolled
    );
    for pair in subsets(&numbered([1, 2, 4]), 2) {
        assert_eq!(stored.open(&pair).unwrap().key(), made.key());
    }
    // Its index is never given again, not even to itself.
    let (_, account) = stored
        .change(&numbered([1, 2]), &add(primaries([3])), &mut rng)
        .unwrap();
    let indices: Vec<u32> = account
        .record()
        .factors
        .iter()
        .map(|entry| entry.index)
        .collect();
    assert_eq!(indices, [1, 2, 4, 5]);
    assert_eq!(stored.open(&numbered([3, 4])).unwrap().key(), made.key());
}

#[test]
fn a_factor_is_replaced_in_one_commit() {
    let mut rng = rng(4);
    let (mut stored, made) = self_custody(2, 3, &mut rng);
    // A 2 of 3 has one spare; replacing keeps it without any override.
    let change = Change {
        add: primaries([4]),
        ..remove(&[2])
    };
    let (derived, account) = stored.change(&numbered([1, 3]), &change, &mut rng).unwrap();
    assert_eq!(
        derived.actions,
        BTreeSet::from([Action::AddFactor, Action::RemoveFactor])
    );
    assert_eq!(account.held().len(), 3);
    for pair in subsets(&numbered([1, 3, 4]), 2) {
        assert_eq!(stored.open(&pair).unwrap().key(), made.key());
    }
    // Also the very factors that opened may be replaced.
    let change = Change {
        add: primaries([5, 6]),
        ..remove(&[1, 3])
    };
    let (_, account) = stored.change(&numbered([1, 3]), &change, &mut rng).unwrap();
    let held = account.held().iter().map(|held| held.index);
    assert_eq!(
        held.collect::<Vec<_>>(),
        [5, 6],
        "those removed are no longer held"
    );
    for pair in subsets(&numbered([4, 5, 6]), 2) {
        assert_eq!(stored.open(&pair).unwrap().key(), made.key());
    }
}

#[test]
fn another_threshold_is_another_polynomial() {
    let mut rng = rng(5);
    let (mut stored, made) = self_custody(2, 4, &mut rng);
    for (t, using) in [(3, 2), (2, 3)] {
        let change = Change {
            threshold: Some(t),
            ..Change::default()
        };
        let epoch = stored.record.epoch;
        let (derived, account) = stored
            .change(&numbered(1..=using), &change, &mut rng)
            .unwrap();
        assert_eq!(derived.actions, BTreeSet::from([Action::Reshare]));
        assert_eq!(account.record().epoch, epoch + 1);
        assert_eq!(account.state().commitments.len(), usize::from(t));
        for subset in subsets(&numbered(1..=4), usize::from(t)) {
            assert_eq!(stored.open(&subset).unwrap().key(), made.key());
        }
        for subset in subsets(&numbered(1..=4), usize::from(t) - 1) {
            assert!(
                matches!(stored.open(&subset), Err(OpeningError::Shares(e)) if e.missing() == 1)
            );
        }
    }
}

#[test]
fn a_refresh_changes_shares_and_nothing_else() {
    let mut rng = rng(6);
    let (mut stored, made) = self_custody(2, 3, &mut rng);
    let before = stored.clone();
    let change = Change {
        refresh: true,
        ..Change::default()
    };
    let (derived, account) = stored.change(&numbered([2, 3]), &change, &mut rng).unwrap();
    assert_eq!(derived.actions, BTreeSet::from([Action::Refresh]));
    assert_eq!(derived.nonce, NonceChange::Keep);
    assert_eq!(account.key(), made.key());
    let commitments = &account.state().commitments;
    assert_eq!(
        commitments[0],
        made.state().commitments[0],
        "the same secret"
    );
    assert_ne!(
        commitments[1],
        made.state().commitments[1],
        "another polynomial"
    );
    assert_eq!(stored.record.reset_key, before.record.reset_key);
    for (index, envelope) in &before.envelopes {
        assert_ne!(stored.envelopes[index], *envelope);
        let (then, now) = (before.record.factor(*index), stored.record.factor(*index));
        assert_eq!(then.unwrap().enrolment(), now.unwrap().enrolment());
    }
}

#[test]
fn labels_proofs_policy_and_reminders_are_an_update() {
    let mut rng = rng(7);
    let (mut stored, _) = self_custody(2, 3, &mut rng);
    let before = stored.clone();
    let later = NOW + 86_400;
    let change = Change {
        labels: BTreeMap::from([(2, String::from("laptop"))]),
        proven: vec![3],
        reminder_days: Some(90),
        ..Change::default()
    };
    let account = stored.open(&numbered([1, 2])).unwrap();
    let prepared = account.prepare(&change, later, &mut rng).unwrap();
    assert!(prepared.envelopes.is_empty(), "no share changes hands");
    let derived = stored.commit(&prepared).unwrap();
    assert_eq!(derived.actions, BTreeSet::from([Action::Update]));
    assert_eq!(stored.record.epoch, before.record.epoch);
    let state = stored.begin(&[factor(3)]).unwrap().state().clone();
    assert_eq!(state.note(2).unwrap().label, "laptop");
    assert_eq!(state.note(2).unwrap().proven, NOW);
    assert_eq!(state.note(3).unwrap().proven, later);
    assert_eq!(state.note(3).unwrap().created, NOW);
    assert_eq!(state.mfa.reminder_days, Some(90));
    assert_eq!(state.mfa.since, Some(NOW));

    let policy = Policy {
        nonce_release: Level::Elevated,
        actions: BTreeMap::from([(Action::RemoveFactor, Level::StepUp)]),
        authenticator_required: true,
    };
    let change = Change {
        policy: Some(policy.clone()),
        ..Change::default()
    };
    let (derived, account) = stored.change(&numbered([1, 2]), &change, &mut rng).unwrap();
    assert_eq!(derived.actions, BTreeSet::from([Action::ChangePolicy]));
    assert_eq!(account.record().policy, policy);
    assert_eq!(policy.required(Action::RemoveFactor), Level::StepUp);
    assert_eq!(policy.required(Action::AddFactor), Level::Primary);
    // Reminders and policy stay where a later change does not name them.
    let (_, account) = stored
        .change(&numbered([1, 2]), &remove_and_add(), &mut rng)
        .unwrap();
    assert_eq!(account.state().mfa.reminder_days, Some(90));
    assert_eq!(account.record().policy, policy);
}

fn remove_and_add() -> Change {
    Change {
        add: primaries([7]),
        ..remove(&[3])
    }
}

#[test]
fn vault_items_are_carried_through_every_change() {
    let mut rng = rng(8);
    let (mut stored, _) = one_click(&mut rng);
    let mut vault = Vault::new();
    vault
        .add(VaultItem {
            name: "old wallet".into(),
            kind: VaultKind::SeedPhrase,
            secret: VaultSecret::new(b"legal winner thank year".to_vec()),
        })
        .unwrap();
    let change = Change {
        vault: Some(vault.clone()),
        ..Change::default()
    };
    let (derived, _) = stored.change(&[factor(1)], &change, &mut rng).unwrap();
    assert_eq!(derived.actions, BTreeSet::from([Action::Update]));
    let sealed = stored.record.vault.clone();
    stored
        .change(&[factor(1)], &upgrade(2, 3), &mut rng)
        .unwrap();
    let changes = [
        (add(primaries([4])), [1, 2]),
        (remove(&[1]), [2, 3]),
        (remove_and_add(), [2, 4]),
    ];
    for (change, using) in changes {
        let (_, account) = stored.change(&numbered(using), &change, &mut rng).unwrap();
        assert_eq!(*account.vault(), vault);
        assert_eq!(stored.record.vault, sealed, "carried byte for byte");
    }
}

#[test]
fn what_is_not_allowed_is_refused_by_name() {
    let mut rng = rng(9);
    let (one, _) = one_click(&mut rng);
    let one = one.open(&[factor(1)]).unwrap();
    let (mut stored, account) = self_custody(2, 3, &mut rng);
    let threshold = |t| Change {
        threshold: Some(t),
        ..Change::default()
    };
    let refresh = Change {
        refresh: true,
        ..Change::default()
    };
    let label = |index, label: &str| Change {
        labels: BTreeMap::from([(index, String::from(label))]),
        ..Change::default()
    };
    let custody = |custody| Change {
        custody: Some(custody),
        ..Change::default()
    };
    use ChangeError as E;
    let cases = [
        (&one, Change::default(), E::Nothing),
        (&one, custody(Custody::OneClick), E::Nothing),
        (&one, add(primaries([2])), E::UpgradeFirst),
        (&one, remove(&[1]), E::UpgradeFirst),
        (&one, threshold(2), E::UpgradeFirst),
        (&one, refresh, E::UpgradeFirst),
        // m = t, m < t, too low.
        (&one, upgrade(2, 2), E::NoSpareFactor),
        (&one, upgrade(3, 3), E::NoSpareFactor),
        (&one, upgrade(4, 3), E::Threshold { factors: 3 }),
        (&one, upgrade(1, 3), E::Threshold { factors: 3 }),
        (&one, upgrade(2, 1), E::Threshold { factors: 1 }),
        (&account, Change::default(), E::Nothing),
        (&account, custody(Custody::SelfCustody), E::Nothing),
        (&account, custody(Custody::OneClick), E::CustodyReversed),
        (&account, threshold(3), E::NoSpareFactor),
        (&account, threshold(4), E::Threshold { factors: 3 }),
        (&account, threshold(0), E::Threshold { factors: 3 }),
        (&account, threshold(1), E::Threshold { factors: 3 }),
        (&account, remove(&[1]), E::NoSpareFactor),
        (&account, remove(&[1, 2]), E::Threshold { factors: 1 }),
        (&account, remove(&[7]), E::UnknownFactor(7)),
        (&account, label(9, ""), E::UnknownFactor(9)),
        (
            &account,
            Change {
                proven: vec![8],
                ..Change::default()
            },
            E::UnknownFactor(8),
        ),
        (
            &account,
            label(2, &"é".repeat(MAX_LABEL / 2 + 1)),
            E::LabelTooLong,
        ),
        (&account, add(primaries([2])), E::AlreadyEnrolled),
        (&account, add(primaries([5, 6, 5])), E::AlreadyEnrolled),
        // Removing a factor and enrolling the very same is a refresh, and so is asked for by that name.
        (
            &account,
            Change {
                add: primaries([2]),
                ..remove(&[2])
            },
            E::AlreadyEnrolled,
        ),
        (
            &account,
            add((0..253).map(|_| present(FactorKind::Device, 9)).collect()),
            E::TooManyFactors,
        ),
    ];
    for (at, (account, change, expected)) in cases.into_iter().enumerate() {
        assert_eq!(
            account.prepare(&change, NOW, &mut rng).unwrap_err(),
            expected,
            "case {at}"
        );
    }

    // Removing down to m = t where the user accepts it; then a refresh and an update stay possible.
    let change = Change {
        accepted: NO_SPARE,
        ..remove(&[1])
    };
    stored.change(&numbered([1, 2]), &change, &mut rng).unwrap();
    for change in [
        Change {
            refresh: true,
            ..Change::default()
        },
        label(2, "laptop"),
        add(primaries([5])),
    ] {
        stored.change(&numbered([2, 3]), &change, &mut rng).unwrap();
    }
}

#[test]
fn a_higher_threshold_is_never_reached_by_a_removal() {
    let mut rng = rng(10);
    let (mut stored, account) = self_custody(2, 4, &mut rng);
    let change = Change {
        threshold: Some(3),
        accepted: NO_SPARE,
        ..remove(&[4])
    };
    assert_eq!(
        account.prepare(&change, NOW, &mut rng).unwrap_err(),
        ChangeError::NoSpareFactor
    );
    let change = Change {
        accepted: NO_SPARE,
        ..remove(&[3, 4])
    };
    let (_, two) = stored.change(&numbered([1, 2]), &change, &mut rng).unwrap();
    assert_eq!(two.record().factors.len(), 2);
}

#[test]
fn primary_factors_are_not_given_away() {
    let mut rng = rng(11);
    let (one, _) = one_click(&mut rng);
    let one = one.open(&[factor(1)]).unwrap();
    let secondary = |numbers: &[u8]| -> Vec<NewFactor> {
        let kinds = [
            FactorKind::Password,
            FactorKind::Pin,
            FactorKind::SecurityQuestions,
        ];
        let kinds = kinds.into_iter().cycle();
        numbers
            .iter()
            .zip(kinds)
            .map(|(number, kind)| present(kind, *number))
            .collect()
    };
    let upgrade_with = |add| Change {
        add,
        custody: Some(Custody::SelfCustody),
        ..Change::default()
    };
    let accepted = Accepted {
        no_spare_factor: true,
        one_primary_factor: true,
    };
    // The social login alone is primary: refused at an upgrade, whatever is accepted.
    for accepted in [Accepted::default(), accepted] {
        let change = Change {
            accepted,
            ..upgrade_with(secondary(&[2, 3]))
        };
        assert_eq!(
            one.prepare(&change, NOW, &mut rng).unwrap_err(),
            ChangeError::OnePrimaryFactor
        );
    }
    let (mut stored, fresh) = one_click(&mut rng);
    let mixed = primaries([2])
        .into_iter()
        .chain(secondary(&[3, 4]))
        .collect();
    let (_, account) = stored
        .change(
            &[factor(1)],
            &with_slots(&fresh, upgrade_with(mixed), &mut rng),
            &mut rng,
        )
        .unwrap();
    assert_eq!(
        account.prepare(&remove(&[2]), NOW, &mut rng).unwrap_err(),
        ChangeError::OnePrimaryFactor
    );
    for accepted in [Accepted::default(), accepted] {
        let change = Change {
            accepted,
            ..remove(&[1, 2])
        };
        assert!(matches!(
            account.prepare(&change, NOW, &mut rng).unwrap_err(),
            ChangeError::NoSpareFactor | ChangeError::NoPrimaryFactor
        ));
    }
    let change = Change {
        accepted,
        ..remove(&[1])
    };
    let (_, account) = stored.change(&numbered([1, 3]), &change, &mut rng).unwrap();
    // With one primary factor left a threshold change is refused, a refresh is not.
    let change = Change {
        threshold: Some(2),
        add: secondary(&[7]),
        refresh: true,
        ..Change::default()
    };
    let change = with_slots(&account, change, &mut rng);
    account.prepare(&change, NOW, &mut rng).unwrap();
    let (_, account) = stored.change(&numbered([2, 3]), &change, &mut rng).unwrap();
    let change = Change {
        threshold: Some(3),
        accepted,
        ..Change::default()
    };
    assert_eq!(
        account.prepare(&change, NOW, &mut rng).unwrap_err(),
        ChangeError::OnePrimaryFactor
    );
    assert_eq!(
        account
            .prepare(
                &Change {
                    accepted,
                    ..remove(&[2])
                },
                NOW,
                &mut rng
            )
            .unwrap_err(),
        ChangeError::NoPrimaryFactor
    );
}

#[test]
fn indices_epochs_and_revisions_run_out_with_an_error() {
    let mut rng = rng(12);
    let (stored, account) = self_custody(2, 3, &mut rng);
    let (keys, auth) = (factor(1), account.keys().auth());
    let open = |stored: &Stored| stored.open(&numbered([1, 2])).unwrap();

    let near_end = |next| {
        let mut rng = crate::support::rng(13);
        stored.forge(&keys, auth, |_, state| state.next_index = next, &mut rng)
    };
    let last = open(&near_end(u32::MAX - 1));
    let prepared = last.prepare(&add(primaries([4])), NOW, &mut rng).unwrap();
    assert_eq!(prepared.record().factors[3].index, u32::MAX - 1);
    assert_eq!(prepared.account.state().next_index, u32::MAX);
    assert_eq!(
        last.prepare(&add(primaries([4, 5])), NOW, &mut rng)
            .unwrap_err(),
        ChangeError::IndicesExhausted
    );
    let full = open(&near_end(u32::MAX));
    assert_eq!(
        full.prepare(&add(primaries([4])), NOW, &mut rng)
            .unwrap_err(),
        ChangeError::IndicesExhausted
    );

    let last_revision = stored.forge(
        &keys,
        auth,
        |payload, _| payload.revision = u64::MAX,
        &mut rng,
    );
    assert_eq!(
        open(&last_revision)
            .prepare(&add(primaries([4])), NOW, &mut rng)
            .unwrap_err(),
        ChangeError::SelfCheckCommit(CommitError::WrongRevision)
    );
}
