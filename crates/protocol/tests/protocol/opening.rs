//! Creating, and opening with every set of factors that may and may not.

use std::collections::BTreeMap;

use trefoil_protocol::account::{AccountKeys, ed25519_wallet_seed};
use trefoil_protocol::bytes::{Envelope, SealedNonce};
use trefoil_protocol::change::{Accepted, Change, ChangeError, create};
use trefoil_protocol::envelope::{self, Place};
use trefoil_protocol::factor::{EnrolmentError, FactorKeys, FactorKind, FactorSecret};
use trefoil_protocol::nonce::NonceKey;
use trefoil_protocol::opening::{Opening, OpeningError};
use trefoil_protocol::record::{Custody, Payload};
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::state::{MAX_LABEL, State, StateError, StateKey};
use trefoil_protocol::tenant::Tenant;
use trefoil_shares::{KeyScalar, ReconstructError, Share};

use crate::support::*;

#[test]
fn one_click_opens_with_the_social_login_and_the_nonce() {
    let mut rng = rng(1);
    let (stored, made) = one_click(&mut rng);
    assert_eq!(stored.record.custody, Custody::OneClick);
    assert_eq!((stored.record.revision, stored.record.epoch), (1, 1));
    let opening = stored.begin(&[factor(1)]).unwrap();
    assert!(opening.needs_nonce());
    assert_eq!(opening.missing(), 0);
    assert_eq!(opening.state().factors[0].kind, FactorKind::Social);
    assert_eq!(
        opening.complete(None).unwrap_err(),
        OpeningError::NonceNeeded
    );
    let account = opening.complete(stored.nonce.as_ref()).unwrap();
    assert_eq!(account.key(), made.key());
    assert_eq!(*account.public_key(), account.key().public_point());
    assert!(!account.mfa_is_on());
}

#[test]
fn an_imported_key_is_kept_as_it_is() {
    let mut rng = rng(2);
    let key = KeyScalar::random(&mut rng);
    let import = |key: &KeyScalar, rng: &mut _| {
        let hints = BTreeMap::from([(String::from("verifier"), String::from("google"))]);
        let label = String::from("google");
        create(
            &tenant(),
            factor(1),
            label,
            hints,
            Some(key.clone()),
            NOW,
            rng,
        )
    };
    let prepared = import(&key, &mut rng).unwrap();
    let stored = Stored::created(&prepared);
    let account = stored.open(&[factor(1)]).unwrap();
    assert_eq!(*account.key(), key);
    assert_eq!(*account.public_key(), key.public_point());
    assert_eq!(
        account.keys().id(),
        AccountKeys::derive(&tenant(), &key).id()
    );
    assert_eq!(
        ed25519_wallet_seed(account.key()),
        ed25519_wallet_seed(&key)
    );
    assert_eq!(account.state().factors[0].hints["verifier"], "google");

    // The same key again names the same account, which is how a server tells: `account_exists`.
    let again = import(&key, &mut rng).unwrap();
    assert_eq!(again.record().account_id, prepared.record().account_id);
    assert_ne!(again.record().hash(), prepared.record().hash());

    // The key that is the factor's own half would need a nonce of zero.
    let nonce = NonceKey::one_click(&factor(1));
    let nonce = nonce.open(stored.nonce.as_ref().unwrap(), &stored.record.account_id);
    let half = key.secret_for(&nonce.unwrap()).unwrap();
    assert_eq!(
        import(&half.into(), &mut rng).unwrap_err(),
        ChangeError::DegenerateKey
    );
}

#[test]
fn an_over_long_label_is_refused_at_creation() {
    let label = "x".repeat(MAX_LABEL + 1);
    let made = create(
        &tenant(),
        factor(1),
        label,
        BTreeMap::new(),
        None,
        NOW,
        &mut rng(3),
    );
    assert_eq!(made.unwrap_err(), ChangeError::LabelTooLong);
}

#[test]
fn every_pair_of_three_opens_and_no_single_one() {
    let mut rng = rng(4);
    let (mut stored, made) = one_click(&mut rng);
    let (_, upgraded) = stored
        .change(&[factor(1)], &upgrade(2, 3), &mut rng)
        .unwrap();
    assert_eq!(upgraded.key(), made.key());
    assert!(stored.nonce.is_none(), "the nonce ends with the upgrade");
    for pair in subsets(&numbered(1..=3), 2) {
        for pair in [pair.clone(), pair.into_iter().rev().collect()] {
            let account = stored.open(&pair).unwrap();
            assert_eq!(account.key(), made.key());
            assert_eq!(account.record().account_id, made.record().account_id);
            assert_eq!(account.state().mfa.since, Some(NOW));
        }
    }
    for one in numbered(1..=3) {
        let opening = stored.begin(&[one]).unwrap();
        assert_eq!(opening.missing(), 1);
        assert_eq!(opening.state().factors.len(), 3);
        let OpeningError::Shares(error) = opening.complete(None).unwrap_err() else {
            panic!("one share is too few");
        };
        assert_eq!(
            error,
            ReconstructError::TooFew {
                have: 1,
                threshold: 2
            }
        );
        assert_eq!(error.missing(), 1);
    }
}

