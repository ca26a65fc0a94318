//! The attacker's side of protocol.md section 13, as far as it is decided by what is stored: no network here, only what a
//! thief, an operator or a malicious server could compute.

use trefoil_protocol::bytes::{Envelope, SealedNonce};
use trefoil_protocol::change::Change;
use trefoil_protocol::commit::check_commit;
use trefoil_protocol::envelope::{self, EnvelopeError, Place};
use trefoil_protocol::factor::{EnrolmentError, FactorKeys, FactorSecret};
use trefoil_protocol::nonce::NonceKey;
use trefoil_protocol::opening::{Opening, OpeningError};
use trefoil_protocol::record::{Custody, Payload, RecordError, SignedPayload};
use trefoil_protocol::state::{State, StateError, StateKey};
use trefoil_protocol::tenant::Tenant;
use trefoil_shares::{Commitments, KeyScalar, ReconstructError, Share, SharedSecret, reconstruct};

use crate::support::*;

fn places(stored: &Stored) -> impl Iterator<Item = (Place, &Envelope)> {
    let record = &stored.record;
    record.factors.iter().map(|entry| {
        let place = Place {
            account_id: record.account_id,
            epoch: record.epoch,
            index: entry.index,
        };
        (place, &stored.envelopes[&entry.index])
    })
}

fn share(stored: &Stored, number: u8) -> Share {
    let keys = factor(number);
    let entry = stored.record.factor_at(&keys.locator()).unwrap();
    let (place, envelope) = places(stored)
        .find(|(place, _)| place.index == entry.index)
        .unwrap();
    envelope::open(envelope, &keys, place)
        .unwrap()
        .share
        .unwrap()
}

/// Nothing in the dump opens with these keys.
fn opens_nothing(stored: &Stored, keys: &FactorKeys) {
    assert_eq!(
        stored.begin(std::slice::from_ref(keys)).unwrap_err(),
        OpeningError::NotEnrolled
    );
    for (place, envelope) in places(stored) {
        assert_eq!(
            envelope::open(envelope, keys, place),
            Err(EnvelopeError::Sealed)
        );
    }
    if let Some(nonce) = &stored.nonce {
        assert!(
            NonceKey::one_click(keys)
                .open(nonce, &stored.record.account_id)
                .is_err()
        );
    }
}

/// Every 32 bytes that stand in a dump, taken for a secret.
fn strings_of(stored: &Stored) -> Vec<[u8; 32]> {
    let record = &stored.record;
    let mut all = vec![
        [0; 32],
        *record.account_auth_key.as_bytes(),
        *record.reset_key.as_bytes(),
        *record.hash().as_bytes(),
    ];
    all.extend(record.nonce_hash.iter().map(|hash| *hash.as_bytes()));
    for entry in &record.factors {
        all.extend([
            *entry.locator.as_bytes(),
            *entry.auth_key.as_bytes(),
            *entry.envelope_key.as_bytes(),
            *entry.binding.as_bytes(),
            *entry.envelope_hash.as_bytes(),
        ]);
    }
    let blobs = stored.envelopes.values().map(Envelope::as_bytes);
    let blobs = blobs.chain([record.state.as_bytes(), record.vault.as_bytes()]);
    let blobs = blobs.chain(stored.nonce.as_ref().map(SealedNonce::as_bytes));
    for blob in blobs {
        let windows = blob.windows(32).step_by(8);
        all.extend(windows.map(|window| <[u8; 32]>::try_from(window).unwrap()));
    }
    all
}

