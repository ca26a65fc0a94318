//! Security questions: no answer can be tested alone, and none mixed across attempts.

use trefoil::knowledge::{Answers, BANK, NewQuestion, SecurityQuestions};
use trefoil::{GuessError, Pending};
use trefoil_protocol::guess::{GuessAnswer, GuessRound, Outcome};
use trefoil_testkit::environment::os_rng;
use trefoil_testkit::servers::World;
use zeroize::Zeroizing;

use super::guess_tools::*;
use super::toolkit::{Loot, social_keys};
use crate::common::Phone;
use crate::common::keeper::Keeper;

const ANSWERS: [&str; 5] = [
    "Blue Heron",
    "Marzipan",
    "Quarry Lane",
    "the attic",
    "Otter 77",
];

fn told(number: usize, right: bool) -> (usize, Zeroizing<String>) {
    let answer = if right {
        ANSWERS[number - 1]
    } else {
        "no idea at all"
    };
    (number, Zeroizing::new(answer.to_owned()))
}

/// Answers to the first three questions, each right or not.
fn first_three(right: [bool; 3]) -> Answers {
    Answers::new([1, 2, 3].map(|number| told(number, right[number - 1])))
}

async fn with_questions(world: &World) -> Keeper<'_> {
    let keeper = Keeper::without_pin(world, "alice".to_owned()).await;
    let questions = BANK.iter().take(5).map(NewQuestion::Bank);
    let answers = ANSWERS.map(|answer| Zeroizing::new(answer.to_owned()));
    let questions = SecurityQuestions::choose(3, questions.zip(answers)).unwrap();
    let mut account = keeper.open(&keeper.phone).await;
    let mut draft = account.change();
    draft.security_questions("questions", &questions).unwrap();
    draft.commit().await.unwrap();
    keeper
}

async fn wrong(pending: &mut Pending, right: [bool; 3]) -> (u8, String) {
    match pending.guess(first_three(right)).await.unwrap_err() {
        GuessError::Wrong { left, kind, from } => (left, format!("{kind} {from}")),
        other => panic!("{right:?}: {other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_right_of_three_look_like_none() {
    let world = World::start().await.unwrap();
    let keeper = with_questions(&world).await;
    let phone = Phone::new();
    let mut pending = keeper.pending(&phone).await;
    let mut seen = Vec::new();
    let tries = [
        [false, false, false],
        [true, false, false],
        [true, true, false],
        [false, true, true],
    ];
    for (right, expected) in tries.into_iter().zip((6..10).rev()) {
        phone.wire.reset();
        let (left, said) = wrong(&mut pending, right).await;
        assert_eq!(left, expected);
        let asked = phone.wire.exchanges().into_iter();
        let paths: std::collections::BTreeSet<String> = asked
            .map(|exchange| exchange.request.url.path().to_owned())
            .collect();
        seen.push((said, paths));
    }
    assert!(seen.iter().all(|each| *each == seen[0]), "{seen:?}");
    pending
        .guess(first_three([true, true, true]))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_several_attempts_do_not_mix() {
    let world = World::start().await.unwrap();
    with_questions(&world).await;
    let loot = Loot::only(world.metadata_directory());
    let target = Target::of(&loot, &social_keys(&world, "alice").await);
    let slot = &target.slot;
    let round = |right| -> GuessRound {
        let input = first_three(right).input(&slot.knowledge).unwrap();
        let stretched = input.stretch(&slot.stretch).unwrap();
        let (subset, stretched) = (input.subset(), stretched.expose_secret());
        GuessRound::new(slot, &target.seed, subset, stretched, &mut os_rng()).unwrap()
    };
    // The first has the first two right, the second the third: together all three are known.
    let mut rounds = [round([true, true, false]), round([false, false, true])];
    let mut answers: [Vec<(u16, GuessAnswer)>; 2] = Default::default();
    for (round, answers) in rounds.iter().zip(&mut answers) {
        let request = round.request(server_name(&world), now());
        let url = server_url(&world, slot, "guess");
        answers.push((0, post(&url, &request).await.unwrap()));
        for place in 0..3 {
            let request = round.request(node_name(&target, place), now());
            let answer = post(&node_url(&world, place, "guess"), &request).await;
            answers.push((u16::try_from(place + 1).unwrap(), answer.unwrap()));
        }
    }
    for (at, round) in rounds.iter_mut().enumerate() {
        for (index, answer) in &answers[1 - at] {
            assert!(round.add(*index, answer).is_err(), "{index}");
        }
        for (index, answer) in &answers[at] {
            round.add(*index, answer).unwrap();
        }
        assert!(matches!(round.finish(), Ok(Outcome::Wrong { .. })));
    }
}