#[test]
fn every_subset_of_every_size() {
    for m in 2..=5_u8 {
        for t in 2..=4.min(m) {
            let mut rng = rng(u64::from(m) * 10 + u64::from(t));
            // m = t is reached only by removing a factor.
            let (mut stored, made) = self_custody(t, m.max(t + 1), &mut rng);
            if m == t {
                let remove = Change {
                    remove: vec![u32::from(t) + 1],
                    accepted: Accepted {
                        no_spare_factor: true,
                        ..Accepted::default()
                    },
                    ..Change::default()
                };
                stored.change(&numbered(1..=t), &remove, &mut rng).unwrap();
            }
            let factors = numbered(1..=m);
            for size in 1..=usize::from(m) {
                for subset in subsets(&factors, size) {
                    let opening = stored.begin(&subset).unwrap();
                    let missing = usize::from(t).saturating_sub(size);
                    assert_eq!(opening.missing(), missing);
                    match opening.complete(None) {
                        Ok(account) => {
                            assert_eq!(missing, 0);
                            assert_eq!(account.key(), made.key());
                        }
                        Err(OpeningError::Shares(error)) => {
                            assert_eq!(error.missing() as usize, missing);
                            assert!(missing > 0);
                        }
                        Err(other) => panic!("{other}"),
                    }
                }
            }
        }
    }
}

#[test]
fn factors_that_do_not_belong_are_named() {
    let mut rng = rng(5);
    let (stored, _) = self_custody(2, 3, &mut rng);
    assert_eq!(
        stored.begin(&[factor(9)]).unwrap_err(),
        OpeningError::NotEnrolled
    );
    assert_eq!(
        stored.begin(&numbered([1, 9])).unwrap_err(),
        OpeningError::NotEnrolled
    );
    assert_eq!(
        stored.begin(&numbered([1, 1])).unwrap_err(),
        OpeningError::AlreadyGiven
    );
    let elsewhere = Tenant::new("other").unwrap();
    let same_secret = FactorKeys::derive(&elsewhere, &FactorSecret::from_bytes([1; 32]));
    assert_eq!(
        stored.begin(&[same_secret]).unwrap_err(),
        OpeningError::NotEnrolled
    );

    // A refused factor does not spoil what was accepted before.
    let mut opening = stored.begin(&[factor(1)]).unwrap();
    let envelope = stored.envelope(&factor(2)).unwrap().clone();
    opening.add(factor(1), &envelope).unwrap_err();
    opening.add(factor(9), &envelope).unwrap_err();
    opening.add(factor(3), &envelope).unwrap_err();
    opening.add(factor(2), &envelope).unwrap();
    assert_eq!(opening.held().len(), 2);
    opening.complete(None).unwrap();
}

#[test]
fn an_envelope_that_is_not_the_records_is_stale_or_foreign() {
    let mut rng = rng(6);
    let (mut stored, _) = self_custody(2, 3, &mut rng);
    let before = stored.clone();
    let refresh = Change {
        refresh: true,
        ..Change::default()
    };
    stored
        .change(&numbered([1, 2]), &refresh, &mut rng)
        .unwrap();
    let begin = |record: &Stored, keys: FactorKeys, envelope: &Envelope| {
        Opening::begin(record.record.clone(), keys, envelope).unwrap_err()
    };
    let (one, two) = (factor(1), factor(2));
    let stale = OpeningError::StaleEnvelope { index: 1 };
    // Of the epoch before, of the epoch after, another factor's, damaged.
    assert_eq!(begin(&stored, one.clone(), &before.envelopes[&1]), stale);
    assert_eq!(begin(&before, one.clone(), &stored.envelopes[&1]), stale);
    assert_eq!(begin(&stored, one.clone(), &stored.envelopes[&2]), stale);
    let bytes = stored.envelopes[&1].as_bytes();
    for at in 0..bytes.len() {
        let damaged = Envelope::new(flipped(bytes, at));
        assert_eq!(begin(&stored, one.clone(), &damaged), stale);
        let cut = Envelope::new(bytes[..at].to_vec());
        assert_eq!(begin(&stored, one.clone(), &cut), stale);
    }
    let long = Envelope::new([bytes, b"x"].concat());
    assert_eq!(begin(&stored, one.clone(), &long), stale);
    let mut opening = stored.begin(&[one]).unwrap();
    assert_eq!(
        opening.add(two, &before.envelopes[&2]).unwrap_err(),
        OpeningError::StaleEnvelope { index: 2 }
    );
}

