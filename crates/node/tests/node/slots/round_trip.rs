use rand_core::SeedableRng as _;
use serde_json::{Value, json};
use trefoil_protocol::guess::{
    Count, EvaluatorName, GuessAnswer, GuessRound, ListAnswer, Outcome, SlotRecord,
};
use trefoil_protocol::problem::ProblemCode;

use super::fixture::{ALLOWED, Owner, Place, SERVER};

/// The metadata server's part.
fn server_answer(owner: &Owner, round: &GuessRound, now: u64) -> GuessAnswer {
    let name = EvaluatorName::Server(SERVER.to_owned());
    let opened = owner.dealt.server.open(&name).unwrap();
    let share = opened.content().share.as_bytes();
    let record: SlotRecord = opened.enrol(None, share).unwrap().record.unwrap();
    let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
    let request = round.request(name.clone(), now);
    record.guess(&request, &name, now, &mut rng).unwrap().answer
}

/// Wrong, wrong, right on the last guess; the counter is set back, and only that key's.
#[tokio::test]
async fn a_right_guess_opens_and_sets_the_counter_back() {
    let place = Place::new();
    let owner = Owner::enrolled(&place).await;
    let other = place.guess(&owner.guess(&place, 2)).await.unwrap();
    assert_eq!(other.count.used, 1);
    for (used, right) in [(1, false), (2, false), (3, true)] {
        let mut round = owner.round(1, right);
        let request = round.request(place.name(), place.now());
        let answer = place.guess(&request).await.unwrap();
        let expected = Count {
            used,
            allowed: ALLOWED,
            list: 1,
            live: true,
            spent: used == ALLOWED,
        };
        assert_eq!(answer.count, expected);
        round.add(1, &answer).unwrap();
        round
            .add(0, &server_answer(&owner, &round, place.now()))
            .unwrap();
        match round.finish().unwrap() {
            Outcome::Right(secret) => {
                assert!(right);
                assert_eq!(secret.expose_secret(), owner.secret.expose_secret());
                let unlock = round.unlock(&secret, place.name(), 1, place.now());
                let count: Count = place.post("unlock", &unlock).await.unwrap();
                assert_eq!((count.used, count.live), (0, true));
                // Again, when the answer was lost: once for each attempt.
                let first = place.guess(&owner.guess(&place, 1)).await.unwrap();
                assert_eq!(first.count.used, 1);
                let count: Count = place.post("unlock", &unlock).await.unwrap();
                assert_eq!(count.used, 1);
            }
            Outcome::Wrong { left } => assert_eq!((left, right), (ALLOWED - used, false)),
        }
    }
    let other = place.guess(&owner.guess(&place, 2)).await.unwrap();
    assert_eq!(other.count.used, 2);
}

/// Every call again, as after a lost answer.
#[tokio::test]
async fn every_call_can_be_repeated() {
    let place = Place::new();
    let owner = Owner::new(&place);
    let enrol = owner.request(&place);
    for _ in 0..2 {
        let answer: Value = place.post("enrol", &enrol).await.unwrap();
        assert_eq!(answer, json!({}));
        assert_eq!(place.stored(owner.id).await.unwrap().version, 1);
    }
    let guess = owner.guess(&place, 1);
    let first = place.guess(&guess).await.unwrap();
    assert_eq!(place.guess(&guess).await.unwrap(), first);
    assert_eq!(place.stored(owner.id).await.unwrap().version, 2);
    let list = owner.list(5, &[1, 3]);
    for _ in 0..2 {
        let answer: ListAnswer = place.post("list", &list).await.unwrap();
        assert_eq!(answer.list, 5);
        assert_eq!(place.stored(owner.id).await.unwrap().version, 3);
    }
    for _ in 0..2 {
        let answer: Value = place.post("delete", &owner.deletion()).await.unwrap();
        assert_eq!(answer, json!({}));
        assert_eq!(place.stored(owner.id).await.unwrap().version, 4);
    }
    let metrics = place.node.metrics().encode();
    for line in [
        "trefoil_node_guesses_total{outcome=\"counted\"} 1",
        "trefoil_node_guesses_total{outcome=\"repeated\"} 1",
        "trefoil_node_slots_total{event=\"enrolled\"} 1",
        "trefoil_node_slots_total{event=\"deleted\"} 1",
        "trefoil_node_slots_total{event=\"destroyed\"} 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}");
    }
}

/// The last guess of the last counter is answered, and ends the key.
#[tokio::test]
async fn the_last_guess_of_all_destroys_the_key() {
    let place = Place::new();
    let owner = Owner::enrolled(&place).await;
    let mut last = None;
    for factor in [1, 2] {
        for _ in 0..ALLOWED {
            let guess = owner.guess(&place, factor);
            last = Some((place.guess(&guess).await.unwrap(), guess));
        }
        if factor == 1 {
            let (answer, _) = last.as_ref().unwrap();
            assert!(answer.count.live && answer.count.spent);
            let next = owner.guess(&place, 1);
            place
                .refuses(owner.id, "guess", &next, ProblemCode::GuessesSpent)
                .await;
        }
    }
    let (answer, guess) = last.unwrap();
    assert!(!answer.count.live);
    assert_eq!(place.guess(&guess).await.unwrap(), answer);
    for factor in [1, 2] {
        let next = owner.guess(&place, factor);
        place
            .refuses(owner.id, "guess", &next, ProblemCode::SlotGone)
            .await;
    }
    let again = owner.request(&place);
    place
        .refuses(owner.id, "enrol", &again, ProblemCode::SlotGone)
        .await;
    let metrics = place.node.metrics().encode();
    assert!(metrics.contains("trefoil_node_slots_total{event=\"destroyed\"} 1\n"));
    assert!(metrics.contains("trefoil_node_guesses_total{outcome=\"slot_gone\"} 2\n"));
}
