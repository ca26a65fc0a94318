//! Guesses are counted, for each other factor on its own.

use core::time::Duration;

use trefoil::{DrillError, FactorKind, GuessError};
use trefoil_client::slots;

use crate::user::*;

async fn with_pin() -> User {
    User::with(|draft| {
        draft.pin("phone PIN", &pin(PIN)).unwrap();
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_pin_says_how_many_guesses_are_left_and_the_last_one_what_still_works() {
    let user = with_pin().await;
    let mut pending = user.pending(&user.app()).await;
    for expected in (1..10).rev() {
        match pending.guess(pin(WRONG_PIN)).await.unwrap_err() {
            GuessError::Wrong { kind, left, .. } => {
                assert_eq!((kind, left), (FactorKind::Pin, expected));
            }
            other => panic!("{other}"),
        }
    }
    let error = pending.guess(pin(WRONG_PIN)).await.unwrap_err();
    let said = error.to_string();
    assert!(said.contains("last guess starting from social"), "{said}");
    assert!(said.contains("recovery_phrase"), "{said}");
    assert!(matches!(error, GuessError::LastWrong { still, .. } if still.len() == 1));
    // The right one is not even tried.
    assert!(matches!(
        pending.guess(pin(PIN)).await.unwrap_err(),
        GuessError::Guess(slots::GuessError::Spent)
    ));
    // A thief of the social login has not spent the phrase's guesses.
    let mut pending = user.pending_by_phrase(&user.app()).await;
    pending.guess(pin(PIN)).await.unwrap();
    let account = user.same(pending.open().await.unwrap());
    // And that use has given the spent counter a new slot.
    assert_eq!(account.revision(), 3);
    let mut pending = user.pending(&user.app()).await;
    pending.guess(pin(PIN)).await.unwrap();
    user.same(pending.open().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_pin_on_the_last_guess_opens_and_has_all_guesses_again() {
    let user = with_pin().await;
    let mut pending = user.pending(&user.app()).await;
    for _ in 0..9 {
        pending.guess(pin(WRONG_PIN)).await.unwrap_err();
    }
    pending.guess(pin(PIN)).await.unwrap();
    user.same(pending.open().await.unwrap());
    let mut pending = user.pending(&user.app()).await;
    match pending.guess(pin(WRONG_PIN)).await.unwrap_err() {
        GuessError::Wrong { left, .. } => assert_eq!(left, 9),
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_counters_exhausted_destroy_the_slot_and_nothing_else() {
    let user = with_pin().await;
    let app = user.app();
    for _ in 0..10 {
        let mut pending = user.pending(&app).await;
        pending.guess(pin(WRONG_PIN)).await.unwrap_err();
        let mut pending = user.pending_by_phrase(&app).await;
        pending.guess(pin(WRONG_PIN)).await.unwrap_err();
    }
    let mut pending = user.pending(&app).await;
    assert!(matches!(
        pending.guess(pin(PIN)).await.unwrap_err(),
        GuessError::Guess(slots::GuessError::Gone)
    ));
    // The account opens without it, and gets a new PIN.
    let mut account = user.open().await;
    let index = index_of(&account, FactorKind::Pin);
    let mut draft = account.change();
    draft.change_pin(index, &pin("k7m2xq")).unwrap();
    draft.commit().await.unwrap();
    let mut pending = user.pending(&app).await;
    pending.guess(pin("k7m2xq")).await.unwrap();
    user.same(pending.open().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guess_that_too_few_answer_costs_one_when_it_is_repeated() {
    let mut user = with_pin().await;
    let app = user.app();
    let mut pending = user.pending(&app).await;
    for place in 0..5 {
        user.world.nodes[place].kill().await;
    }
    assert!(matches!(
        pending.guess(pin(WRONG_PIN)).await.unwrap_err(),
        GuessError::Guess(slots::GuessError::Unreachable { .. })
    ));
    for place in 0..5 {
        user.world.nodes[place].start_again().unwrap();
    }
    match pending.guess(pin(WRONG_PIN)).await.unwrap_err() {
        GuessError::Wrong { left, .. } => assert_eq!(left, 9),
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_pin_or_not_there_costs_nothing() {
    let user = with_pin().await;
    let mut pending = user.pending(&user.app()).await;
    assert!(matches!(
        pending.guess(password(PASSWORD)).await.unwrap_err(),
        GuessError::NoSuchFactor(FactorKind::Password)
    ));
    assert!(matches!(
        pending.guess_at(1, pin(PIN)).await.unwrap_err(),
        GuessError::NoSuchFactor(FactorKind::Pin)
    ));
    match pending.guess(pin(WRONG_PIN)).await.unwrap_err() {
        GuessError::Wrong { left, .. } => assert_eq!(left, 9),
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_goes_on_with_another_factors_guesses_and_after_an_interruption() {
    let mut user = with_pin().await;
    let mut account = user.open().await;
    for _ in 0..9 {
        account.drill_known(pin(WRONG_PIN)).await.unwrap_err();
    }
    // The last one of the social login's; the phrase's are untouched.
    let error = account.drill_known(pin(WRONG_PIN)).await.unwrap_err();
    let DrillError::Guess(GuessError::LastWrong { from, still, .. }) = error else {
        panic!("{error}");
    };
    assert!(from.starts_with("social"), "{from}");
    let still: Vec<_> = still.iter().map(|note| note.kind).collect();
    assert_eq!(still, [FactorKind::Pin]);

    // A guess with the second factor's key that too few answer is the same one when it is repeated, although the first
    // factor's spent key comes before it.
    for place in 0..5 {
        user.world.nodes[place].kill().await;
    }
    account.drill_known(pin(WRONG_PIN)).await.unwrap_err();
    for place in 0..5 {
        user.world.nodes[place].start_again().unwrap();
    }
    match account.drill_known(pin(WRONG_PIN)).await.unwrap_err() {
        DrillError::Guess(GuessError::Wrong { left, from, .. }) => {
            assert_eq!(left, 9);
            assert!(from.starts_with("recovery_phrase"), "{from}");
        }
        other => panic!("{other}"),
    }
    account.drill_known(pin(PIN)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guess_that_nobody_waits_for_any_more_costs_one_when_it_is_repeated() {
    let user = with_pin().await;
    let mut pending = user.pending(&user.app()).await;
    // Given up at any point of it.
    for millis in [1, 5, 10, 20, 40] {
        let guess = pending.guess(pin(WRONG_PIN));
        let given_up = tokio::time::timeout(Duration::from_millis(millis), guess).await;
        if let Ok(ended) = given_up {
            assert!(matches!(
                ended.unwrap_err(),
                GuessError::Wrong { left: 9, .. }
            ));
            return;
        }
    }
    match pending.guess(pin(WRONG_PIN)).await.unwrap_err() {
        GuessError::Wrong { left, .. } => assert_eq!(left, 9),
        other => panic!("{other}"),
    }
}
