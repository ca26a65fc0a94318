//! A change of PIN: one of the two works, never neither.

use trefoil::GuessError;

use super::cuts::*;

/// Which PIN opens, on devices that never saw the account; the other one costs one guess and no more.
async fn which(keeper: &Keeper<'_>, cut: Cut) -> &'static str {
    for (right, other) in [(NEW, OLD), (OLD, NEW)] {
        match keeper.open_by(right).await {
            Ok(_) => {
                // Its counter is whole again; the other one is wrong.
                match keeper.open_by(other).await.unwrap_err() {
                    GuessError::Wrong { left, .. } => assert_eq!(left, 9, "{cut}"),
                    error => panic!("{cut}: {error}"),
                }
                return right;
            }
            Err(GuessError::Wrong { left, .. }) => assert_eq!(left, 9, "{cut}"),
            Err(error) => panic!("{cut}: {error}"),
        }
    }
    panic!("{cut}: neither opens")
}

async fn accident(keeper: Keeper<'_>, cut: Cut) -> (bool, &'static str) {
    let mut account = keeper.open(&keeper.phone).await;
    cut.plan(&keeper.phone);
    let changed = change(&mut account, NEW).await;
    drop(account);
    keeper.phone.wire.reset();

    let works = which(&keeper, cut).await;
    match &changed {
        Ok(()) => assert_eq!(works, NEW, "{cut}"),
        Err(_) => assert!(cut.dies, "{cut}: {changed:?}"),
    }

    // The same device, after the crash, does it again: to another PIN, or to the same one.
    let mut account = keeper.open(&keeper.phone).await;
    let again = if works == NEW { THIRD } else { NEW };
    change(&mut account, again).await.unwrap();
    keeper.open_by(again).await.unwrap();
    assert!(keeper.open_by(works).await.is_err(), "{cut}");
    assert_tidy(&mut account, cut).await;
    (changed.is_ok(), works)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_cut_off_around_any_message_leaves_one_of_the_two() {
    let world = world().await;
    let whole = Keeper::with_pin(&world, "whole".to_owned()).await;
    let mut account = whole.open(&whole.phone).await;
    whole.phone.wire.reset();
    change(&mut account, NEW).await.unwrap();
    let requests = whole.phone.wire.sent();
    let outcomes = std::sync::Mutex::new(std::collections::BTreeSet::new());
    each(Cut::all(requests), async |cut| {
        let keeper = Keeper::with_pin(&world, cut.to_string()).await;
        let outcome = accident(keeper, cut).await;
        outcomes.lock().unwrap().insert(outcome);
    })
    .await;
    // All three were met: not changed, changed without the client's knowing, changed.
    let outcomes = outcomes.into_inner().unwrap();
    assert!(outcomes.contains(&(false, OLD)), "{outcomes:?}");
    assert!(outcomes.contains(&(false, NEW)), "{outcomes:?}");
    assert!(outcomes.contains(&(true, NEW)), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_change_leaves_one_of_the_two() {
    let world = world().await;
    let waits = [0, 5, 10, 20, 40, 60, 80, 100, 150, 200];
    for milliseconds in waits {
        let keeper = Keeper::with_pin(&world, format!("user-{milliseconds}")).await;
        let mut account = keeper.open(&keeper.phone).await;
        let patience = std::time::Duration::from_millis(milliseconds);
        let _ = tokio::time::timeout(patience, change(&mut account, NEW)).await;
        drop(account);
        let cut = Cut {
            number: milliseconds,
            delivered: false,
            dies: true,
        };
        which(&keeper, cut).await;
    }
}
