//! Any sequence of requests, against a model of section 10. Cases that once failed are kept in
//! `tests/proptest-regressions` and must be committed.

use std::collections::BTreeSet;
use std::vec;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Guess { key: u8, attempt: u8, element: u8 },
    Unlock { key: u8, attempt: u8, right: bool },
    List { number: u64, keys: BTreeSet<u8> },
    Delete { right: bool },
    Enrol,
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..4_u8;
    let attempt = 0..8_u8;
    prop_oneof![
        12 => (key.clone(), attempt.clone(), 0..8_u8).prop_map(|(key, attempt, shift)| Step::Guess {
            key,
            attempt,
            // Now and then another element for the same attempt.
            element: attempt % 3 + u8::from(shift == 0),
        }),
        3 => (key.clone(), attempt, 0..4_u8).prop_map(|(key, attempt, right)| Step::Unlock {
            key,
            attempt,
            right: right > 0,
        }),
        2 => (1..12_u64, proptest::collection::btree_set(key, 0..4)).prop_map(|(number, keys)| Step::List { number, keys }),
        1 => (0..4_u8).prop_map(|right| Step::Delete { right: right == 0 }),
        1 => Just(Step::Enrol),
    ]
}

/// A counter as section 10 describes it.
#[derive(Debug, Clone, Default)]
struct Model {
    used: u8,
    /// By attempt: which element, and whether it has unlocked.
    attempts: BTreeMap<u8, (u8, bool)>,
}

#[derive(Debug)]
struct History {
    record: SlotRecord,
    allowed: u8,
    counters: BTreeMap<u8, Model>,
    number: u64,
    destroyed: bool,
    deleted: bool,
    /// New attempts that each key was answered since its last unlocking, counted from outside.
    answered: BTreeMap<u8, u8>,
    /// What each attempt was answered, since it is known.
    answers: BTreeMap<(u8, u8), GuessAnswer>,
}

impl History {
    fn new(allowed: u8) -> Self {
        Self {
            record: enrolled(allowed),
            allowed,
            counters: [1, 2].map(|key| (key, Model::default())).into(),
            number: 1,
            destroyed: false,
            deleted: false,
            answered: BTreeMap::new(),
            answers: BTreeMap::new(),
        }
    }

    fn take(&mut self, step: &Step) {
        let before = self.record.clone();
        let acting = match step {
            Step::Guess {
                key,
                attempt,
                element,
            } => {
                self.guess(*key, *attempt, *element);
                Some(*key)
            }
            Step::Unlock {
                key,
                attempt,
                right,
            } => {
                self.unlock(*key, *attempt, *right);
                Some(*key)
            }
            Step::List { number, keys } => {
                self.list(*number, keys);
                None
            }
            Step::Delete { right } => {
                self.delete(*right);
                None
            }
            Step::Enrol => {
                let again = enrol_request(&enrolment(self.allowed)).open(&me()).unwrap();
                match again.enrol(Some(&self.record), &SHARE) {
                    Ok(changed) => assert!(no_change(&changed) && !self.destroyed && !self.deleted),
                    Err(error) => {
                        assert_eq!(error, SlotError::Gone);
                        assert!(self.destroyed || self.deleted);
                    }
                }
                None
            }
        };
        self.check(&before, acting);
    }

    fn guess(&mut self, key: u8, attempt: u8, element: u8) {
        let asked = ask(&self.record, key, attempt, element);
        let allowed = self.allowed;
        let model = self.counters.get_mut(&key).filter(|_| !self.deleted);
        let expected = match &model {
            _ if self.deleted => Err(SlotError::Gone),
            None => Err(SlotError::UnknownKey),
            Some(model) => match model.attempts.get(&attempt) {
                Some((made, _)) if *made == element => Ok(false),
                Some(_) => Err(SlotError::AttemptReused),
                None if self.destroyed => Err(SlotError::Gone),
                None if model.used >= allowed => Err(SlotError::Spent),
                None => Ok(true),
            },
        };
        let (asked, new) = match (asked, expected) {
            (Ok(asked), Ok(new)) => (asked, new),
            (asked, expected) => {
                assert_eq!(asked.map(|_| ()), expected.map(|_| ()));
                return;
            }
        };
        assert_eq!(asked.answer.evaluation, evaluated(&super::element(element)));
        let model = model.unwrap();
        if new {
            model.used += 1;
            model.attempts.insert(attempt, (element, false));
            *self.answered.entry(key).or_default() += 1;
            self.answers.insert((key, attempt), asked.answer.clone());
            if self.counters.values().all(|model| model.used >= allowed) {
                self.destroyed = true;
            }
            self.record = asked.record.expect("counted");
        } else {
            assert!(no_change(&asked));
            let first = &self.answers[&(key, attempt)];
            assert_eq!(
                (first.evaluation, first.proof),
                (asked.answer.evaluation, asked.answer.proof)
            );
        }
        let count = asked.answer.count;
        assert_eq!(count.used, self.counters[&key].used);
        assert_eq!((count.allowed, count.list), (allowed, self.number));
        assert_eq!(count.live, !self.destroyed);
        let spent = self.counters.values().any(|model| model.used >= allowed);
        assert_eq!(count.spent, spent);
    }