#[test]
fn a_nonce_that_is_not_the_records_is_refused() {
    let mut rng = rng(7);
    let (stored, _) = one_click(&mut rng);
    let (other, _) = one_click(&mut rng);
    let opening = stored.begin(&[factor(1)]).unwrap();
    let bytes = stored.nonce.as_ref().unwrap().as_bytes();
    let mut bad = vec![other.nonce.clone().unwrap(), SealedNonce::new(Vec::new())];
    bad.extend((0..bytes.len()).map(|at| SealedNonce::new(flipped(bytes, at))));
    bad.extend((0..bytes.len()).map(|at| SealedNonce::new(bytes[..at].to_vec())));
    bad.push(SealedNonce::new([bytes, b"x"].concat()));
    for nonce in bad {
        assert_eq!(
            opening.complete(Some(&nonce)).unwrap_err(),
            OpeningError::WrongNonce
        );
    }
    // Where the record names none, one that is offered is ignored.
    let (stored, made) = self_custody(2, 3, &mut rng);
    let opening = stored.begin(&numbered([2, 3])).unwrap();
    assert!(!opening.needs_nonce());
    let account = opening.complete(other.nonce.as_ref()).unwrap();
    assert_eq!(account.key(), made.key());
}

#[test]
fn an_account_of_the_servers_own_making_is_refused() {
    let mut rng = rng(8);
    let (honest, _) = self_custody(2, 3, &mut rng);
    // The server has its own key and factors, signs properly, and puts the victim's entry into its record. What it cannot
    // make is the victim's binding and proof.
    let (mut own, _) = one_click(&mut rng);
    let change = Change {
        add: primaries([20, 21]),
        ..upgrade(2, 1)
    };
    let (_, mallory) = own.change(&[factor(1)], &change, &mut rng).unwrap();
    let foreign = own.record.payload();
    let victim = honest.record.factor(2).unwrap().enrolment();
    assert_eq!(
        victim.verify(&foreign.account_id, &foreign.account_auth_key),
        Err(EnrolmentError::Proof)
    );
    assert_eq!(
        victim.verify_binding(&factor(2), &foreign.account_id, &foreign.account_auth_key),
        Err(EnrolmentError::Binding)
    );
    // With the victim's auth key stolen as well it could make the proof, and still not the binding.
    let thief = factor(2);
    let mut stolen = thief.enrol(&foreign.account_id, &foreign.account_auth_key);
    stolen.binding = victim.binding;
    let accomplice = trefoil_protocol::change::NewFactor::absent(FactorKind::Device, "", stolen);
    let change = Change {
        add: vec![accomplice],
        ..Change::default()
    };
    let prepared = mallory.prepare(&change, NOW, &mut rng).unwrap();
    own.commit(&prepared).unwrap();
    assert_eq!(
        own.begin(&[factor(2)]).unwrap_err(),
        OpeningError::Foreign(EnrolmentError::Binding)
    );
}

#[test]
fn state_and_record_must_agree() {
    let mut rng = rng(9);
    let (stored, account) = self_custody(2, 3, &mut rng);
    let (keys, auth) = (factor(1), account.keys().auth());
    type Edit = fn(&mut State);
    let edits: [Edit; 6] = [
        |state| state.commitments.truncate(1),
        |state| state.nonce_point = Some(state.public_key),
        |state| state.factors.truncate(2),
        |state| state.factors[2].index = 7,
        |state| state.factors.swap(0, 1),
        |state| state.next_index = 3,
    ];
    for edit in edits {
        let forged = stored.forge(&keys, auth, |_, state| edit(state), &mut rng);
        assert_eq!(
            forged.begin(&[factor(1)]).unwrap_err(),
            OpeningError::Inconsistent
        );
    }
    // Commitments of another polynomial name the shares, another public key names the key.
    let (_, other) = self_custody(2, 3, &mut rng);
    let forged = stored.forge(
        &keys,
        auth,
        |_, state| state.commitments = other.state().commitments.clone(),
        &mut rng,
    );
    let error = forged.open(&numbered([1, 2])).unwrap_err();
    assert!(
        matches!(&error, OpeningError::Shares(shares) if shares.bad_indices().len() == 2),
        "{error}"
    );
    let public_key = *other.public_key();
    let forged = stored.forge(
        &keys,
        auth,
        |_, state| state.public_key = public_key,
        &mut rng,
    );
    assert_eq!(
        forged.open(&numbered([1, 2])).unwrap_err(),
        OpeningError::WrongKey
    );
}

