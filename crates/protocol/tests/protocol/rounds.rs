//! A client's part of a guess, among evaluators that lie. Cases that once failed are kept in
//! `tests/proptest-regressions` and must be committed.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use rand_chacha::ChaCha20Rng;
use trefoil_oprf::EvaluationError;
use trefoil_protocol::account::{AccountKeys, GuessSeed};
use trefoil_protocol::bytes::{Blob, DleqProof, GroupElement, SlotId};
use trefoil_protocol::factor::FactorSecret;
use trefoil_protocol::guess::{
    AnswerFault, DealError, DealtSlot, EvaluatorName, GuessAnswer, GuessError, GuessRound,
    Guessable, Knowledge, NewSlot, NodePlace, Outcome, SlotRecord, StretchCost, open_share,
};
use trefoil_shares::KeyScalar;

use crate::support::*;

const T: u16 = 3;
pub(crate) const N: u16 = 5;
const ALLOWED: u8 = 10;
const SECRET: FactorSecret = FactorSecret::from_bytes([77; 32]);
pub(crate) const RIGHT: Guessable<'static> = Guessable {
    subset: 0,
    stretched: &[1; 32],
};
const WRONG: [u8; 32] = [2; 32];

fn account() -> AccountKeys {
    AccountKeys::derive(&tenant(), &KeyScalar::random(&mut rng(5)))
}

/// Of the social factor, 1; the slot is that of factor 2.
fn seed() -> GuessSeed {
    account().guess_seed(1)
}

pub(crate) fn places(count: u16) -> Vec<NodePlace> {
    let place = |index| NodePlace {
        index,
        identity_key: slot_identity(index).auth_key(),
        hpke_key: slot_node(index).public(),
        url: format!("https://node{index}.example"),
    };
    (1..=count).map(place).collect()
}

