//! Each rule of a commit broken alone, in a record that is otherwise valid and properly signed.

use std::collections::{BTreeMap, BTreeSet};

use trefoil_protocol::bytes::{EnvelopeHash, NonceHash, PayloadHash};
use trefoil_protocol::commit::{CommitError, Derived, NonceChange, check_commit, check_create};
use trefoil_protocol::opening::OpenAccount;
use trefoil_protocol::policy::{Action, Level, Policy};
use trefoil_protocol::problem::ProblemCode;
use trefoil_protocol::record::{Custody, FactorEntry, Payload, SignedPayload, VerifiedRecord};
use trefoil_protocol::sign::AuthPrivateKey;

use crate::support::*;

/// A 2 of 4 with factors 1 to 4 and everything that signs for it.
struct Setting {
    current: VerifiedRecord,
    account: OpenAccount,
}

impl Setting {
    fn new() -> Self {
        let (stored, account) = self_custody(2, 4, &mut rng(1));
        Self {
            current: stored.record,
            account,
        }
    }

    fn guarded() -> Self {
        let (mut stored, _) = self_custody(2, 4, &mut rng(2));
        let change = trefoil_protocol::change::Change {
            custody: Some(Custody::Guarded),
            ..Default::default()
        };
        let changed = stored.change(&numbered([1, 2]), &change, &mut rng(3));
        let (_, account) = changed.unwrap();
        Self {
            current: stored.record,
            account,
        }
    }

    fn one_click() -> Self {
        let (stored, account) = one_click(&mut rng(4));
        Self {
            current: stored.record,
            account,
        }
    }

    fn sign(&self, payload: &Payload) -> VerifiedRecord {
        let signed = SignedPayload::sign(payload, self.account.keys().auth());
        signed.verify(&tenant()).unwrap()
    }

    /// The next record, which changes nothing, edited.
    fn next(&self, edit: impl FnOnce(&mut Payload)) -> VerifiedRecord {
        let mut payload = self.current.payload().clone();
        payload.revision += 1;
        payload.previous = Some(self.current.hash());
        edit(&mut payload);
        self.sign(&payload)
    }

    /// The next record in a new epoch, edited.
    fn next_epoch(&self, edit: impl FnOnce(&mut Payload)) -> VerifiedRecord {
        self.next(|payload| {
            new_epoch(payload);
            edit(payload);
        })
    }

    fn check(&self, new: &VerifiedRecord) -> Result<Derived, CommitError> {
        check_commit(&self.current, new)
    }

    fn refused(&self, new: &VerifiedRecord) -> CommitError {
        self.check(new).unwrap_err()
    }

    fn entry(&self, index: u32, number: u8) -> FactorEntry {
        let keys = self.account.keys();
        let enrolment = factor(number).enrol(&keys.id(), &keys.auth_key());
        FactorEntry::new(index, &enrolment, EnvelopeHash::from_bytes([number; 32]))
    }
}

fn new_epoch(payload: &mut Payload) {
    payload.epoch += 1;
    for entry in &mut payload.factors {
        entry.envelope_hash = other_hash(&entry.envelope_hash);
    }
}

fn to_one_click(payload: &mut Payload) {
    payload.custody = Custody::OneClick;
    payload.threshold = 1;
    payload.factors.truncate(1);
    payload.nonce_hash = Some(NonceHash::from_bytes([7; 32]));
}

#[test]
fn nothing_changed_is_an_update() {
    for setting in [Setting::new(), Setting::guarded(), Setting::one_click()] {
        let derived = setting.check(&setting.next(|_| ())).unwrap();
        assert_eq!(derived.actions, BTreeSet::from([Action::Update]));
        assert_eq!(derived.nonce, NonceChange::Keep);
        assert!(derived.added.is_empty() && derived.removed.is_empty() && !derived.restore);
    }
}

