//! A secondary factor from its enrolment to its opening, with the evaluators' records in memory.

use std::collections::BTreeMap;

use serde_json::json;
use trefoil_protocol::account::GuessSeed;
use trefoil_protocol::change::{Change, NewFactor};
use trefoil_protocol::factor::{FactorKeys, FactorKind, FactorSecret};
use trefoil_protocol::guess::{
    DealtSlot, EvaluatorName, GuessRound, Guessable, Outcome, SlotError, SlotRecord, open_share,
};
use trefoil_protocol::record::Custody;

use crate::snapshots::snapshot;
use crate::support::*;

const RIGHT: [u8; 32] = [1; 32];
const WRONG: [u8; 32] = [2; 32];

/// The server at place 0 and the nodes, each with its record of one slot.
struct Evaluators(BTreeMap<u16, (EvaluatorName, SlotRecord)>);

impl Evaluators {
    fn enrol(dealt: &DealtSlot) -> Self {
        let names = dealt.slot.evaluators(SERVER);
        let requests = std::iter::once(&dealt.server).chain(&dealt.nodes);
        let records = names.zip(requests).map(|((index, name), request)| {
            let opened = request.open(&name).unwrap();
            let share = match index {
                0 => opened.content().share.as_bytes().to_vec(),
                _ => open_share(opened.content(), &slot_node(index))
                    .unwrap()
                    .to_vec(),
            };
            let record = opened.enrol(None, &share).unwrap().record.unwrap();
            // Once again changes nothing, and what is stored comes back.
            assert!(
                opened
                    .enrol(Some(&record), &share)
                    .unwrap()
                    .record
                    .is_none()
            );
            let record = SlotRecord::from_bytes(&record.expose_bytes()).unwrap();
            (index, (name, record))
        });
        Self(records.collect())
    }

    /// One guess at all of them, unlocked where it was right.
    fn guess(
        &mut self,
        dealt: &DealtSlot,
        seed: &GuessSeed,
        stretched: &[u8; 32],
        rng: &mut rand_chacha::ChaCha20Rng,
    ) -> Result<Outcome, SlotError> {
        let mut round = GuessRound::new(&dealt.slot, seed, 0, stretched, rng).unwrap();
        for (index, (name, record)) in &mut self.0 {
            let request = round.request(name.clone(), NOW);
            let counted = record.guess(&request, name, NOW, rng)?;
            if let Some(next) = counted.record {
                *record = next;
            }
            round.add(*index, &counted.answer).unwrap();
        }
        let outcome = round.finish().unwrap();
        if let Outcome::Right(secret) = &outcome {
            for (index, (name, record)) in &mut self.0 {
                let request = round.unlock(secret, name.clone(), *index, NOW);
                let unlocked = record.unlock(&request, name, NOW)?;
                if let Some(next) = unlocked.record {
                    *record = next;
                }
            }
        }
        Ok(outcome)
    }
}

