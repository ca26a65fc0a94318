//! The removal of a PIN: it opens as before, or is gone.

use trefoil::{Account, CommitError, GuessError};

use super::cuts::*;

async fn remove(account: &mut Account) -> Result<(), CommitError> {
    let index = pin_of(account).unwrap();
    let mut draft = account.change();
    draft
        .remove(index)
        .unwrap()
        .accept_no_spare_factor()
        .unwrap();
    draft.commit().await
}

async fn accident(keeper: Keeper<'_>, cut: Cut) -> (bool, bool) {
    let mut account = keeper.open(&keeper.phone).await;
    cut.plan(&keeper.phone);
    let removed = remove(&mut account).await;
    drop(account);
    keeper.phone.wire.reset();
    assert!(removed.is_ok() || cut.dies, "{cut}: {removed:?}");

    let landed = match keeper.open_by(OLD).await {
        Ok(_) => false,
        Err(GuessError::NoSuchFactor(_)) => true,
        Err(error) => panic!("{cut}: {error}"),
    };
    let mut account = keeper.open(&keeper.phone).await;
    assert_eq!(pin_of(&account).is_none(), landed, "{cut}");
    if !landed {
        assert_eq!(keeper.left_after_a_wrong_one().await, 9, "{cut}");
        remove(&mut account).await.unwrap();
    }
    assert_tidy(&mut account, cut).await;
    (removed.is_ok(), landed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_cut_off_around_any_message_has_removed_it_or_not() {
    let world = world().await;
    let whole = Keeper::with_pin(&world, "whole".to_owned()).await;
    let mut account = whole.open(&whole.phone).await;
    whole.phone.wire.reset();
    remove(&mut account).await.unwrap();
    let requests = whole.phone.wire.sent();
    let outcomes = std::sync::Mutex::new(std::collections::BTreeSet::new());
    each(Cut::all(requests), async |cut| {
        let keeper = Keeper::with_pin(&world, cut.to_string()).await;
        let outcome = accident(keeper, cut).await;
        outcomes.lock().unwrap().insert(outcome);
    })
    .await;
    let met = outcomes.into_inner().unwrap();
    assert_eq!(met, [(false, false), (false, true), (true, true)].into());
}