#[test]
fn the_accounts_key_cannot_change() {
    let (setting, other) = (Setting::new(), Setting::guarded());
    // Another account's record that would follow this one in every number.
    let mut payload = other.current.payload().clone();
    payload.revision = setting.current.revision + 1;
    payload.epoch = setting.current.epoch;
    payload.previous = Some(setting.current.hash());
    let new = other.sign(&payload);
    assert_eq!(setting.refused(&new), CommitError::WrongAccountKey);
    payload.restore = true;
    assert_eq!(
        setting.refused(&other.sign(&payload)),
        CommitError::WrongAccountKey
    );
}

#[test]
fn revisions_follow_one_another() {
    let setting = Setting::new();
    let now = setting.current.revision;
    for revision in [now - 1, now, now + 2, u64::MAX] {
        let new = setting.next(|payload| {
            payload.revision = revision;
            if revision == 1 {
                payload.previous = None;
            }
        });
        assert_eq!(
            setting.refused(&new),
            CommitError::WrongRevision,
            "{revision}"
        );
    }
    // The very same record again, and the last revision there is.
    assert_eq!(
        setting.refused(&setting.current),
        CommitError::WrongRevision
    );
    let last = Setting {
        current: setting.next(|payload| payload.revision = u64::MAX),
        account: setting.account,
    };
    let new = last.sign(&Payload {
        previous: Some(last.current.hash()),
        ..last.current.payload().clone()
    });
    assert_eq!(last.refused(&new), CommitError::WrongRevision);
}

#[test]
fn a_record_names_the_one_it_replaces() {
    let setting = Setting::new();
    let mut hashes = vec![PayloadHash::from_bytes([0; 32])];
    hashes.extend(setting.current.previous);
    for hash in hashes {
        let new = setting.next(|payload| payload.previous = Some(hash));
        assert_eq!(setting.refused(&new), CommitError::WrongPrevious);
    }
}

#[test]
fn custody_does_not_go_back_to_one_click() {
    for setting in [Setting::new(), Setting::guarded()] {
        let new = setting.next_epoch(to_one_click);
        assert_eq!(setting.refused(&new), CommitError::CustodyReversed);
        let new = setting.next_epoch(|payload| {
            to_one_click(payload);
            payload.restore = true;
        });
        assert_eq!(
            setting.refused(&new),
            CommitError::CustodyReversed,
            "not by a restore either"
        );
    }
}

#[test]
fn epochs_stay_or_grow_by_one() {
    let setting = Setting::new();
    let now = setting.current.epoch;
    for epoch in [now - 1, now + 2, u32::MAX] {
        let new = setting.next_epoch(|payload| payload.epoch = epoch);
        assert_eq!(setting.refused(&new), CommitError::WrongEpoch, "{epoch}");
    }
    setting.check(&setting.next_epoch(|_| ())).unwrap();
}

#[test]
fn epochs_grow_where_shares_must_change() {
    let setting = Setting::new();
    type Edit = fn(&mut Payload);
    let edits: [Edit; 3] = [
        |payload| payload.factors.truncate(3),
        |payload| payload.threshold = 3,
        |payload| {
            payload.custody = Custody::Guarded;
            payload.nonce_hash = Some(NonceHash::from_bytes([7; 32]));
        },
    ];
    for edit in edits {
        assert_eq!(
            setting.refused(&setting.next(edit)),
            CommitError::WrongEpoch
        );
        setting.check(&setting.next_epoch(edit)).unwrap();
    }
    // Replacing a factor is removing one.
    let replace = |payload: &mut Payload| payload.factors[3] = setting.entry(5, 9);
    assert_eq!(
        setting.refused(&setting.next(replace)),
        CommitError::WrongEpoch
    );
    let one_click = Setting::one_click();
    let upgrade = |payload: &mut Payload| {
        payload.custody = Custody::SelfCustody;
        payload.nonce_hash = None;
        payload.threshold = 2;
        payload
            .factors
            .extend([one_click.entry(2, 2), one_click.entry(3, 3)]);
    };
    assert_eq!(
        one_click.refused(&one_click.next(upgrade)),
        CommitError::WrongEpoch
    );
    one_click.check(&one_click.next_epoch(upgrade)).unwrap();
}

