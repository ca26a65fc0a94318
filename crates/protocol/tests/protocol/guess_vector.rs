//! A whole enrolment and recovery from a fixed random source: slot 5 of 9. A change here breaks slots that are enrolled.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use trefoil_protocol::account::AccountKeys;
use trefoil_protocol::bytes::{Blob, SlotId};
use trefoil_protocol::factor::FactorSecret;
use trefoil_protocol::guess::{
    DealtSlot, EvaluatorName, GuessRound, Guessable, Knowledge, NewSlot, NodePlace, Outcome,
    SlotRecord, StretchCost, open_share,
};
use trefoil_shares::KeyScalar;

use crate::support::*;

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

/// A line of the file: what it is and what it says.
fn say(out: &mut String, what: &str, value: impl std::fmt::Display) {
    writeln!(out, "{what}: {value}").unwrap();
}

fn hash(value: &impl serde::Serialize) -> String {
    hex::encode(Sha256::digest(json(value)))
}

#[test]
fn a_whole_enrolment_and_recovery() {
    let mut rng = rng(42);
    let mut out = String::new();
    let account = AccountKeys::derive(&tenant(), &KeyScalar::random(&mut rng));
    let secret = FactorSecret::random(&mut rng);
    let stretched = [1; 32];
    let nodes: Vec<NodePlace> = (1..=9)
        .map(|index| NodePlace {
            index,
            identity_key: slot_identity(index).auth_key(),
            hpke_key: slot_node(index).public(),
            url: format!("https://node{index}.example"),
        })
        .collect();
    let new = NewSlot {
        tenant: &tenant(),
        id: SlotId::random(&mut rng),
        factor: 2,
        factors: &[1, 2, 3],
        revision: 2,
        server: SERVER,
        nodes: &nodes,
        threshold: 5,
        allowed: 10,
        knowledge: Knowledge::Pin { rule: 1 },
        stretch: StretchCost {
            memory_kib: 64,
            passes: 1,
            lanes: 1,
            salt: Blob::new(vec![7; 16]),
        },
        now: NOW,
    };
    let guessable = Guessable {
        subset: 0,
        stretched: &stretched,
    };
    let dealt = DealtSlot::deal(&new, &account, &secret, &[guessable], &mut rng).unwrap();
    say(
        &mut out,
        "factor secret",
        hex::encode(secret.expose_secret()),
    );
    say(&mut out, "slot", json(&dealt.slot));
    let requests: Vec<_> = std::iter::once(&dealt.server).chain(&dealt.nodes).collect();
    for (index, request) in requests.iter().enumerate() {
        say(
            &mut out,
            &format!("enrolment {index}, sha256"),
            hash(request),
        );
    }
    say(&mut out, "enrolment 0", json(&dealt.server));
    let evaluators: Vec<(u16, EvaluatorName)> = dealt.slot.evaluators(SERVER).collect();
    let mut records: Vec<SlotRecord> = Vec::new();
    for ((index, name), request) in evaluators.iter().zip(&requests) {
        let opened = request.open(name).unwrap();
        let share = match index {
            0 => opened.content().share.as_bytes().to_vec(),
            _ => open_share(opened.content(), &slot_node(*index))
                .unwrap()
                .to_vec(),
        };
        let record = opened.enrol(None, &share).unwrap().record.unwrap();
        let stored = hex::encode(Sha256::digest(record.expose_bytes()));
        say(&mut out, &format!("record {index}, sha256"), stored);
        records.push(record);
    }

    let seed = account.guess_seed(1);
    let mut round = GuessRound::new(&dealt.slot, &seed, 0, &stretched, &mut rng).unwrap();
    // The server and the nodes that five remain of.
    for place in [0, 2, 3, 5, 8, 9_usize] {
        let (index, name) = &evaluators[place];
        let request = round.request(name.clone(), NOW);
        say(&mut out, &format!("guess {index}"), json(&request));
        let guessed = records[place].guess(&request, name, NOW, &mut rng).unwrap();
        say(&mut out, &format!("answer {index}"), json(&guessed.answer));
        records[place] = guessed.record.unwrap();
        round.add(*index, &guessed.answer).unwrap();
    }
    let Ok(Outcome::Right(recovered)) = round.finish() else {
        panic!("the right PIN is wrong");
    };
    assert!(recovered == secret);
    say(
        &mut out,
        "recovered factor secret",
        hex::encode(recovered.expose_secret()),
    );
    let (index, name) = &evaluators[2];
    let unlock = round.unlock(&recovered, name.clone(), *index, NOW);
    say(&mut out, "unlock 2", json(&unlock));
    let unlocked = records[2].unlock(&unlock, name, NOW).unwrap();
    say(&mut out, "unlocked 2", json(&unlocked.answer));
    let record = unlocked.record.unwrap().expose_bytes();
    say(
        &mut out,
        "record 2 after it",
        String::from_utf8_lossy(&record[32..]),
    );
    // On purpose there is no switch that rewrites the file.
    for (line, (got, expected)) in out
        .lines()
        .zip(include_str!("../snapshots/guess.txt").lines())
        .enumerate()
    {
        assert_eq!(got, expected, "tests/snapshots/guess.txt line {}", line + 1);
    }
    assert_eq!(out, include_str!("../snapshots/guess.txt"));
}
