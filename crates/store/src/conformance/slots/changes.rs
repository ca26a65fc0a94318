use std::sync::Arc;

use trefoil_protocol::guess::SlotError;

use super::SlotBackend;
use super::owner::{Dealt, guess, take_list, unlock};
use crate::conformance::fixture::{assert_erased, assert_held};

const ALLOWED: u8 = 4;

/// Guesses of two keys, the same unlock many times, and lists, all at once: an unlock gives one key its guesses back, once, and
/// nothing else gives any.
pub async fn unlocks_and_lists_between_guesses_give_none_away<B: SlotBackend>(backend: &B) {
    let store = Arc::new(backend.open());
    let slot = Arc::new(Dealt::new(1, 1, &[1, 2, 3], ALLOWED));
    backend.create(&store, slot.enrolment()).await.unwrap();
    let right = slot.round(1);
    guess(&*store, &slot.guess(1)).await.unwrap();
    let counted = guess(&*store, &slot.request(&right)).await.unwrap();
    assert_eq!(counted.count.used, 2);

    let mut tasks = Vec::new();
    for number in 0..20_u64 {
        for factor in [1, 2] {
            let (store, request) = (Arc::clone(&store), slot.guess(factor));
            tasks.push(tokio::spawn(async move {
                guess(&*store, &request).await.is_ok().then_some(factor)
            }));
        }
        let (store, request) = (Arc::clone(&store), slot.unlock(&right));
        let list = slot.list(2 + number, &[1, 2, 3, 4]);
        let id = slot.id;
        tasks.push(tokio::spawn(async move {
            unlock(&*store, &request).await.unwrap();
            take_list(&*store, id, &list).await.unwrap();
            None
        }));
    }
    let mut answered = [0; 3];
    for task in tasks {
        if let Some(factor) = task.await.unwrap() {
            answered[usize::try_from(factor).unwrap()] += 1;
        }
    }
    let [_, mut first, second] = answered;
    while guess(&*store, &slot.guess(1)).await.is_ok() {
        first += 1;
    }
    // Up to two before the unlock, since two were counted before, and then what is allowed.
    assert!((ALLOWED..=ALLOWED + 2).contains(&first), "{first}");
    assert_eq!(second, ALLOWED);

    // A key that is not in the list any more gets nothing, and comes back with nothing.
    take_list(&*store, slot.id, &slot.list(50, &[1, 3]))
        .await
        .unwrap();
    let refused = guess(&*store, &slot.guess(2)).await;
    assert_eq!(refused.unwrap_err(), SlotError::UnknownKey);
    let late = take_list(&*store, slot.id, &slot.list(49, &[1, 2, 3])).await;
    assert_eq!(late, Ok(50));
    let refused = guess(&*store, &slot.guess(2)).await;
    assert_eq!(refused.unwrap_err(), SlotError::UnknownKey);
}

/// What was counted before a restart is counted after it, and an attempt from before is answered again.
pub async fn counts_go_on_after_reopening<B: SlotBackend>(backend: &B) {
    let slot = Dealt::new(1, 1, &[1, 2], ALLOWED);
    let store = backend.open();
    backend.create(&store, slot.enrolment()).await.unwrap();
    let attempt = slot.guess(1);
    let before = guess(&store, &attempt).await.unwrap();
    drop(store);
    let mut answered = 0;
    for _ in 0..3 {
        let store = Arc::new(backend.open());
        let again = guess(&*store, &attempt).await.unwrap();
        assert_eq!(again.evaluation, before.evaluation);
        assert_eq!(again.count.used, 1 + answered);
        let tasks = [slot.guess(1), slot.guess(1)].map(|request| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { guess(&*store, &request).await })
        });
        for task in tasks {
            answered += u8::from(task.await.unwrap().is_ok());
        }
    }
    assert_eq!(answered, ALLOWED - 1);
}

/// After the last guess of the last counter nothing of the key is left in the files; the attempts are still answered.
pub async fn a_destroyed_key_is_gone_from_the_place<B: SlotBackend>(backend: &B) {
    let store = backend.open();
    let slot = Dealt::new(1, 1, &[1, 2], 2);
    backend.create(&store, slot.enrolment()).await.unwrap();
    assert_held(backend.bytes(), &slot.share());
    let attempts = [slot.guess(1), slot.guess(2), slot.guess(2), slot.guess(1)];
    let mut answers = Vec::new();
    for (attempt, left) in attempts.iter().zip([3, 2, 1, 0]) {
        let answer = guess(&store, attempt).await.unwrap();
        assert_eq!(answer.count.live, left > 0);
        if left == 1 {
            assert_held(backend.bytes(), &slot.share());
        }
        answers.push(answer.evaluation);
    }
    assert_erased(|| backend.bytes(), &slot.share()).await;
    drop(store);

    let store = backend.open();
    for (attempt, before) in attempts.iter().zip(answers) {
        assert_eq!(guess(&store, attempt).await.unwrap().evaluation, before);
    }
    for factor in [1, 2] {
        assert!(guess(&store, &slot.guess(factor)).await.is_err());
    }
    assert_erased(|| backend.bytes(), &slot.share()).await;
}