#[test]
fn kept_entries_stay_as_they_are() {
    let setting = Setting::new();
    let other = factor(9);
    type Edit<'a> = Box<dyn Fn(&mut Payload) + 'a>;
    let edits: [Edit<'_>; 3] = [
        Box::new(|payload| payload.factors[3].index = 5),
        Box::new(|payload| payload.factors[3].envelope_key = other.envelope_key()),
        Box::new(|payload| payload.factors[3].binding = payload.factors[2].binding),
    ];
    for edit in edits {
        let changed = CommitError::ChangedEntry { index: 4 };
        assert_eq!(setting.refused(&setting.next(&edit)), changed);
        assert_eq!(setting.refused(&setting.next_epoch(&edit)), changed);
    }
    // Whoever restores may have moved a factor, but swaps no key either.
    let restore = |edit: &dyn Fn(&mut Payload)| {
        setting.next_epoch(|payload| {
            payload.restore = true;
            edit(payload);
        })
    };
    setting
        .check(&restore(&|payload| payload.factors[3].index = 5))
        .unwrap();
    let swapped = restore(&|payload| payload.factors[3].envelope_key = factor(9).envelope_key());
    assert_eq!(
        setting.refused(&swapped),
        CommitError::ChangedEntry { index: 4 }
    );
}

#[test]
fn indices_are_not_reused() {
    let setting = Setting::new();
    // 4 leaves and comes back as another factor; 3 leaves a gap that is filled.
    let reused = setting.next_epoch(|payload| payload.factors[3] = setting.entry(4, 9));
    assert_eq!(
        setting.refused(&reused),
        CommitError::ReusedIndex { index: 4 }
    );
    let filled = setting.next_epoch(|payload| payload.factors[2] = setting.entry(3, 9));
    assert_eq!(
        setting.refused(&filled),
        CommitError::ReusedIndex { index: 3 }
    );
    setting
        .check(&setting.next(|payload| payload.factors.push(setting.entry(5, 9))))
        .unwrap();
    setting
        .check(&setting.next(|payload| payload.factors.push(setting.entry(u32::MAX, 9))))
        .unwrap();
    // A restore brings factors back under the indices they had.
    let restored = setting.next_epoch(|payload| {
        payload.restore = true;
        payload.factors[2] = setting.entry(3, 9);
    });
    setting.check(&restored).unwrap();
}

#[test]
fn envelopes_change_exactly_when_the_epoch_does() {
    let setting = Setting::new();
    for at in 0..4 {
        let index = u32::try_from(at).unwrap() + 1;
        let lone = setting.next(|payload| {
            let hash = other_hash(&payload.factors[at].envelope_hash);
            payload.factors[at].envelope_hash = hash;
        });
        assert_eq!(setting.refused(&lone), CommitError::EnvelopeHash { index });
        let kept = setting.next_epoch(|payload| {
            payload.factors[at].envelope_hash = setting.current.factors[at].envelope_hash;
        });
        assert_eq!(setting.refused(&kept), CommitError::EnvelopeHash { index });
    }
}

#[test]
fn upgrades_and_thresholds_leave_a_spare_factor() {
    let setting = Setting::new();
    let all = setting.next_epoch(|payload| payload.threshold = 4);
    assert_eq!(setting.refused(&all), CommitError::NoSpareFactor);
    let fewer = setting.next_epoch(|payload| {
        payload.threshold = 3;
        payload.factors.truncate(3);
    });
    assert_eq!(setting.refused(&fewer), CommitError::NoSpareFactor);
    let one_click = Setting::one_click();
    for custody in [Custody::SelfCustody, Custody::Guarded] {
        let upgrade = one_click.next_epoch(|payload| {
            payload.custody = custody;
            if custody == Custody::SelfCustody {
                payload.nonce_hash = None;
            }
            payload.threshold = 2;
            payload.factors.push(one_click.entry(2, 2));
        });
        assert_eq!(one_click.refused(&upgrade), CommitError::NoSpareFactor);
    }
    // Removals down to m = t are the owner's to decide, also together with another custody.
    setting
        .check(&setting.next_epoch(|payload| payload.factors.truncate(2)))
        .unwrap();
    let guarded = setting.next_epoch(|payload| {
        payload.factors.truncate(2);
        payload.custody = Custody::Guarded;
        payload.nonce_hash = Some(NonceHash::from_bytes([7; 32]));
    });
    setting.check(&guarded).unwrap();
}

