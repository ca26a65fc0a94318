//! The state machine of a slot, request by request and history by history.

mod enrolments;
mod histories;
mod lists;
mod refusals;
mod stored;

use alloc::string::String;
use alloc::vec::Vec;
use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde::Serialize;
use trefoil_oprf::{Blinding, Input, KeyShare, NodeIndex};

use super::record::Status;
use super::{Changed, SlotError, SlotRecord};
use crate::bytes::{AttemptId, AuthKey, Blob, GroupElement, SlotId};
use crate::factor::FactorSecret;
use crate::guess::{
    EnrolRequest, EvaluatorName, Guess, GuessAnswer, GuessList, GuessRequest, SLOT_EPOCH, Signable,
    Signed, SlotDeletion, SlotEnrolment, Unlock, UnlockRequest, UnlockTag, VERSION,
};
use crate::sign::AuthPrivateKey;
use crate::tenant::Tenant;

const NOW: u64 = 1_800_000_000;
const INDEX: u16 = 3;
/// A scalar, and nothing that would be found by chance.
const SHARE: [u8; 32] = {
    let mut share = [0xa7; 32];
    share[31] = 2;
    share
};
const SECRET: FactorSecret = FactorSecret::from_bytes([21; 32]);

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn slot() -> SlotId {
    SlotId::from_bytes([7; 16])
}

fn admin() -> AuthPrivateKey {
    AuthPrivateKey::from_seed(&[8; 32])
}

/// The evaluator.
fn me() -> EvaluatorName {
    EvaluatorName::Node(AuthPrivateKey::from_seed(&[9; 32]).auth_key())
}

/// Guess keys are told apart by number.
fn private(key: u8) -> AuthPrivateKey {
    AuthPrivateKey::from_seed(&[key.wrapping_add(100); 32])
}

fn public(key: u8) -> AuthKey {
    private(key).auth_key()
}

fn attempt(number: u8) -> AttemptId {
    AttemptId::from_bytes([number; 16])
}

/// Blinded elements, told apart by number.
fn element(number: u8) -> GroupElement {
    let blinding = Blinding::new(&[number], &mut rng(u64::from(number))).unwrap();
    GroupElement::from_bytes(*blinding.element().as_bytes())
}

/// What the evaluator has to answer.
fn evaluated(blinded: &GroupElement) -> GroupElement {
    let share = KeyShare::from_bytes(NodeIndex::new(INDEX).unwrap(), &SHARE).unwrap();
    let blinded = trefoil_oprf::Element::from_bytes(blinded.as_bytes()).unwrap();
    let evaluation = share.evaluate(SLOT_EPOCH, &Input::guess(&blinded), &mut rng(1));
    GroupElement::from_bytes(*evaluation.expose_secret())
}

fn list(number: u64, keys: &[u8]) -> Signed<GuessList> {
    signed_list(slot(), number, keys, &admin())
}

fn signed_list(
    slot: SlotId,
    number: u64,
    keys: &[u8],
    admin: &AuthPrivateKey,
) -> Signed<GuessList> {
    let list = GuessList {
        version: VERSION,
        slot,
        number,
        keys: keys.iter().copied().map(public).collect(),
    };
    Signed::sign(&list, admin)
}

/// For the node, with the guess keys 1 and 2.
fn enrolment(allowed: u8) -> SlotEnrolment {
    SlotEnrolment {
        version: VERSION,
        tenant: Tenant::new("acme").unwrap(),
        slot: slot(),
        evaluator: me(),
        index: INDEX,
        share: Blob::new(Vec::from([1, 2, 3])),
        unlock_hash: UnlockTag::of(&SECRET, &slot(), INDEX).hash(),
        allowed,
        list: list(1, &[1, 2]),
    }
}

fn enrol_request(content: &SlotEnrolment) -> EnrolRequest {
    EnrolRequest {
        admin_key: admin().auth_key(),
        enrolment: Signed::sign(content, &admin()),
        permit: None,
        claim: None,
    }
}

fn enrolled(allowed: u8) -> SlotRecord {
    let opened = enrol_request(&enrolment(allowed)).open(&me()).unwrap();
    opened.enrol(None, &SHARE).unwrap().record.unwrap()
}

/// An honest guess, to be spoilt.
fn guess(attempt_number: u8, element_number: u8) -> Guess {
    Guess {
        version: VERSION,
        slot: slot(),
        evaluator: me(),
        attempt: attempt(attempt_number),
        blinded: element(element_number),
        time: NOW,
    }
}

fn guess_request(key: u8, guess: &Guess) -> GuessRequest {
    GuessRequest {
        slot: guess.slot,
        key: public(key),
        guess: Signed::sign(guess, &private(key)),
    }
}

/// Asks for an honest guess of that key.
fn ask(
    record: &SlotRecord,
    key: u8,
    attempt: u8,
    element: u8,
) -> Result<Changed<GuessAnswer>, SlotError> {
    let request = guess_request(key, &guess(attempt, element));
    record.guess(&request, &me(), NOW, &mut rng(u64::from(attempt)))
}

/// Makes a guess that is counted.
fn counted(record: &mut SlotRecord, key: u8, attempt: u8) -> GuessAnswer {
    let changed = ask(record, key, attempt, attempt).unwrap();
    *record = changed.record.expect("counted");
    changed.answer
}

/// An honest unlocking.
fn unlock(attempt_number: u8) -> Unlock {
    Unlock {
        version: VERSION,
        slot: slot(),
        evaluator: me(),
        attempt: attempt(attempt_number),
        tag: UnlockTag::of(&SECRET, &slot(), INDEX),
        time: NOW,
    }
}

fn unlock_request(key: u8, unlock: &Unlock) -> UnlockRequest {
    UnlockRequest {
        slot: unlock.slot,
        key: public(key),
        unlock: Signed::sign(unlock, &private(key)),
    }
}

fn deletion(slot: SlotId, key: &AuthPrivateKey) -> Signed<SlotDeletion> {
    let deletion = SlotDeletion {
        version: VERSION,
        slot,
    };
    Signed::sign(&deletion, key)
}

/// Anything at all, signed as a `T` is.
fn signed_json<T: Signable>(json: &serde_json::Value, key: &AuthPrivateKey) -> Signed<T> {
    signed_bytes(serde_json::to_vec(json).unwrap(), key)
}

fn signed_bytes<T: Signable>(bytes: Vec<u8>, key: &AuthPrivateKey) -> Signed<T> {
    let signature = key.sign(T::LABEL, &bytes);
    let form = BTreeMap::from([
        ("body", serde_json::to_value(Blob::new(bytes)).unwrap()),
        ("signature", serde_json::to_value(signature).unwrap()),
    ]);
    serde_json::from_value(serde_json::to_value(form).unwrap()).unwrap()
}

/// A form as JSON, with one of its fields replaced.
fn with(
    form: &impl Serialize,
    field: &str,
    value: impl Into<serde_json::Value>,
) -> serde_json::Value {
    let mut json = serde_json::to_value(form).unwrap();
    json[field] = value.into();
    json
}

/// How often each guess key has been counted.
fn used(record: &SlotRecord) -> BTreeMap<AuthKey, u8> {
    let counters = record.counters.iter();
    counters
        .map(|counter| (counter.key, counter.used))
        .collect()
}

fn no_change<T>(changed: &Changed<T>) -> bool {
    changed.record.is_none()
}

fn text(value: &impl core::fmt::Debug) -> String {
    alloc::format!("{value:?}")
}