/// The account's own hand, with a broken client: an envelope in its place that holds something else.
fn with_contents(
    stored: &Stored,
    auth: &AuthPrivateKey,
    number: u8,
    edit: impl FnOnce(&mut envelope::Contents),
) -> Stored {
    let keys = factor(number);
    let index = u32::from(number);
    let place = Place {
        account_id: stored.record.account_id,
        epoch: stored.record.epoch,
        index,
    };
    let mut contents = envelope::open(&stored.envelopes[&index], &keys, place).unwrap();
    edit(&mut contents);
    let made = envelope::seal(&contents, &keys.envelope_key(), place, &mut rng(12)).unwrap();
    let at = usize::from(number) - 1;
    let set =
        |payload: &mut Payload, _: &mut State| payload.factors[at].envelope_hash = made.hash();
    let mut forged = stored.forge(&factor(3), auth, set, &mut rng(13));
    forged.envelopes.insert(index, made);
    forged
}

#[test]
fn an_envelope_that_contradicts_its_record_never_gives_another_key() {
    let mut rng = rng(11);
    let (stored, account) = self_custody(2, 3, &mut rng);
    let auth = account.keys().auth();
    let (both, others) = (numbered([1, 2]), numbered([1, 3]));

    let other_state = with_contents(&stored, auth, 2, |contents| {
        contents.state_key = StateKey::from_bytes([7; 32]);
    });
    assert_eq!(
        other_state.begin(&both).unwrap_err(),
        OpeningError::StaleEnvelope { index: 2 }
    );
    assert_eq!(
        other_state.begin(&numbered([2])).unwrap_err(),
        OpeningError::State(StateError::Sealed)
    );
    let no_share = with_contents(&stored, auth, 2, |contents| contents.share = None);
    assert_eq!(
        no_share.begin(&both).unwrap_err(),
        OpeningError::Inconsistent
    );
    let wrong_share = with_contents(&stored, auth, 2, |contents| {
        contents.share = Some(Share::from_parts(2, &[7; 32]).unwrap());
    });
    let error = wrong_share.open(&both).unwrap_err();
    let OpeningError::Shares(error) = error else {
        panic!("{error}");
    };
    assert_eq!(
        error
            .bad_indices()
            .iter()
            .map(|i| i.get())
            .collect::<Vec<_>>(),
        [2]
    );
    // One more good factor is what is missing, and with it the account opens.
    assert_eq!(error.missing(), 1);
    for forged in [other_state, no_share, wrong_share] {
        assert_eq!(forged.open(&others).unwrap().key(), account.key());
    }
}

#[test]
fn a_record_around_another_accounts_shares_is_not_opened() {
    let mut rng = rng(14);
    let (stored, account) = self_custody(2, 3, &mut rng);
    let (other, _) = self_custody(2, 3, &mut rng);
    let auth = account.keys().auth();
    // Shares, commitments and public key agree with one another; only the account's own key says that they are not its own.
    let mut forged = stored.clone();
    for number in 1..=2 {
        let place = Place {
            account_id: other.record.account_id,
            epoch: other.record.epoch,
            index: number.into(),
        };
        let theirs = &other.envelopes[&number.into()];
        let theirs = envelope::open(theirs, &factor(number), place).unwrap();
        forged = with_contents(&forged, auth, number, |contents| {
            contents.share = theirs.share
        });
    }
    let (theirs, _) = other.state(&factor(1));
    let swap = |_: &mut Payload, state: &mut State| {
        state.public_key = theirs.public_key;
        state.commitments.clone_from(&theirs.commitments);
    };
    let forged = forged.forge(&factor(3), auth, swap, &mut rng);
    assert_eq!(
        forged.open(&numbered([1, 2])).unwrap_err(),
        OpeningError::WrongKey
    );
}

#[test]
fn the_nonce_is_the_one_that_the_state_knows() {
    let mut rng = rng(15);
    let (stored, account) = one_click(&mut rng);
    let point = *account.public_key();
    let forged = stored.forge(
        &factor(1),
        account.keys().auth(),
        |_, state| state.nonce_point = Some(point),
        &mut rng,
    );
    assert_eq!(
        forged.open(&numbered([1])).unwrap_err(),
        OpeningError::WrongNonce
    );
}