    fn unlock(&mut self, key: u8, attempt: u8, right: bool) {
        let mut content = super::unlock(attempt);
        if !right {
            content.tag = UnlockTag::from_bytes([1; 32]);
        }
        let asked = self
            .record
            .unlock(&unlock_request(key, &content), &me(), NOW);
        let model = self.counters.get_mut(&key).filter(|_| !self.deleted);
        let expected = match &model {
            _ if self.deleted => Err(SlotError::Gone),
            None => Err(SlotError::UnknownKey),
            Some(model) => match model.attempts.get(&attempt) {
                Some((_, unlocked)) if right => Ok(!unlocked),
                _ => Err(SlotError::WrongUnlock),
            },
        };
        match (asked, expected) {
            (Ok(asked), Ok(true)) => {
                let model = model.unwrap();
                model.used = 0;
                model.attempts.retain(|made, _| *made == attempt);
                model.attempts.get_mut(&attempt).unwrap().1 = true;
                self.answered.insert(key, 0);
                assert_eq!(asked.answer.used, 0);
                assert_eq!(asked.answer.live, !self.destroyed);
                self.record = asked.record.expect("unlocked");
            }
            (Ok(asked), Ok(false)) => assert!(no_change(&asked)),
            (asked, expected) => assert_eq!(asked.map(|_| ()), expected.map(|_| ())),
        }
    }

    fn list(&mut self, number: u64, keys: &BTreeSet<u8>) {
        let keys: Vec<u8> = keys.iter().copied().collect();
        let taken = self.record.take_list(&super::list(number, &keys));
        if self.deleted {
            assert_eq!(taken.unwrap_err(), SlotError::Gone);
            return;
        }
        let taken = taken.unwrap();
        if number <= self.number {
            assert!(no_change(&taken));
        } else {
            self.number = number;
            let mut before = std::mem::take(&mut self.counters);
            let kept = |key: &u8| (*key, before.remove(key).unwrap_or_default());
            self.counters = keys.iter().map(kept).collect();
            // A key that comes back later is a new one.
            self.answered.retain(|key, _| keys.contains(key));
            self.record = taken.record.expect("taken");
        }
        assert_eq!(taken.answer.list, self.number);
    }

    fn delete(&mut self, right: bool) {
        let key = if right { admin() } else { private(1) };
        let deleted = self.record.delete(&deletion(slot(), &key));
        if !right {
            assert!(matches!(deleted.unwrap_err(), SlotError::Signed(_)));
            return;
        }
        let deleted = deleted.unwrap();
        assert_eq!(deleted.record.is_none(), self.deleted);
        if let Some(record) = deleted.record {
            self.record = record;
        }
        self.deleted = true;
        self.counters.clear();
    }

    /// What holds after every step, whatever it was. `acting` is the guess key that acted.
    fn check(&self, before: &SlotRecord, acting: Option<u8>) {
        let now = &self.record;
        for counter in &now.counters {
            assert!(counter.used <= self.allowed);
            assert!(counter.attempts.len() <= usize::from(self.allowed) + 1);
        }
        assert!(
            self.answered
                .values()
                .all(|answered| *answered <= self.allowed)
        );
        let model = self.counters.iter();
        let model: BTreeMap<AuthKey, u8> = model
            .map(|(key, model)| (public(*key), model.used))
            .collect();
        assert_eq!(used(now), model);
        if let Some(acting) = acting {
            for old in before
                .counters
                .iter()
                .filter(|counter| counter.key != public(acting))
            {
                assert!(now.counters.contains(old), "another key's counter changed");
            }
        }
        let status = match (self.deleted, self.destroyed) {
            (true, _) => Status::Deleted,
            (_, true) => Status::Destroyed,
            _ => Status::Live,
        };
        assert_eq!(now.status, status);
        assert_eq!(now.share.is_some(), status == Status::Live);
        let bytes = now.expose_bytes();
        assert_eq!(SlotRecord::from_bytes(&bytes).unwrap(), *now);
        let left = bytes.windows(32).any(|window| window == SHARE);
        assert_eq!(left, status == Status::Live);
        // What ended never lives again.
        match before.status {
            Status::Live => {}
            Status::Destroyed => assert_ne!(now.status, Status::Live),
            Status::Deleted => assert_eq!(now.status, Status::Deleted),
        }
        let destroyed_now = before.status == Status::Live && now.status == Status::Destroyed;
        if destroyed_now {
            assert!(acting.is_some());
            assert!(
                now.counters
                    .iter()
                    .all(|counter| counter.used == self.allowed)
            );
        }
    }
}

const REGRESSIONS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/proptest-regressions/slots.txt"
);

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: Some(std::boxed::Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_history_keeps_to_the_counts(
        allowed in 1..=3_u8,
        steps in proptest::collection::vec(step(), 1..=60),
    ) {
        let mut history = History::new(allowed);
        for step in &steps {
            history.take(step);
        }
    }
}

#[test]
fn a_thief_of_one_key_spends_nothing_of_another() {
    let mut history = History::new(3);
    let thief = (0..8).flat_map(|attempt| {
        vec![
            Step::Guess {
                key: 1,
                attempt,
                element: attempt % 3,
            },
            Step::Unlock {
                key: 1,
                attempt,
                right: false,
            },
        ]
    });
    for step in thief {
        history.take(&step);
    }
    assert_eq!(
        used(&history.record),
        BTreeMap::from([(public(1), 3), (public(2), 0)])
    );
    history.take(&Step::Guess {
        key: 2,
        attempt: 1,
        element: 1,
    });
    assert!(history.record.share.is_some());
}