#[test]
fn a_restore_is_above_in_revision_and_epoch() {
    let setting = Setting::new();
    let restore = |revision, epoch| {
        setting.next_epoch(|payload| {
            payload.restore = true;
            (payload.revision, payload.epoch) = (revision, epoch);
            payload.previous = Some(PayloadHash::from_bytes([5; 32]));
        })
    };
    let (revision, epoch) = (setting.current.revision, setting.current.epoch);
    for (above, higher) in [(1, 1), (2, 9), (1_000_000, 1_000_000)] {
        let derived = setting
            .check(&restore(revision + above, epoch + higher))
            .unwrap();
        assert!(derived.restore);
        assert_eq!(derived.actions, BTreeSet::from([Action::Refresh]));
    }
    assert_eq!(
        setting.refused(&restore(revision, epoch + 1)),
        CommitError::WrongRevision
    );
    for lower in [epoch, epoch - 1] {
        assert_eq!(
            setting.refused(&restore(revision + 1, lower)),
            CommitError::WrongEpoch
        );
    }
}

#[test]
fn a_first_record_is_first() {
    let one_click = Setting::one_click();
    let first = one_click.current.payload();
    check_create(&one_click.current).unwrap();
    let wrong = [
        Payload {
            revision: 2,
            previous: Some(PayloadHash::from_bytes([5; 32])),
            ..first.clone()
        },
        Payload {
            epoch: 2,
            ..first.clone()
        },
        Payload {
            restore: true,
            ..first.clone()
        },
    ];
    for payload in wrong {
        assert_eq!(
            check_create(&one_click.sign(&payload)),
            Err(CommitError::NotFirst)
        );
    }
    let with = |entries: Vec<FactorEntry>| Payload {
        custody: Custody::SelfCustody,
        nonce_hash: None,
        threshold: 2,
        factors: first.factors.iter().cloned().chain(entries).collect(),
        ..first.clone()
    };
    let tight = one_click.sign(&with(vec![one_click.entry(2, 2)]));
    assert_eq!(check_create(&tight), Err(CommitError::NoSpareFactor));
    let spare = with(vec![one_click.entry(2, 2), one_click.entry(3, 3)]);
    check_create(&one_click.sign(&spare)).unwrap();
}

