use std::collections::BTreeSet;
use std::sync::Arc;

use trefoil_protocol::guess::{GuessAnswer, GuessRequest, SlotError};

use super::SlotBackend;
use super::owner::{Dealt, guess};
use crate::slot_store::SlotStore;

/// Asks all at once; gives the answers, and how many were refused since the guesses are spent.
async fn all_at_once<S: SlotStore>(
    store: &Arc<S>,
    requests: Vec<GuessRequest>,
) -> (Vec<GuessAnswer>, usize) {
    let tasks = requests.into_iter().map(|request| {
        let store = Arc::clone(store);
        tokio::spawn(async move { guess(&*store, &request).await })
    });
    let (mut answers, mut spent) = (Vec::new(), 0);
    for task in tasks.collect::<Vec<_>>() {
        match task.await.unwrap() {
            Ok(answer) => answers.push(answer),
            Err(SlotError::Spent | SlotError::Gone) => spent += 1,
            Err(error) => panic!("{error}"),
        }
    }
    (answers, spent)
}

fn counts(answers: &[GuessAnswer]) -> Vec<u8> {
    let mut counts: Vec<u8> = answers.iter().map(|answer| answer.count.used).collect();
    counts.sort_unstable();
    counts
}

/// Each of many changes at once is in the record in the end: each counted guess had a count of its own.
pub async fn no_change_of_many_writers_is_lost<B: SlotBackend>(backend: &B) {
    let store = Arc::new(backend.open());
    let slot = Dealt::new(1, 1, &[1], 20);
    backend.create(&store, slot.enrolment()).await.unwrap();
    let requests = (0..16).map(|_| slot.guess(1)).collect();
    let (answers, spent) = all_at_once(&store, requests).await;
    assert_eq!(spent, 0);
    assert_eq!(counts(&answers), (1..=16).collect::<Vec<u8>>());
    assert_eq!(store.load_slot(slot.id).await.unwrap().unwrap().version, 17);
}

/// 24 guesses at once, 5 allowed: 5 answers, each to another count.
pub async fn no_more_guesses_are_answered_than_are_allowed<B: SlotBackend>(backend: &B) {
    let store = Arc::new(backend.open());
    let slot = Dealt::new(1, 1, &[1, 2], 5);
    backend.create(&store, slot.enrolment()).await.unwrap();
    let requests: Vec<_> = (0..24).map(|_| slot.guess(1)).collect();
    let (answers, spent) = all_at_once(&store, requests.clone()).await;
    assert_eq!((counts(&answers), spent), ((1..=5).collect(), 19));
    // Those that were answered are answered again, the others are refused again, and nothing is counted.
    let (again, spent) = all_at_once(&store, requests).await;
    assert_eq!((again.len(), spent), (5, 19));
    assert!(again.iter().all(|answer| answer.count.used == 5));
    assert_eq!(store.load_slot(slot.id).await.unwrap().unwrap().version, 6);
    // The other key's guesses are all there, and so the key is.
    let other = guess(&*store, &slot.guess(2)).await.unwrap();
    assert!(other.count.used == 1 && other.count.live && other.count.spent);
}

/// The same attempt by several at once is one guess, with one answer.
pub async fn a_repeated_attempt_counts_once<B: SlotBackend>(backend: &B) {
    let store = Arc::new(backend.open());
    let slot = Dealt::new(1, 1, &[1, 2], 3);
    backend.create(&store, slot.enrolment()).await.unwrap();
    for used in 1..=3 {
        let request = slot.guess(1);
        let (answers, spent) = all_at_once(&store, vec![request; 12]).await;
        assert_eq!((answers.len(), spent), (12, 0));
        assert!(answers.iter().all(|answer| answer.count.used == used));
        let answers: BTreeSet<_> = answers.iter().map(|answer| answer.evaluation).collect();
        assert_eq!(answers.len(), 1);
    }
    let (answers, spent) = all_at_once(&store, vec![slot.guess(1); 12]).await;
    assert_eq!((answers.len(), spent), (0, 12));
}

/// Three keys at once: each gets what it is allowed. Only the last guess of all ends the key.
pub async fn guess_keys_do_not_spend_each_others_guesses<B: SlotBackend>(backend: &B) {
    let store = Arc::new(backend.open());
    let slot = Dealt::new(1, 1, &[1, 2, 3], 4);
    backend.create(&store, slot.enrolment()).await.unwrap();
    let tasks = [1, 2, 3].map(|factor| {
        let store = Arc::clone(&store);
        let requests = (0..10).map(|_| slot.guess(factor)).collect();
        tokio::spawn(async move { all_at_once(&store, requests).await })
    });
    let mut dead = 0;
    for task in tasks {
        let (answers, _) = match task.await {
            Ok(outcome) => outcome,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(counts(&answers), (1..=4).collect::<Vec<u8>>());
        dead += answers.iter().filter(|answer| !answer.count.live).count();
    }
    assert_eq!(dead, 1, "the last guess, and no other, was told so");
}
