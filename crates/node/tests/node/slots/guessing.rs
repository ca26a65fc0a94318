use std::sync::atomic::Ordering;

use trefoil_protocol::bytes::{AttemptId, GroupElement, SlotId};
use trefoil_protocol::guess::{Guess, GuessRequest, Signed};
use trefoil_protocol::problem::ProblemCode;
use trefoil_protocol::statement::WINDOW;

use super::fixture::{ALLOWED, Owner, Place, other_node, stranger};

/// Whatever is wrong: refused, and no guess is gone.
#[tokio::test]
async fn a_refused_guess_is_not_counted() {
    let place = Place::new();
    let owner = Owner::enrolled(&place).await;
    let other_slot = SlotId::try_from([8; 16].as_slice()).unwrap();
    let now = place.now();
    // The order of the group, and one above: no canonical encodings. Then no encoding at all.
    let mut odd = [0xff; 32];
    odd[0] = 0xee;
    type Change<'a> = &'a dyn Fn(&mut Guess);
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
        (ProblemCode::StatementExpired, &|it| it.time = u64::MAX),
        (ProblemCode::BadElement, &|it| {
            it.blinded = GroupElement::from_bytes([0; 32]);
        }),
        (ProblemCode::BadElement, &|it| {
            it.blinded = GroupElement::from_bytes([0xff; 32]);
        }),
        (ProblemCode::BadElement, &|it| {
            it.blinded = GroupElement::from_bytes(odd);
        }),
    ];
    for (code, change) in changes {
        let mut guess = Owner::content(&owner.guess(&place, 1));
        change(&mut guess);
        let request = owner.sign_guess(&guess, 1);
        let problem = place.refuses(owner.id, "guess", &request, code).await;
        let time = (code == ProblemCode::StatementExpired).then_some(now);
        assert_eq!(problem.server_time, time);
    }
    // At the edges of the window it is taken.
    for time in [now - WINDOW, now + WINDOW] {
        let mut guess = Owner::content(&owner.guess(&place, 2));
        guess.time = time;
        place.guess(&owner.sign_guess(&guess, 2)).await.unwrap();
    }
    let answer = place.guess(&owner.guess(&place, 1)).await.unwrap();
    assert_eq!(answer.count.used, 1);
}

#[tokio::test]
async fn only_keys_of_the_list_guess() {
    let place = Place::new();
    let owner = Owner::enrolled(&place).await;
    let guess = Owner::content(&owner.guess(&place, 1));
    let by = |signer: &_, named: &trefoil_protocol::sign::AuthPrivateKey| GuessRequest {
        slot: owner.id,
        key: named.auth_key(),
        guess: Signed::sign(&guess, signer),
    };
    let (one, two, stranger) = (owner.guess_key(1), owner.guess_key(2), stranger());
    let refused = async |request: &GuessRequest, code| {
        place.refuses(owner.id, "guess", request, code).await;
    };
    // A thief of one factor in another's name, a stranger in anybody's and in its own, the admin key, the slot's own factor.
    refused(&by(&two, &one), ProblemCode::BadSignature).await;
    refused(&by(&stranger, &one), ProblemCode::BadSignature).await;
    refused(&by(&stranger, &stranger), ProblemCode::UnknownGuessKey).await;
    refused(
        &by(&owner.admin(), &owner.admin()),
        ProblemCode::UnknownGuessKey,
    )
    .await;
    let own = owner.guess_key(9);
    refused(&by(&own, &own), ProblemCode::UnknownGuessKey).await;
    // Of another slot of the same account.
    let elsewhere = Owner::numbered(&place, 2);
    elsewhere.enrol(&place).await;
    let foreign = owner.guess(&place, 1);
    let moved = GuessRequest {
        slot: elsewhere.id,
        ..foreign
    };
    place
        .refuses(elsewhere.id, "guess", &moved, ProblemCode::NoSlot)
        .await;
    let unknown = GuessRequest {
        slot: SlotId::try_from([9; 16].as_slice()).unwrap(),
        ..owner.guess(&place, 1)
    };
    refused(&unknown, ProblemCode::NoSlot).await;
}

#[tokio::test]
async fn an_attempt_is_one_element() {
    let place = Place::new();
    let owner = Owner::enrolled(&place).await;
    let first = owner.guess(&place, 1);
    let answer = place.guess(&first).await.unwrap();
    let mut reused = Owner::content(&owner.guess(&place, 1));
    reused.attempt = Owner::content(&first).attempt;
    let request = owner.sign_guess(&reused, 1);
    place
        .refuses(owner.id, "guess", &request, ProblemCode::AttemptReused)
        .await;
    // Attempts of different keys have nothing to do with each other.
    let other = place.guess(&owner.sign_guess(&reused, 2)).await.unwrap();
    assert_eq!(other.count.used, 1);
    // Signed anew for a later time it is the same attempt.
    place.time.fetch_add(1000, Ordering::SeqCst);
    let mut later = Owner::content(&first);
    let code = ProblemCode::StatementExpired;
    place.refuses(owner.id, "guess", &first, code).await;
    later.time = place.now();
    let again = place.guess(&owner.sign_guess(&later, 1)).await.unwrap();
    assert_eq!(again, answer);
}

/// A thief of one factor spends its guesses and no others.
#[tokio::test]
async fn a_thief_spends_only_the_stolen_factors_guesses() {
    let place = Place::new();
    let owner = Owner::enrolled(&place).await;
    let mut last = None;
    for _ in 0..ALLOWED {
        last = Some(owner.guess(&place, 1));
        place.guess(last.as_ref().unwrap()).await.unwrap();
    }
    for _ in 0..20 {
        let mut guess = Owner::content(&owner.guess(&place, 1));
        guess.attempt = AttemptId::random(&mut crate::world::rng(6));
        place
            .refuses(
                owner.id,
                "guess",
                &owner.sign_guess(&guess, 1),
                ProblemCode::GuessesSpent,
            )
            .await;
    }
    place.guess(last.as_ref().unwrap()).await.unwrap();
    let answer = place.guess(&owner.guess(&place, 2)).await.unwrap();
    assert!(answer.count.used == 1 && answer.count.live && answer.count.spent);
}
