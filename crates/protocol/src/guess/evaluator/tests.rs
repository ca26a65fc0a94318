//! Any sequence of calls, also by attackers with real keys, against what every evaluator promises.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::record::Status;
use super::{Changed, SlotError, SlotRecord};
use crate::bytes::{AttemptId, Blob, GroupElement, SlotId};
use crate::factor::FactorSecret;
use crate::guess::{
    EnrolRequest, EvaluatorName, Guess, GuessAnswer, GuessList, GuessRequest, RecordError, Signed,
    SlotDeletion, SlotEnrolment, Unlock, UnlockRequest, UnlockTag, VERSION,
};
use crate::sign::AuthPrivateKey;
use crate::tenant::Tenant;

const NOW: u64 = 1_800_000_000;
const ALLOWED: u8 = 3;
/// Guess keys that exist; the first two are in the list at first.
const KEYS: u8 = 4;
/// Attempts that are made, by number. Others' attempts have the same ids.
const ATTEMPTS: u8 = 12;

fn slot() -> SlotId {
    SlotId::from_bytes([1; 16])
}

fn me() -> EvaluatorName {
    EvaluatorName::Server("https://meta.example".to_string())
}

fn admin() -> AuthPrivateKey {
    AuthPrivateKey::from_seed(&[100; 32])
}

fn key(number: u8) -> AuthPrivateKey {
    AuthPrivateKey::from_seed(&[number; 32])
}

fn secret() -> FactorSecret {
    FactorSecret::from_bytes([9; 32])
}

/// Nothing that would be found by chance, and a scalar.
fn share() -> [u8; 32] {
    let mut share = [0x5a; 32];
    share[31] = 1;
    share
}

fn list(number: u64, keys: &[u8]) -> Signed<GuessList> {
    let list = GuessList {
        version: VERSION,
        slot: slot(),
        number,
        keys: keys.iter().map(|number| key(*number).auth_key()).collect(),
    };
    Signed::sign(&list, &admin())
}

fn enrolled() -> SlotRecord {
    let enrolment = SlotEnrolment {
        version: VERSION,
        tenant: Tenant::new("acme").unwrap(),
        slot: slot(),
        evaluator: me(),
        index: 0,
        share: Blob::new(share().to_vec()),
        unlock_hash: UnlockTag::of(&secret(), &slot(), 0).hash(),
        allowed: ALLOWED,
        list: list(1, &[0, 1]),
    };
    let request = EnrolRequest {
        admin_key: admin().auth_key(),
        enrolment: Signed::sign(&enrolment, &admin()),
        permit: None,
    };
    let opened = request.open(&me()).unwrap();
    opened.enrol(None, &share()).unwrap().record.unwrap()
}

fn element(number: u8) -> GroupElement {
    let input = trefoil_oprf::Blinding::new(
        &[number; 32],
        &mut ChaCha20Rng::seed_from_u64(u64::from(number)),
    );
    GroupElement::from_bytes(*input.unwrap().element().as_bytes())
}

/// The element goes with the attempt's number, so that the same one again is the same.
fn guess(by: u8, attempt: u8, blinded: u8) -> GuessRequest {
    let guess = Guess {
        version: VERSION,
        slot: slot(),
        evaluator: me(),
        attempt: AttemptId::from_bytes([attempt; 16]),
        blinded: element(blinded),
        time: NOW,
    };
    GuessRequest {
        slot: slot(),
        key: key(by).auth_key(),
        guess: Signed::sign(&guess, &key(by)),
    }
}

fn unlock(by: u8, attempt: u8, right: bool) -> UnlockRequest {
    let secret = if right {
        secret()
    } else {
        FactorSecret::from_bytes([8; 32])
    };
    let unlock = Unlock {
        version: VERSION,
        slot: slot(),
        evaluator: me(),
        attempt: AttemptId::from_bytes([attempt; 16]),
        tag: UnlockTag::of(&secret, &slot(), 0),
        time: NOW,
    };
    UnlockRequest {
        slot: slot(),
        key: key(by).auth_key(),
        unlock: Signed::sign(&unlock, &key(by)),
    }
}