/// Deals a slot, of which `spoil` changes what is to be made.
pub(crate) fn deal_with(
    nodes: &[NodePlace],
    guessables: &[Guessable<'_>],
    rng: &mut impl rand_core::CryptoRng,
    spoil: impl FnOnce(&mut NewSlot<'_>),
) -> Result<DealtSlot, DealError> {
    let tenant = tenant();
    let mut new = NewSlot {
        tenant: &tenant,
        id: SlotId::from_bytes([6; 16]),
        factor: 2,
        factors: &[1, 2],
        revision: 2,
        server: SERVER,
        nodes,
        threshold: T,
        allowed: ALLOWED,
        knowledge: Knowledge::Pin { rule: 1 },
        stretch: StretchCost {
            memory_kib: 64,
            passes: 1,
            lanes: 1,
            salt: Blob::new(vec![7; 16]),
        },
        now: NOW,
    };
    spoil(&mut new);
    DealtSlot::deal(&new, &account(), &SECRET, guessables, rng)
}

/// A slot with its evaluators, whose records stay as they were at first unless they are told otherwise.
pub(crate) struct World {
    pub(crate) dealt: DealtSlot,
    evaluators: BTreeMap<u16, (EvaluatorName, SlotRecord)>,
    rng: ChaCha20Rng,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = rng(seed);
        let dealt = deal_with(&places(N), &[RIGHT], &mut rng, |_| {}).unwrap();
        let requests = std::iter::once(&dealt.server).chain(&dealt.nodes);
        let evaluators = dealt.slot.evaluators(SERVER).zip(requests);
        let evaluators = evaluators.map(|((index, name), request)| {
            let opened = request.open(&name).unwrap();
            let share = match index {
                0 => opened.content().share.as_bytes().to_vec(),
                _ => open_share(opened.content(), &slot_node(index))
                    .unwrap()
                    .to_vec(),
            };
            let record = opened.enrol(None, &share).unwrap().record.unwrap();
            (index, (name, record))
        });
        Self {
            evaluators: evaluators.collect(),
            dealt,
            rng,
        }
    }

    fn round(&mut self, stretched: &[u8; 32]) -> GuessRound {
        GuessRound::new(&self.dealt.slot, &seed(), 0, stretched, &mut self.rng).unwrap()
    }

    /// The honest answer; nothing stays counted.
    fn answer(&mut self, round: &GuessRound, index: u16) -> GuessAnswer {
        let (name, record) = &self.evaluators[&index];
        let request = round.request(name.clone(), NOW);
        let guessed = record.guess(&request, name, NOW, &mut self.rng);
        guessed.unwrap().answer
    }
}

#[test]
fn answers_that_are_not_used() {
    let mut world = World::new(1);
    let mut round = world.round(RIGHT.stretched);
    let honest = world.answer(&round, 1);
    let mut refusal = |index: u16, answer: &GuessAnswer| round.add(index, answer).unwrap_err();
    let refuted = |fault: AnswerFault| {
        assert!(
            matches!(fault, AnswerFault::Evaluation(EvaluationError::Refuted(_))),
            "{fault:?}"
        );
    };
    // At a place that is not its own, and at none.
    for place in [0, 2, N] {
        refuted(refusal(place, &honest));
    }
    for place in [N + 1, u16::MAX] {
        assert_eq!(refusal(place, &honest), AnswerFault::UnknownPlace(place));
    }
    // With the parts of two answers.
    let mut other_round = world.round(RIGHT.stretched);
    let other = world.answer(&other_round, 1);
    for mixed in [
        other.clone(),
        GuessAnswer {
            proof: other.proof,
            ..honest.clone()
        },
        GuessAnswer {
            evaluation: other.evaluation,
            ..honest.clone()
        },
    ] {
        refuted(refusal(1, &mixed));
    }
    other_round.add(1, &other).unwrap();
    for bytes in [[0; 32], [0xff; 32]] {
        let bad = GuessAnswer {
            evaluation: GroupElement::from_bytes(bytes),
            ..honest.clone()
        };
        assert!(matches!(
            refusal(1, &bad),
            AnswerFault::Evaluation(EvaluationError::Value(_))
        ));
    }
    let bad = GuessAnswer {
        proof: DleqProof::from_bytes([0xff; 64]),
        ..honest.clone()
    };
    assert!(matches!(
        refusal(1, &bad),
        AnswerFault::Evaluation(EvaluationError::Proof(_))
    ));
    // Counts that cannot be: above what is allowed, none at all, or of another number of guesses than the slot's.
    for (used, allowed) in [
        (ALLOWED + 1, ALLOWED),
        (0, ALLOWED),
        (0, 0),
        (1, ALLOWED + 1),
        (1, 1),
        (u8::MAX, u8::MAX),
    ] {
        let mut bad = honest.clone();
        (bad.count.used, bad.count.allowed) = (used, allowed);
        assert_eq!(refusal(1, &bad), AnswerFault::Count, "{used} of {allowed}");
    }
    // Nothing of all that stands in the way of the honest answer, which is taken once.
    round.add(1, &honest).unwrap();
    assert_eq!(round.add(1, &honest), Err(AnswerFault::Twice));
    assert_eq!(round.missing(), (usize::from(T) - 1, true));
}

#[test]
fn too_few_answers_say_what_is_missing() {
    let mut world = World::new(2);
    let mut round = world.round(RIGHT.stretched);
    for index in 1..=T {
        let missing = usize::from(T - index) + 1;
        assert_eq!(
            round.finish().unwrap_err(),
            GuessError::Missing {
                nodes: missing,
                server: 1
            }
        );
        let answer = world.answer(&round, index);
        round.add(index, &answer).unwrap();
    }
    assert_eq!(
        round.finish().unwrap_err(),
        GuessError::Missing {
            nodes: 0,
            server: 1
        }
    );
    let answer = world.answer(&round, 0);
    round.add(0, &answer).unwrap();
    assert!(matches!(round.finish(), Ok(Outcome::Right(secret)) if secret == SECRET));
}

#[test]
fn a_state_that_describes_no_slot() {
    let mut world = World::new(3);
    let good = world.dealt.slot.clone();
    let mut refusal = |slot: &trefoil_protocol::guess::Slot, subset: u16| {
        let round = GuessRound::new(slot, &seed(), subset, RIGHT.stretched, &mut world.rng);
        round.map(|_| ()).unwrap_err()
    };
    assert_eq!(refusal(&good, 1), GuessError::UnknownSubset);
    let mut slot = good.clone();
    slot.sealed.clear();
    assert_eq!(refusal(&slot, 0), GuessError::UnknownSubset);
    let spoilt: [fn(&mut trefoil_protocol::guess::Slot); 7] = [
        |slot| slot.commitments.clear(),
        |slot| slot.commitments[0] = GroupElement::from_bytes([0; 32]),
        |slot| slot.server_key = GroupElement::from_bytes([0xff; 32]),
        |slot| slot.nodes[1].index = 1,
        |slot| slot.nodes[0].index = 0,
        |slot| slot.nodes.truncate(usize::from(T) - 1),
        |slot| slot.nodes.clear(),
    ];
    for (number, spoil) in spoilt.iter().enumerate() {
        let mut slot = good.clone();
        spoil(&mut slot);
        assert_eq!(refusal(&slot, 0), GuessError::BadSlot, "{number}");
    }
}

#[test]
fn a_slot_whose_seal_was_changed_yields_no_wrong_secret() {
    let mut world = World::new(4);
    for at in [0, 30, 60] {
        let mut slot = world.dealt.slot.clone();
        slot.sealed[0].sealed = flipped_blob(&slot.sealed[0].sealed, at);
        let mut round =
            GuessRound::new(&slot, &seed(), 0, RIGHT.stretched, &mut world.rng).unwrap();
        for index in 0..=T {
            let answer = world.answer(&round, index);
            round.add(index, &answer).unwrap();
        }
        assert!(matches!(round.finish(), Ok(Outcome::Wrong { left }) if left == ALLOWED - 1));
    }
}

#[test]
fn the_lowest_count_is_told() {
    let mut world = World::new(5);
    let mut round = world.round(&WRONG);
    for (index, used) in [(0, 2), (1, 1), (2, 7), (3, 3)] {
        let mut answer = world.answer(&round, index);
        answer.count.used = used;
        round.add(index, &answer).unwrap();
    }
    assert_eq!(round.left(), ALLOWED - 7);
    // Two of five nodes end nothing, three do; the server does alone.
    for (spent, ended) in [(&[4, 5][..], false), (&[3, 4, 5], true), (&[0], true)] {
        let mut round = world.round(&WRONG);
        for index in 0..=N {
            let mut answer = world.answer(&round, index);
            if spent.contains(&index) {
                answer.count.used = ALLOWED;
            }
            round.add(index, &answer).unwrap();
        }
        assert_eq!(round.left(), if ended { 0 } else { ALLOWED - 1 });
    }
    assert!(matches!(round.finish(), Ok(Outcome::Wrong { left }) if left == ALLOWED - 7));
}

/// What an evaluator does.
#[derive(Debug, Clone, Copy)]
enum Conduct {
    Honest,
    Silent,
    /// Answers rightly, with the highest count there is.
    Exaggerates,
    WrongProof(usize),
    WrongElement,
    /// Proves its answer to another element.
    OtherElement,
    /// Proves what another key makes of it.
    OtherKey,
    /// Gives the answer of the evaluator after it.
    Copies,
    CountsTooMuch,
    CountsNone,
    Garbage(u8),
}

fn conduct() -> impl Strategy<Value = Conduct> {
    prop_oneof![
        6 => Just(Conduct::Honest),
        1 => Just(Conduct::Silent),
        1 => Just(Conduct::Exaggerates),
        1 => (0..64_usize).prop_map(Conduct::WrongProof),
        1 => Just(Conduct::WrongElement),
        1 => Just(Conduct::OtherElement),
        1 => Just(Conduct::OtherKey),
        1 => Just(Conduct::Copies),
        1 => Just(Conduct::CountsTooMuch),
        1 => Just(Conduct::CountsNone),
        1 => any::<u8>().prop_map(Conduct::Garbage),
    ]
}

/// What the evaluator at `index` sends, and whether it is an answer.
fn send(
    world: &mut World,
    round: &GuessRound,
    index: u16,
    conduct: Conduct,
) -> Option<(GuessAnswer, bool)> {
    let mut answer = world.answer(round, index);
    let mut proven = false;
    match conduct {
        Conduct::Honest => proven = true,
        Conduct::Silent => return None,
        Conduct::Exaggerates => {
            answer.count.used = ALLOWED;
            proven = true;
        }
        Conduct::WrongProof(at) => {
            let mut proof = *answer.proof.as_bytes();
            proof[at] ^= 1;
            answer.proof = DleqProof::from_bytes(proof);
        }
        Conduct::WrongElement => {
            let other = world.round(&WRONG);
            answer.evaluation = world.answer(&other, index).evaluation;
        }
        Conduct::OtherElement => {
            let other = world.round(RIGHT.stretched);
            answer = world.answer(&other, index);
        }
        Conduct::OtherKey => {
            let mut other = World::new(1000);
            answer = other.answer(round, index);
        }
        Conduct::Copies => answer = world.answer(round, (index + 1) % (N + 1)),
        Conduct::CountsTooMuch => answer.count.used = ALLOWED + 1,
        Conduct::CountsNone => answer.count.used = 0,
        Conduct::Garbage(byte) => {
            answer.evaluation = GroupElement::from_bytes([byte; 32]);
            answer.proof = DleqProof::from_bytes([byte; 64]);
        }
    }
    Some((answer, proven))
}

/// The lowest of what is left by place; nodes that say that nothing is left only where too few others remain.
fn believed(left: &[(u16, u8)]) -> u8 {
    let spent = left.iter().filter(|(index, left)| *index > 0 && *left == 0);
    let too_many = spent.count() > usize::from(N - T);
    let believed = left
        .iter()
        .filter(|(index, left)| too_many || *index == 0 || *left > 0);
    believed.map(|(_, left)| *left).min().unwrap_or(0)
}

const REGRESSIONS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/proptest-regressions/rounds.txt"
);

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn liars_never_make_a_right_guess_wrong_nor_a_secret_of_their_own(
        conducts in proptest::collection::vec(conduct(), usize::from(N) + 1),
        order in Just((0..=N).collect::<Vec<u16>>()).prop_shuffle(),
        right: bool,
        seed in 0..50_u64,
    ) {
        let mut world = World::new(seed);
        let mut round = world.round(if right { RIGHT.stretched } else { &WRONG });
        let mut left: Vec<(u16, u8)> = Vec::new();
        for index in order {
            let conduct = conducts[usize::from(index)];
            let Some((answer, proven)) = send(&mut world, &round, index, conduct) else {
                continue;
            };
            let added = round.add(index, &answer);
            prop_assert_eq!(added.is_ok(), proven, "{} {:?}: {:?}", index, conduct, added);
            if proven {
                left.push((index, ALLOWED - answer.count.used));
                prop_assert_eq!(round.add(index, &answer), Err(AnswerFault::Twice));
            }
        }
        let (nodes, server) = round.missing();
        match round.finish() {
            Ok(Outcome::Right(secret)) => {
                prop_assert!(right && nodes == 0 && !server);
                prop_assert!(secret == SECRET);
            }
            Ok(Outcome::Wrong { left: told }) => {
                prop_assert!(!right && nodes == 0 && !server);
                prop_assert_eq!(told, believed(&left));
            }
            Err(error) => {
                prop_assert!(nodes > 0 || server);
                prop_assert_eq!(error, GuessError::Missing { nodes, server: usize::from(server) });
            }
        }
    }
}