#[test]
fn a_dump_of_everything_without_a_factor_opens_nothing() {
    let mut rng = rng(1);
    let (mut stored, account) = one_click(&mut rng);
    let mut dump = vec![stored.clone()];
    stored
        .change(&[factor(1)], &upgrade(2, 3), &mut rng)
        .unwrap();
    dump.push(stored.clone());
    let guarded = Change {
        custody: Some(Custody::Guarded),
        ..Change::default()
    };
    stored
        .change(&numbered([1, 2]), &guarded, &mut rng)
        .unwrap();
    dump.push(stored);
    for stored in &dump {
        let record = &stored.record;
        for guess in strings_of(stored) {
            opens_nothing(
                stored,
                &FactorKeys::derive(&tenant(), &FactorSecret::from_bytes(guess)),
            );
            let opened = State::open(
                &record.state,
                &StateKey::from_bytes(guess),
                &record.account_id,
                record.epoch,
            );
            assert_eq!(opened, Err(StateError::Sealed));
            if let Ok(scalar) = SharedSecret::from_bytes(&guess) {
                assert_ne!(scalar.public_point(), *account.public_key());
            }
        }
        // Neither the address nor any label, kind or time is there to be read.
        let json = serde_json::to_string(record.signed()).unwrap();
        let payload = String::from_utf8(record.signed().payload.as_bytes().to_vec()).unwrap();
        for text in [json, payload] {
            for hidden in ["google", "device", "social", "phrase", &NOW.to_string()] {
                assert!(!text.contains(hidden), "{hidden}");
            }
        }
        let point = account.public_key().to_bytes();
        let bytes = record.signed().payload.as_bytes();
        assert!(!bytes.windows(32).any(|window| *window == point[1..]));
    }
}

#[test]
fn one_factor_and_everything_stored_opens_nothing_more() {
    let mut rng = rng(2);
    for m in [3, 5] {
        let (stored, account) = self_custody(2, m, &mut rng);
        for number in 1..=m {
            let keys = factor(number);
            let own = stored.record.factor_at(&keys.locator()).unwrap().index;
            for (place, envelope) in places(&stored) {
                // Not another's envelope, nor one's own in another place.
                let opened = envelope::open(envelope, &keys, place);
                assert_eq!(opened.is_ok(), place.index == own);
                let moved = envelope::open(&stored.envelopes[&own], &keys, place);
                assert_eq!(moved.is_ok(), place.index == own);
            }
            let (state, _) = stored.state(&keys);
            let commitments = Commitments::from_points(state.commitments).unwrap();
            let share = share(&stored, number);
            let alone = reconstruct(&commitments, std::slice::from_ref(&share));
            assert_eq!(alone.unwrap_err().missing(), 1);
            let twice = [share.clone(), share.clone()];
            assert_eq!(
                reconstruct(&commitments, &twice).unwrap_err(),
                ReconstructError::DuplicateIndex {
                    index: share.index()
                }
            );
            // The same value under another index, zero, a guess: never another key.
            for value in [*share.expose_secret(), [0; 32], [1; 32]] {
                let made_up = Share::from_parts(own + 1, &value).unwrap();
                let error = reconstruct(&commitments, &[share.clone(), made_up]).unwrap_err();
                assert_eq!(error.missing(), 1);
            }
            let as_key = KeyScalar::from_bytes(&share.expose_secret()).unwrap();
            assert_ne!(as_key.public_point(), *account.public_key());
        }
    }
}

#[test]
fn one_factor_signs_no_record() {
    let mut rng = rng(3);
    let (stored, _) = self_custody(2, 3, &mut rng);
    // A thief of factor 1 removes the others and hands the account to itself.
    let payload = Payload {
        revision: stored.record.revision + 1,
        previous: Some(stored.record.hash()),
        ..stored.record.payload().clone()
    };
    let signed = SignedPayload::sign(&payload, factor(1).auth());
    assert_eq!(
        signed.verify(&tenant()).unwrap_err(),
        RecordError::BadSignature
    );
    let own = Payload {
        account_auth_key: factor(1).auth_key(),
        account_id: trefoil_protocol::bytes::AccountId::of(&factor(1).auth_key()),
        ..payload
    };
    let signed = SignedPayload::sign(&own, factor(1).auth());
    assert!(matches!(
        signed.verify(&tenant()).unwrap_err(),
        RecordError::BadFactor {
            index: 1,
            source: EnrolmentError::Proof
        }
    ));
}