#[test]
fn a_right_guess_opens_and_a_wrong_one_is_counted() {
    let mut rng = rng(1);
    let (mut stored, _) = one_click(&mut rng);
    let account = stored.open(&[factor(1)]).unwrap();
    let secret = FactorSecret::random(&mut rng);
    let pin = FactorKeys::derive(&tenant(), &secret);
    let mut change = Change {
        custody: Some(Custody::SelfCustody),
        add: primaries([2])
            .into_iter()
            .chain([NewFactor::present(FactorKind::Pin, "pin", pin.clone())])
            .collect(),
        ..Change::default()
    };
    let guessable = Guessable {
        subset: 0,
        stretched: &RIGHT,
    };
    let dealt = dealt_slot(
        &account,
        &change,
        (3, &secret),
        (5, 9),
        &[guessable],
        &mut rng,
    );
    change.add[1] = change.add[1].clone().slot(dealt.slot.clone());
    let mut evaluators = Evaluators::enrol(&dealt);
    stored.change(&[factor(1)], &change, &mut rng).unwrap();

    // The social factor opens the state and guesses with its own key.
    let opening = stored.begin(&[factor(1)]).unwrap();
    let (_, seed) = &opening.guess_seeds()[0];
    assert_eq!(opening.state().slots, std::slice::from_ref(&dealt.slot));
    for left in (1..10).rev() {
        let guessed = evaluators.guess(&dealt, seed, &WRONG, &mut rng).unwrap();
        assert!(matches!(guessed, Outcome::Wrong { left: found } if found == left));
    }
    // The last one opens, and opens all of it again.
    let guessed = evaluators.guess(&dealt, seed, &RIGHT, &mut rng).unwrap();
    let Outcome::Right(found) = guessed else {
        panic!("the right PIN is wrong");
    };
    assert_eq!(found, secret);
    let opened = stored.open(&[factor(1), pin]).unwrap();
    assert_eq!(opened.key(), account.key());
    for _ in 0..10 {
        evaluators.guess(&dealt, seed, &WRONG, &mut rng).unwrap();
    }
    assert_eq!(
        evaluators
            .guess(&dealt, seed, &RIGHT, &mut rng)
            .unwrap_err(),
        SlotError::Spent
    );
    // The other factor has guesses of its own.
    let other = stored.begin(&[factor(2)]).unwrap();
    let (_, seed) = &other.guess_seeds()[0];
    let guessed = evaluators.guess(&dealt, seed, &RIGHT, &mut rng).unwrap();
    assert!(matches!(guessed, Outcome::Right(_)));
}

/// Everything that goes over the wire from an enrolment to a recovery, with a fixed random source and fixed keys: what is known,
/// then an enrolment per evaluator (the server first), a guess and its answer per evaluator, an unlock per evaluator. Nobody
/// changes a label, a form or a derivation unawares.
#[test]
fn a_whole_enrolment_and_recovery_with_a_fixed_random_source() {
    let mut rng = rng(2026);
    let (_, account) = one_click(&mut rng);
    let secret = FactorSecret::random(&mut rng);
    let change = Change {
        add: primaries([2]),
        ..Change::default()
    };
    let guessable = Guessable {
        subset: 0,
        stretched: &RIGHT,
    };
    let dealt = dealt_slot(
        &account,
        &change,
        (3, &secret),
        (5, 9),
        &[guessable],
        &mut rng,
    );
    let known = json!({
        "secret": hex::encode(secret.expose_secret()),
        "stretched": hex::encode(RIGHT),
    });
    let mut sent = vec![
        known.to_string(),
        serde_json::to_string(&dealt.server).unwrap(),
    ];
    sent.extend(
        dealt
            .nodes
            .iter()
            .map(|node| serde_json::to_string(node).unwrap()),
    );
    let evaluators = Evaluators::enrol(&dealt);
    let seed = account.keys().guess_seed(1);
    let mut round = GuessRound::new(&dealt.slot, &seed, 0, &RIGHT, &mut rng).unwrap();
    for (index, (name, record)) in &evaluators.0 {
        let request = round.request(name.clone(), NOW);
        let counted = record.guess(&request, name, NOW, &mut rng).unwrap();
        sent.push(serde_json::to_string(&request).unwrap());
        sent.push(serde_json::to_string(&counted.answer).unwrap());
        round.add(*index, &counted.answer).unwrap();
    }
    let Outcome::Right(found) = round.finish().unwrap() else {
        panic!("the right PIN is wrong");
    };
    for (index, (name, _)) in &evaluators.0 {
        let request = round.unlock(&found, name.clone(), *index, NOW);
        sent.push(serde_json::to_string(&request).unwrap());
    }
    assert_eq!(found, secret);
    assert_eq!(sent.len(), 1 + 10 + 20 + 10);
    snapshot("guessing.jsonl", &sent.join("\n"));
}
