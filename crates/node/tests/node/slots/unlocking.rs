use trefoil_protocol::bytes::{AttemptId, SlotId};
use trefoil_protocol::factor::FactorSecret;
use trefoil_protocol::guess::{Count, Unlock, UnlockRequest, UnlockTag};
use trefoil_protocol::problem::ProblemCode;
use trefoil_protocol::statement::WINDOW;

use super::fixture::{Owner, Place, other_node, stranger};

fn unlock_of(owner: &Owner, place: &Place, attempt: AttemptId) -> Unlock {
    Unlock {
        version: 1,
        slot: owner.id,
        evaluator: place.name(),
        attempt,
        tag: UnlockTag::of(&owner.secret, &owner.id, 1),
        time: place.now(),
    }
}

#[tokio::test]
async fn only_the_right_unlock_sets_a_counter_back() {
    let place = Place::new();
    let owner = Owner::enrolled(&place).await;
    let round = owner.round(1, true);
    let guess = round.request(place.name(), place.now());
    let attempt = Owner::content(&guess).attempt;
    let other_slot = SlotId::try_from([8; 16].as_slice()).unwrap();
    // Before anything was guessed.
    let request = owner.unlock(&place, &round);
    let wrong = ProblemCode::WrongUnlock;
    place.refuses(owner.id, "unlock", &request, wrong).await;
    place.guess(&guess).await.unwrap();
    let of_two = owner.guess(&place, 2);
    place.guess(&of_two).await.unwrap();

    let now = place.now();
    type Change<'a> = &'a dyn Fn(&mut Unlock);
    let changes: [(ProblemCode, Change<'_>); 9] = [
        (ProblemCode::UnknownVersion, &|it| it.version = 2),
        (ProblemCode::NoSlot, &|it| it.slot = other_slot),
        (ProblemCode::WrongEvaluator, &|it| {
            it.evaluator = other_node()
        }),
        (ProblemCode::StatementExpired, &|it| {
            it.time = now - WINDOW - 1
        }),
        (ProblemCode::StatementExpired, &|it| {
            it.time = now + WINDOW + 1
        }),
        (wrong, &|it| {
            it.attempt = AttemptId::try_from([5; 16].as_slice()).unwrap();
        }),
        (wrong, &|it| it.attempt = Owner::content(&of_two).attempt),
        // Another evaluator's tag, which that one has seen; and of a wrong guess.
        (wrong, &|it| {
            it.tag = UnlockTag::of(&owner.secret, &owner.id, 2);
        }),
        (wrong, &|it| {
            it.tag = UnlockTag::of(&FactorSecret::from_bytes([1; 32]), &owner.id, 1);
        }),
    ];
    for (code, change) in changes {
        let mut unlock = unlock_of(&owner, &place, attempt);
        change(&mut unlock);
        let request = owner.sign_unlock(&unlock, 1);
        let problem = place.refuses(owner.id, "unlock", &request, code).await;
        let time = (code == ProblemCode::StatementExpired).then_some(now);
        assert_eq!(problem.server_time, time);
    }
    // By another guess key: of that key's attempts it is none. By a stranger: neither.
    let unlock = unlock_of(&owner, &place, attempt);
    let by_two = owner.sign_unlock(&unlock, 2);
    place.refuses(owner.id, "unlock", &by_two, wrong).await;
    let in_ones_name = UnlockRequest {
        key: owner.guess_key(1).auth_key(),
        ..by_two
    };
    let code = ProblemCode::BadSignature;
    place.refuses(owner.id, "unlock", &in_ones_name, code).await;
    let by_nobody = UnlockRequest {
        key: stranger().auth_key(),
        slot: owner.id,
        unlock: trefoil_protocol::guess::Signed::sign(&unlock, &stranger()),
    };
    let code = ProblemCode::UnknownGuessKey;
    place.refuses(owner.id, "unlock", &by_nobody, code).await;
    let unknown = UnlockRequest {
        slot: other_slot,
        ..owner.unlock(&place, &round)
    };
    let code = ProblemCode::NoSlot;
    place.refuses(owner.id, "unlock", &unknown, code).await;

    let count: Count = place.post("unlock", &request).await.unwrap();
    assert_eq!(count.used, 0);
    // Only that counter: the other key's next guess is its second.
    let next = place.guess(&owner.guess(&place, 2)).await.unwrap();
    assert_eq!(next.count.used, 2);
}

/// The tag goes over the wire: whoever sees one can set nothing back again with it.
#[tokio::test]
async fn an_unlock_works_once_and_not_for_other_attempts() {
    let place = Place::new();
    let owner = Owner::enrolled(&place).await;
    let right = owner.round(1, true);
    let wrong = owner.guess(&place, 1);
    place.guess(&wrong).await.unwrap();
    let request = right.request(place.name(), place.now());
    place.guess(&request).await.unwrap();
    let unlock = owner.unlock(&place, &right);
    let _: Count = place.post("unlock", &unlock).await.unwrap();
    for used in 1..=3 {
        let answer = place.guess(&owner.guess(&place, 1)).await.unwrap();
        assert_eq!(answer.count.used, used);
        let count: Count = place.post("unlock", &unlock).await.unwrap();
        assert_eq!(count.used, used);
    }
    // Attempts from before the unlock are forgotten: again, they are new guesses.
    place
        .refuses(owner.id, "guess", &wrong, ProblemCode::GuessesSpent)
        .await;
}

/// A right guess on the last of all guesses: its answer opens, but the key does not come back.
#[tokio::test]
async fn an_unlock_does_not_bring_a_destroyed_key_back() {
    let place = Place::new();
    let owner = Owner::enrolled(&place).await;
    for factor in [2, 2, 2, 1, 1] {
        place.guess(&owner.guess(&place, factor)).await.unwrap();
    }
    let right = owner.round(1, true);
    let request = right.request(place.name(), place.now());
    let answer = place.guess(&request).await.unwrap();
    assert!(!answer.count.live);
    let count: Count = place
        .post("unlock", &owner.unlock(&place, &right))
        .await
        .unwrap();
    assert!(!count.live);
    let next = owner.guess(&place, 1);
    place
        .refuses(owner.id, "guess", &next, ProblemCode::SlotGone)
        .await;
}
