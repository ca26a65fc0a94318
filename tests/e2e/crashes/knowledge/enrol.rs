//! The enrolment of a PIN: there or not there, and everything else as it was.

use trefoil::{Account, CommitError, GuessError};

use super::cuts::*;

async fn enrol(account: &mut Account) -> Result<(), CommitError> {
    let mut draft = account.change();
    draft.pin("phone PIN", &pin(NEW)).unwrap();
    draft.commit().await
}

async fn accident(keeper: Keeper<'_>, cut: Cut) -> (bool, bool) {
    let mut account = keeper.open(&keeper.phone).await;
    cut.plan(&keeper.phone);
    let enrolled = enrol(&mut account).await;
    drop(account);
    keeper.phone.wire.reset();
    assert!(enrolled.is_ok() || cut.dies, "{cut}: {enrolled:?}");

    let landed = match keeper.open_by(NEW).await {
        Ok(_) => true,
        Err(GuessError::NoSuchFactor(_)) => false,
        Err(error) => panic!("{cut}: {error}"),
    };
    let mut account = keeper.open(&keeper.phone).await;
    assert_eq!(pin_of(&account).is_some(), landed, "{cut}");
    if landed {
        assert_eq!(keeper.left_after_a_wrong_one().await, 9, "{cut}");
    } else {
        enrol(&mut account).await.unwrap();
        keeper.open_by(NEW).await.unwrap();
    }
    assert_tidy(&mut account, cut).await;
    (enrolled.is_ok(), landed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_cut_off_around_any_message_has_enrolled_it_or_not() {
    let world = world().await;
    let whole = Keeper::without_pin(&world, "whole".to_owned()).await;
    let mut account = whole.open(&whole.phone).await;
    whole.phone.wire.reset();
    enrol(&mut account).await.unwrap();
    let requests = whole.phone.wire.sent();
    let outcomes = std::sync::Mutex::new(std::collections::BTreeSet::new());
    each(Cut::all(requests), async |cut| {
        let keeper = Keeper::without_pin(&world, cut.to_string()).await;
        let outcome = accident(keeper, cut).await;
        outcomes.lock().unwrap().insert(outcome);
    })
    .await;
    let met = outcomes.into_inner().unwrap();
    assert_eq!(met, [(false, false), (false, true), (true, true)].into());
}
