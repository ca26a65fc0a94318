//! Turning MFA on, killed around every request.

use std::time::Duration;

use trefoil::{Account, CommitError, Factor, Opened, RecoveryPhrase};
use trefoil_testkit::faults::Fault;
use trefoil_testkit::servers::World;

use crate::common::{Phone, create, needs_factors, open, ready};

struct Attempt {
    words: String,
    result: Result<(), CommitError>,
}

async fn attempt(account: &mut Account) -> Attempt {
    let mut draft = account.enable_mfa();
    draft
        .device("phone")
        .unwrap()
        .recovery_phrase("paper")
        .unwrap();
    let words = draft.recovery_phrase_words().unwrap().to_string();
    draft.prove_recovery_phrase(&words).unwrap();
    let result = draft.commit().await;
    Attempt { words, result }
}

fn phrase(words: &str) -> Factor {
    RecoveryPhrase::parse(words).unwrap().into()
}

#[tokio::test]
async fn a_client_killed_around_any_request_is_one_click_or_two_of_three_and_nothing_between() {
    let world = World::start().await.unwrap();
    let whole = Phone::new();
    let mut account = create(&whole.app(&world), &world, "whole").await;
    whole.wire.reset();
    attempt(&mut account).await.result.unwrap();
    // The commit and the re-read.
    let requests = whole.wire.sent();
    assert_eq!(requests, 2);

    for number in 1..=requests {
        for after in [false, true] {
            let user = format!("user-{number}-{after}");
            let phone = Phone::new();
            let mut account = create(&phone.app(&world), &world, &user).await;
            let address = account.ethereum_address();
            phone.wire.reset();
            if after {
                phone.wire.die_after(number)
            } else {
                phone.wire.die_before(number)
            }
            let attempt = attempt(&mut account).await;
            assert!(attempt.result.is_err(), "{number} {after}");
            drop(account);
            phone.wire.reset();

            let landed = (number, after) != (1, false);
            // The phone's own factor was stored before anything was sent, so the phone opens either way.
            let again = ready(open(&phone.app(&world), &world, &user).await);
            assert_eq!(
                (again.mfa_is_on(), again.ethereum_address()),
                (landed, address),
                "{number} {after}"
            );
            match open(&Phone::new().app(&world), &world, &user).await {
                Opened::Ready(one_click) => {
                    assert!(!landed, "{number} {after}");
                    assert_eq!(one_click.ethereum_address(), address);
                }
                opened => {
                    assert!(landed, "{number} {after}");
                    let mut pending = needs_factors(opened);
                    pending.provide(phrase(&attempt.words)).await.unwrap();
                    assert_eq!(
                        ready(pending.open().await.unwrap()).ethereum_address(),
                        address
                    );
                }
            }
            if !landed {
                // Doing it again adds nothing twice.
                let mut again = again;
                crate::common::upgrade(&mut again).await;
                let account = ready(open(&phone.app(&world), &world, &user).await);
                assert_eq!(
                    (account.factors().len(), account.ethereum_address()),
                    (3, address)
                );
            }
        }
    }
}

#[tokio::test]
async fn a_lost_answer_is_made_up_for_within_the_commit() {
    let world = World::start().await.unwrap();
    for number in [1, 2] {
        for fault in [Fault::CutAfter, Fault::CutBefore] {
            let user = format!("user-{number}-{fault:?}");
            let phone = Phone::new();
            let mut account = create(&phone.app(&world), &world, &user).await;
            phone.wire.reset();
            phone.wire.at(number, fault);
            attempt(&mut account).await.result.unwrap();
            assert_eq!((account.revision(), account.factors().len()), (2, 3));
        }
    }
}

#[tokio::test]
async fn the_same_draft_can_be_committed_again() {
    let world = World::start().await.unwrap();
    let phone = Phone::new();
    let mut account = create(&phone.app(&world), &world, "alice").await;
    phone.wire.reset();
    phone.wire.die_after(1);
    let mut draft = account.enable_mfa();
    draft
        .device("phone")
        .unwrap()
        .recovery_phrase("paper")
        .unwrap();
    let words = draft.recovery_phrase_words().unwrap().to_string();
    draft.prove_recovery_phrase(&words).unwrap();
    draft.commit().await.unwrap_err();
    // It may have been sent: it can be repeated, not changed.
    assert!(draft.refresh().is_err());
    phone.wire.reset();
    draft.commit().await.unwrap();
    assert_eq!(account.revision(), 2);
    assert_eq!(account.events().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_dropped_commit_leaves_the_old_or_the_new_record() {
    let world = World::start().await.unwrap();
    for milliseconds in [0, 1, 2, 3, 5, 8, 13, 21, 34, 55] {
        let user = format!("user-{milliseconds}");
        let phone = Phone::new();
        let mut account = create(&phone.app(&world), &world, &user).await;
        let address = account.ethereum_address();
        let patience = Duration::from_millis(milliseconds);
        let _ = tokio::time::timeout(patience, attempt(&mut account)).await;
        drop(account);
        let again = ready(open(&phone.app(&world), &world, &user).await);
        assert_eq!(again.ethereum_address(), address);
        assert!(matches!(
            (again.mfa_is_on(), again.factors().len()),
            (false, 1) | (true, 3)
        ));
    }
}

#[tokio::test]
async fn a_commit_that_lands_after_the_client_gave_it_up_finds_the_device_secret_kept() {
    let world = World::start().await.unwrap();
    let phone = Phone::new();
    let mut account = create(&phone.app(&world), &world, "alice").await;
    let address = account.ethereum_address();
    phone.wire.reset();
    phone.wire.at(1, Fault::Late(Duration::from_millis(1500)));
    phone.wire.die_before(2);
    let attempt = attempt(&mut account).await;
    attempt.result.unwrap_err();
    drop(account);
    phone.wire.reset();

    // The next login still finds the one-click record: no reason to drop the secret.
    let again = ready(open(&phone.app(&world), &world, "alice").await);
    assert_eq!((again.mfa_is_on(), again.revision()), (false, 1));
    tokio::time::sleep(Duration::from_secs(2)).await;
    // Now the commit is there, and the phone is one of its factors.
    let again = ready(open(&phone.app(&world), &world, "alice").await);
    assert_eq!(
        (
            again.mfa_is_on(),
            again.revision(),
            again.ethereum_address()
        ),
        (true, 2, address)
    );
    let mut pending = needs_factors(open(&Phone::new().app(&world), &world, "alice").await);
    pending.provide(phrase(&attempt.words)).await.unwrap();
    assert_eq!(
        ready(pending.open().await.unwrap()).ethereum_address(),
        address
    );
}