#[test]
fn a_removed_factor_and_the_current_record_open_nothing() {
    let mut rng = rng(4);
    let (mut stored, made) = self_custody(2, 4, &mut rng);
    let before = stored.clone();
    let remove = Change {
        remove: vec![3],
        ..Change::default()
    };
    stored.change(&numbered([1, 2]), &remove, &mut rng).unwrap();
    let thief = factor(3);
    assert_eq!(
        stored.begin(std::slice::from_ref(&thief)).unwrap_err(),
        OpeningError::NotEnrolled
    );
    for (place, envelope) in places(&stored) {
        assert_eq!(
            envelope::open(envelope, &thief, place),
            Err(EnvelopeError::Sealed)
        );
        let old = &before.envelopes[&3];
        assert_eq!(
            envelope::open(old, &thief, place),
            Err(EnvelopeError::Sealed)
        );
    }
    // Its old state key does not read the new state.
    let (_, old_key) = before.state(&thief);
    let record = &stored.record;
    assert_eq!(
        State::open(&record.state, &old_key, &record.account_id, record.epoch),
        Err(StateError::Sealed)
    );
    // Together with one current factor it still has one share only: t-1 of the new polynomial.
    let (state, _) = stored.state(&factor(1));
    let commitments = Commitments::from_points(state.commitments).unwrap();
    let mixed = [share(&stored, 1), share(&before, 3)];
    let error = reconstruct(&commitments, &mixed).unwrap_err();
    assert_eq!(error.bad_indices(), [share(&before, 3).index()]);

    // What protocol.md grants: a full old record, its envelope there and one more old one are the key.
    assert_eq!(before.open(&numbered([3, 1])).unwrap().key(), made.key());
}

#[test]
fn a_dump_from_before_the_upgrade_opens_the_old_record_and_not_the_new() {
    let mut rng = rng(5);
    let (mut stored, made) = one_click(&mut rng);
    let both_stores = stored.clone();
    stored
        .change(&[factor(1)], &upgrade(2, 3), &mut rng)
        .unwrap();
    let social = factor(1);
    // As documented: the social login with the dump of both stores has the key for ever.
    assert_eq!(
        both_stores
            .open(std::slice::from_ref(&social))
            .unwrap()
            .key(),
        made.key()
    );
    // Without the nonce store it has one factor.
    let record_only = Stored {
        nonce: None,
        ..both_stores.clone()
    };
    assert_eq!(
        record_only.open(std::slice::from_ref(&social)).unwrap_err(),
        OpeningError::NonceNeeded
    );
    // The new record, with the old nonce or without, is one share of two.
    for nonce in [None, both_stores.nonce.as_ref()] {
        let opening = stored.begin(std::slice::from_ref(&social)).unwrap();
        let Err(OpeningError::Shares(error)) = opening.complete(nonce) else {
            panic!("one factor opened the upgraded account");
        };
        assert_eq!(error.missing(), 1);
    }
    // The old envelope is of no use with the new record.
    assert_eq!(
        Opening::begin(stored.record.clone(), social, &both_stores.envelopes[&1]).unwrap_err(),
        OpeningError::StaleEnvelope { index: 1 }
    );
}

#[test]
fn a_server_that_edits_entries_is_refused() {
    let mut rng = rng(6);
    let (stored, _) = self_custody(2, 3, &mut rng);
    let own = factor(99);
    type Edit<'a> = &'a dyn Fn(&mut Payload);
    let edits: [Edit<'_>; 8] = [
        &|p| p.factors[1].envelope_key = own.envelope_key(),
        &|p| p.factors[1].binding = p.factors[0].binding,
        &|p| p.factors[1].locator = own.locator(),
        &|p| p.factors[1].envelope_hash = p.factors[0].envelope_hash,
        &|p| p.factors.swap(0, 1),
        &|p| p.factors.truncate(2),
        &|p| p.threshold = 3,
        &|p| p.reset_key = own.auth_key(),
    ];
    for edit in edits {
        let mut payload = stored.record.payload().clone();
        edit(&mut payload);
        // It has no account key: neither the old signature nor its own holds.
        let resigned = SignedPayload::sign(&payload, own.auth());
        assert_eq!(
            resigned.verify(&tenant()).unwrap_err(),
            RecordError::BadSignature
        );
        let kept = SignedPayload {
            signature: stored.record.signed().signature,
            ..resigned
        };
        assert_eq!(
            kept.verify(&tenant()).unwrap_err(),
            RecordError::BadSignature
        );
    }
}