#[derive(Debug, Clone)]
enum Step {
    Guess { by: u8, attempt: u8, other: bool },
    Unlock { by: u8, attempt: u8, right: bool },
    List { number: u64, keys: Vec<u8> },
    Delete { by_admin: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let guess = (0..KEYS, 0..ATTEMPTS, prop::bool::weighted(0.1));
    let guess = guess.prop_map(|(by, attempt, other)| Step::Guess { by, attempt, other });
    let unlock = (0..KEYS, 0..ATTEMPTS, prop::bool::weighted(0.7));
    let unlock = unlock.prop_map(|(by, attempt, right)| Step::Unlock { by, attempt, right });
    let keys = prop::collection::btree_set(0..KEYS, 0..=usize::from(KEYS));
    let list = (1_u64..12, keys).prop_map(|(number, keys)| Step::List {
        number,
        keys: keys.into_iter().collect(),
    });
    let delete = prop::bool::weighted(0.3).prop_map(|by_admin| Step::Delete { by_admin });
    let step = prop_oneof![60 => guess, 20 => unlock, 8 => list, 1 => delete];
    prop::collection::vec(step, 1..60)
}

/// What the promises are held against: counted by the test and not by the record.
#[derive(Default)]
struct Seen {
    /// Answers to different attempts of each key since it was last unlocked or came into the list.
    answered: BTreeMap<u8, BTreeSet<u8>>,
    /// The attempt that has unlocked each key last.
    unlocked: BTreeMap<u8, u8>,
    answers: BTreeMap<(u8, u8), GuessAnswer>,
}

fn used(record: &SlotRecord, number: u8) -> Option<u8> {
    let (_, counter) = record.counter(&key(number).auth_key())?;
    Some(counter.used)
}

fn counters(record: &SlotRecord) -> Vec<Option<u8>> {
    (0..KEYS).map(|number| used(record, number)).collect()
}

/// Everyone's counters but one's.
fn others(record: &SlotRecord, number: u8) -> Vec<Option<u8>> {
    let mut counters = counters(record);
    counters.remove(usize::from(number));
    counters
}

/// Takes one step and holds it against the promises of that call.
fn take(record: &SlotRecord, step: &Step, seen: &mut Seen) -> Result<SlotRecord, TestCaseError> {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut next = record.clone();
    match step {
        Step::Guess { by, attempt, other } => {
            let blinded = if *other { ATTEMPTS + attempt } else { *attempt };
            let made = record.guess(&guess(*by, *attempt, blinded), &me(), NOW, &mut rng);
            if let Ok(Changed {
                record: changed,
                answer,
            }) = made
            {
                let of_key = seen.answered.entry(*by).or_default();
                let repeated = !of_key.insert(*attempt);
                prop_assert_eq!(
                    changed.is_none(),
                    repeated,
                    "a repeated attempt changes nothing"
                );
                // The attempt that unlocked is answered from before.
                let free = seen.unlocked.get(by).map_or(0, |_| 1);
                let most = usize::from(ALLOWED) + free;
                prop_assert!(of_key.len() <= most, "answers since the last unlock");
                if repeated {
                    let before = seen.answers.get(&(*by, *attempt)).unwrap();
                    prop_assert_eq!(before.evaluation, answer.evaluation);
                } else {
                    seen.answers.insert((*by, *attempt), answer);
                }
                if let Some(changed) = changed {
                    prop_assert_eq!(used(&changed, *by), used(record, *by).map(|used| used + 1));
                    prop_assert_eq!(
                        others(&changed, *by),
                        others(record, *by),
                        "others' counters"
                    );
                    let exhausted = counters(&changed)
                        .iter()
                        .flatten()
                        .all(|used| *used >= ALLOWED);
                    prop_assert_eq!(changed.status == Status::Destroyed, exhausted);
                    next = changed;
                }
            }
        }
        Step::Unlock { by, attempt, right } => {
            let made = record.unlock(&unlock(*by, *attempt, *right), &me(), NOW);
            if made.is_ok() {
                prop_assert!(right, "only the right tag unlocks");
            }
            if let Ok(Changed {
                record: Some(changed),
                answer,
            }) = made
            {
                prop_assert!(seen.answered.get(by).unwrap().contains(attempt));
                let before = seen.unlocked.insert(*by, *attempt);
                prop_assert_ne!(before, Some(*attempt), "once for each attempt");
                prop_assert_eq!((used(&changed, *by), answer.used), (Some(0), 0));
                prop_assert_eq!(
                    others(&changed, *by),
                    others(record, *by),
                    "others' counters"
                );
                prop_assert_eq!(changed.status, record.status);
                // The attempt that unlocked is answered again from now on without a count, and no other.
                seen.answered.insert(*by, BTreeSet::from([*attempt]));
                next = changed;
            }
        }
        Step::List { number, keys } => {
            if let Ok(Changed {
                record: Some(changed),
                ..
            }) = record.take_list(&list(*number, keys))
            {
                prop_assert!(changed.number > record.number);
                for number in 0..KEYS {
                    let kept = keys
                        .contains(&number)
                        .then(|| used(record, number).unwrap_or(0));
                    prop_assert_eq!(used(&changed, number), kept);
                    if kept.is_none() {
                        seen.answered.remove(&number);
                        seen.unlocked.remove(&number);
                    }
                }
                prop_assert_eq!(
                    changed.status,
                    record.status,
                    "a list alone destroys nothing"
                );
                next = changed;
            }
        }
        Step::Delete { by_admin } => {
            let deletion = SlotDeletion {
                version: VERSION,
                slot: slot(),
            };
            let by = if *by_admin { admin() } else { key(0) };
            let made = record.delete(&Signed::sign(&deletion, &by));
            prop_assert_eq!(made.is_ok(), *by_admin);
            if let Ok(Changed {
                record: Some(changed),
                ..
            }) = made
            {
                prop_assert!(!changed.is_held());
                next = changed;
            }
        }
    }
    Ok(next)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_calls_breaks_a_promise(steps in steps()) {
        let (mut record, mut seen) = (enrolled(), Seen::default());
        for step in &steps {
            let next = take(&record, step, &mut seen)?;
            // Never back: live, then destroyed, then deleted.
            prop_assert!(next.status as u8 >= record.status as u8);
            prop_assert_eq!(next.share.is_some(), next.status == Status::Live);
            prop_assert!(counters(&next).iter().flatten().all(|used| *used <= ALLOWED));
            for counter in &next.counters {
                prop_assert!(counter.attempts.len() <= usize::from(ALLOWED) + 1);
            }
            let bytes = next.expose_bytes();
            let holds = bytes.windows(32).any(|window| window == share());
            prop_assert_eq!(holds, next.status == Status::Live, "the key is there or is not");
            prop_assert_eq!(&SlotRecord::from_bytes(&bytes).unwrap(), &next);
            record = next;
        }
    }
}

#[test]
fn an_unlocked_attempt_does_not_count_as_a_guess_of_the_next_round() {
    let mut record = enrolled();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for attempt in 0..ALLOWED {
        let made = record.guess(&guess(0, attempt, attempt), &me(), NOW, &mut rng);
        record = made.unwrap().record.unwrap();
    }
    let made = record.unlock(&unlock(0, 2, true), &me(), NOW);
    record = made.unwrap().record.unwrap();
    for attempt in 3..3 + ALLOWED {
        let made = record.guess(&guess(0, attempt, attempt), &me(), NOW, &mut rng);
        record = made.unwrap().record.unwrap();
    }
    let refused = record.guess(&guess(0, 9, 9), &me(), NOW, &mut rng);
    assert_eq!(refused.unwrap_err(), SlotError::Spent);
    // What the attempts from before the unlock would be now: new guesses.
    let refused = record.guess(&guess(0, 0, 0), &me(), NOW, &mut rng);
    assert_eq!(refused.unwrap_err(), SlotError::Spent);
    let again = record.guess(&guess(0, 2, 2), &me(), NOW, &mut rng).unwrap();
    assert!(again.record.is_none());
}

#[test]
fn stored_bytes_that_are_cut_or_newer_are_refused() {
    let bytes = enrolled().expose_bytes();
    for cut in [0, 31, 32, 33, bytes.len() / 2, bytes.len() - 1] {
        let read = SlotRecord::from_bytes(&bytes[..cut]);
        assert_eq!(read.unwrap_err(), RecordError::Malformed, "{cut}");
    }
    let text = String::from_utf8(bytes[32..].to_vec()).unwrap();
    let changed = |text: String| SlotRecord::from_bytes(&[&bytes[..32], text.as_bytes()].concat());
    let newer = changed(text.replace("\"version\":1", "\"version\":2"));
    assert_eq!(newer.unwrap_err(), RecordError::UnknownVersion(2));
    for malformed in [
        text.replace("\"used\":0", "\"used\":256"),
        text.replace("\"live\"", "\"alive\""),
        text.replace("{\"version\"", "{\"more\":1,\"version\""),
        [&text, "x"].concat(),
    ] {
        assert_ne!(malformed, text);
        assert_eq!(changed(malformed).unwrap_err(), RecordError::Malformed);
    }
}

#[test]
fn debug_shows_no_share() {
    let shown = alloc::format!("{:?}", enrolled());
    assert!(shown.contains("StoredShare(redacted)"), "{shown}");
    for form in [
        hex(&share()),
        alloc::format!("{:?}", share()),
        crate::bytes::encode(&share()),
    ] {
        assert!(!shown.contains(&form), "{shown}");
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| alloc::format!("{byte:02x}"));
    digits.collect::<Vec<_>>().concat()
}

#[test]
fn nothing_is_taken_from_a_deleted_slot() {
    let record = enrolled().ended();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let gone = SlotError::Gone;
    let made = record.guess(&guess(0, 0, 0), &me(), NOW, &mut rng);
    assert_eq!(made.unwrap_err(), gone);
    let made = record.unlock(&unlock(0, 0, true), &me(), NOW);
    assert_eq!(made.unwrap_err(), gone);
    assert_eq!(record.take_list(&list(9, &[0])).unwrap_err(), gone);
    assert!(record.counters.is_empty());
    let bytes = record.expose_bytes();
    assert_eq!(bytes[..32], vec![0; 32]);
}