/// Each row of section 6, alone and together.
#[test]
fn derived_actions() {
    let (own, guarded) = (Setting::new(), Setting::guarded());
    let auth = AuthPrivateKey::from_seed(&[1; 32]).auth_key();
    let policy = Policy {
        nonce_release: Level::Elevated,
        ..Policy::default()
    };
    let hash = |byte| Some(NonceHash::from_bytes([byte; 32]));
    use Action::{AddFactor, ChangePolicy, Refresh, RemoveFactor, Reshare, Update};
    let rows: Vec<(&Setting, VerifiedRecord, &[Action], NonceChange)> = vec![
        (
            &own,
            own.next(|p| p.factors.push(own.entry(5, 9))),
            &[AddFactor],
            NonceChange::Keep,
        ),
        (
            &own,
            own.next_epoch(|p| p.factors.truncate(3)),
            &[RemoveFactor],
            NonceChange::Keep,
        ),
        (
            &own,
            own.next_epoch(|p| p.threshold = 3),
            &[Reshare],
            NonceChange::Keep,
        ),
        (
            &own,
            own.next(|p| p.policy = policy.clone()),
            &[ChangePolicy],
            NonceChange::Keep,
        ),
        (
            &own,
            own.next(|p| p.reset_key = auth),
            &[ChangePolicy],
            NonceChange::Keep,
        ),
        (
            &own,
            own.next_epoch(|p| (p.custody, p.nonce_hash) = (Custody::Guarded, hash(7))),
            &[ChangePolicy],
            NonceChange::Replace(NonceHash::from_bytes([7; 32])),
        ),
        (
            &guarded,
            guarded.next(|p| p.nonce_hash = hash(8)),
            &[ChangePolicy],
            NonceChange::Replace(NonceHash::from_bytes([8; 32])),
        ),
        (
            &guarded,
            guarded.next_epoch(|p| (p.custody, p.nonce_hash) = (Custody::SelfCustody, None)),
            &[ChangePolicy],
            NonceChange::Drop,
        ),
        (
            &guarded,
            guarded.next_epoch(|_| ()),
            &[Refresh],
            NonceChange::Keep,
        ),
        (
            &own,
            own.next(|p| p.state = flipped_blob(&p.state, 0)),
            &[Update],
            NonceChange::Keep,
        ),
        (
            &own,
            own.next(|p| p.vault = flipped_blob(&p.vault, 0)),
            &[Update],
            NonceChange::Keep,
        ),
        // A new epoch adds nothing to what already needs one, nor to what does not.
        (
            &own,
            own.next_epoch(|p| p.factors.push(own.entry(5, 9))),
            &[AddFactor],
            NonceChange::Keep,
        ),
        (
            &own,
            own.next_epoch(|p| {
                p.factors[3] = own.entry(5, 9);
                p.threshold = 3;
                p.policy = policy.clone();
                p.state = flipped_blob(&p.state, 0);
            }),
            &[AddFactor, RemoveFactor, Reshare, ChangePolicy],
            NonceChange::Keep,
        ),
    ];
    for (at, (setting, new, actions, nonce)) in rows.into_iter().enumerate() {
        let derived = setting.check(&new).unwrap();
        assert_eq!(
            derived.actions,
            actions.iter().copied().collect(),
            "row {at}"
        );
        assert_eq!(derived.nonce, nonce, "row {at}");
    }
}

#[test]
fn a_commit_needs_the_highest_level_among_its_actions() {
    let setting = Setting::new();
    let policy = Policy {
        actions: BTreeMap::from([
            (Action::RemoveFactor, Level::StepUp),
            (Action::AddFactor, Level::Elevated),
        ]),
        ..Policy::default()
    };
    let level = |new| setting.check(&new).unwrap().required(&policy);
    assert_eq!(level(setting.next(|_| ())), Level::Primary);
    assert_eq!(
        level(setting.next(|p| p.factors.push(setting.entry(5, 9)))),
        Level::Elevated
    );
    assert_eq!(
        level(setting.next_epoch(|p| p.factors[3] = setting.entry(5, 9))),
        Level::StepUp
    );
}

#[test]
fn each_refusal_has_its_code() {
    use CommitError as E;
    use ProblemCode as C;
    let table = [
        (E::NotFirst, C::BadRecord),
        (E::WrongAccountKey, C::WrongAccountKey),
        (E::WrongRevision, C::WrongRevision),
        (E::WrongPrevious, C::WrongPrevious),
        (E::CustodyReversed, C::CustodyReversed),
        (E::WrongEpoch, C::WrongEpoch),
        (E::ChangedEntry { index: 1 }, C::ChangedEntry),
        (E::ReusedIndex { index: 1 }, C::ChangedEntry),
        (E::EnvelopeHash { index: 1 }, C::EnvelopeHashMismatch),
        (E::NoSpareFactor, C::NoSpareFactor),
    ];
    for (error, code) in table {
        assert_eq!(error.code(), code);
        assert_eq!(code.status(), 422);
    }
}