#[test]
fn a_malicious_app_on_an_owners_device_cannot_redirect_another_factor() {
    // Someone with account auth, say a device that was sold, could sign anything. The factors still see through it, and so
    // does the server where the entry was known before.
    let mut rng = rng(7);
    let (stored, account) = self_custody(2, 3, &mut rng);
    let thief = factor(99);
    let forged = stored.forge(
        &factor(1),
        account.keys().auth(),
        |payload, _| {
            payload.revision += 1;
            payload.previous = Some(stored.record.hash());
            payload.factors[1].envelope_key = thief.envelope_key();
        },
        &mut rng,
    );
    assert!(check_commit(&stored.record, &forged.record).is_err());
    assert_eq!(
        forged.begin(&[factor(2)]).unwrap_err(),
        OpeningError::Foreign(EnrolmentError::Binding)
    );
}

#[test]
fn guarded_needs_the_release_even_with_every_factor() {
    let mut rng = rng(8);
    let (mut stored, made) = self_custody(2, 3, &mut rng);
    let guarded = Change {
        custody: Some(Custody::Guarded),
        ..Change::default()
    };
    stored
        .change(&numbered([1, 2]), &guarded, &mut rng)
        .unwrap();
    let all = numbered(1..=3);
    let opening = stored.begin(&all).unwrap();
    assert_eq!(
        opening.complete(None).unwrap_err(),
        OpeningError::NonceNeeded
    );
    let (state, _) = stored.state(&factor(1));
    let commitments = Commitments::from_points(state.commitments).unwrap();
    let shares: Vec<Share> = (1..=3).map(|number| share(&stored, number)).collect();
    let secret = reconstruct(&commitments, &shares).unwrap();
    assert_ne!(KeyScalar::from(secret.clone()), *made.key());
    // The stored nonce without t factors is sealed, whatever single factor is tried.
    let nonce = stored.nonce.as_ref().unwrap();
    for keys in &all {
        assert!(
            NonceKey::one_click(keys)
                .open(nonce, &stored.record.account_id)
                .is_err()
        );
    }
    // t factors and the server's dump are the key, as protocol.md says.
    let released = NonceKey::guarded(&tenant(), &secret);
    let released = released.open(nonce, &stored.record.account_id).unwrap();
    assert_eq!(
        KeyScalar::from_parts(&secret, &released).unwrap(),
        *made.key()
    );
}

#[test]
fn another_tenant_with_the_same_factor_secret_opens_nothing() {
    let mut rng = rng(9);
    let elsewhere = Tenant::new("other").unwrap();
    for stored in [one_click(&mut rng).0, self_custody(2, 3, &mut rng).0] {
        for number in 1..=3 {
            let secret = FactorSecret::from_bytes([number; 32]);
            opens_nothing(&stored, &FactorKeys::derive(&elsewhere, &secret));
        }
    }
}

#[test]
fn two_accounts_of_one_user_share_nothing_a_server_could_link() {
    let mut rng = rng(10);
    let (first, _) = self_custody(2, 3, &mut rng);
    let (second, _) = self_custody(2, 3, &mut rng);
    // The same factors in two accounts of one tenant have the same locators, which is why a factor belongs to one account;
    // what is bound to the account differs, and nothing of one opens in the other.
    for (ours, theirs) in first.record.factors.iter().zip(&second.record.factors) {
        assert_ne!(ours.binding, theirs.binding);
        assert_ne!(ours.proof, theirs.proof);
    }
    for (place, _) in places(&first) {
        let crossed = envelope::open(&second.envelopes[&place.index], &factor(1), place);
        assert_eq!(crossed, Err(EnvelopeError::Sealed));
    }
}
