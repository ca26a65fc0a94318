//! A guess: whatever is lost, it costs one, and a right one costs nothing in the end.

use trefoil::{GuessError, Pending};
use trefoil_testkit::faults::Fault;

use super::cuts::*;
use crate::common::{Phone, ready};

async fn sent_by(keeper: &Keeper<'_>, known: &str) -> u64 {
    let phone = Phone::new();
    let mut pending = keeper.pending(&phone).await;
    phone.wire.reset();
    let _ = pending.guess(pin(known)).await;
    phone.wire.sent()
}

async fn guess(pending: &mut Pending, known: &str) -> Result<(), GuessError> {
    pending.guess(pin(known)).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_one_costs_one_however_often_it_is_repeated_after_an_accident() {
    let world = world().await;
    let whole = Keeper::with_pin(&world, "whole".to_owned()).await;
    let requests = sent_by(&whole, WRONG).await;
    each(Cut::all(requests), async |cut| {
        let keeper = Keeper::with_pin(&world, cut.to_string()).await;
        let mut pending = keeper.pending(&keeper.phone).await;
        cut.plan(&keeper.phone);
        let first = guess(&mut pending, WRONG).await.unwrap_err();
        keeper.phone.wire.reset();
        match first {
            GuessError::Wrong { left, .. } => assert_eq!(left, 9, "{cut}"),
            // The same process asks again: the same attempt.
            error => {
                assert!(cut.dies, "{cut}: {error}");
                match guess(&mut pending, WRONG).await.unwrap_err() {
                    GuessError::Wrong { left, .. } => assert_eq!(left, 9, "{cut}"),
                    error => panic!("{cut}: {error}"),
                }
            }
        }
        assert_eq!(keeper.left_after_a_wrong_one().await, 8, "{cut}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_dies_in_a_guess_has_spent_one_at_most() {
    let world = world().await;
    let whole = Keeper::with_pin(&world, "whole".to_owned()).await;
    let requests = sent_by(&whole, WRONG).await;
    each(Cut::deaths(requests), async |cut| {
        let keeper = Keeper::with_pin(&world, cut.to_string()).await;
        let mut pending = keeper.pending(&keeper.phone).await;
        cut.plan(&keeper.phone);
        let _ = guess(&mut pending, WRONG).await;
        // Nothing of it is left: another attempt.
        drop(pending);
        let left = keeper.left_after_a_wrong_one().await;
        assert!((8..=9).contains(&left), "{cut}: {left}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_dies_in_a_right_guess_has_spent_one_at_most_until_the_next_right_one() {
    let world = world().await;
    let whole = Keeper::with_pin(&world, "whole".to_owned()).await;
    let requests = sent_by(&whole, OLD).await;
    each(Cut::all(requests), async |cut| {
        let keeper = Keeper::with_pin(&world, cut.to_string()).await;
        let mut pending = keeper.pending(&keeper.phone).await;
        cut.plan(&keeper.phone);
        let guessed = guess(&mut pending, OLD).await;
        keeper.phone.wire.reset();
        if guessed.is_ok() {
            keeper.same(ready(pending.open().await.unwrap()));
        } else {
            assert!(cut.dies, "{cut}: {guessed:?}");
            drop(pending);
        }
        let left = keeper.left_after_a_wrong_one().await;
        if cut.dies {
            assert!((8..=9).contains(&left), "{cut}: {left}");
        } else {
            // What was lost was sent again: every counter is back.
            assert_eq!(left, 9, "{cut}");
        }
        keeper.open_by(OLD).await.unwrap();
        assert_eq!(keeper.left_after_a_wrong_one().await, 9, "{cut}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guess_that_arrives_after_its_unlocking_is_not_counted() {
    let world = world().await;
    let keeper = Keeper::with_pin(&world, "alice".to_owned()).await;
    let mut pending = keeper.pending(&keeper.phone).await;
    // The server is asked first, then the nodes: of the last one nothing is heard until all is over.
    keeper.phone.wire.reset();
    let late = std::time::Duration::from_millis(300);
    keeper.phone.wire.at(4, Fault::Late(late));
    pending.guess(pin(OLD)).await.unwrap();
    keeper.same(ready(pending.open().await.unwrap()));
    tokio::time::sleep(4 * late).await;

    // With the first one away the last one has to be heard.
    let phone = Phone::new();
    let mut pending = keeper.pending(&phone).await;
    let first = format!("{}/v1/slots", world.nodes[0].url());
    phone.wire.when(
        move |request| request.url.as_str().starts_with(&first),
        Fault::CutBefore,
    );
    match guess(&mut pending, WRONG).await.unwrap_err() {
        GuessError::Wrong { left, .. } => assert_eq!(left, 9),
        error => panic!("{error}"),
    }
}
