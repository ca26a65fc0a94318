//! A slot that is set up anew while its PIN is used: the PIN opens, whatever becomes of it.

use trefoil::Trefoil;
use trefoil::knowledge::Cost;

use super::cuts::*;
use crate::common::{Phone, needs_factors, open, ready};

/// An app whose default rose: the next use of a PIN sets its slot up anew.
fn risen(phone: &Phone, keeper: &Keeper<'_>) -> Trefoil {
    let cost = Cost {
        passes: 3,
        ..Cost::LEAST
    };
    phone.app_with(keeper.world, |builder| builder.stretch_cost(cost))
}

/// Opens with social login and PIN, cut off from the opening on. The revision where it came to an end.
async fn use_it(keeper: &Keeper<'_>, cut: Option<Cut>) -> Option<u64> {
    let app = risen(&keeper.phone, keeper);
    let mut pending = needs_factors(open(&app, keeper.world, &keeper.name).await);
    pending.guess(pin(OLD)).await.unwrap();
    if let Some(cut) = cut {
        cut.plan(&keeper.phone);
    } else {
        keeper.phone.wire.reset();
    }
    // Renewing is the app's own business: where it fails, the account is open all the same.
    let opened = pending.open().await.ok()?;
    Some(keeper.same(ready(opened)).revision())
}

async fn accident(keeper: Keeper<'_>, cut: Cut) -> (Option<u64>, u64) {
    let shown = use_it(&keeper, Some(cut)).await;
    keeper.phone.wire.reset();
    assert!(shown == Some(3) || cut.dies, "{cut}: {shown:?}");

    let account = keeper.open_by(OLD).await.unwrap();
    let revision = account.revision();
    drop(account);
    assert_eq!(keeper.left_after_a_wrong_one().await, 9, "{cut}");
    // The next use, or this one already, has a slot of the higher cost, and only one.
    assert_eq!(use_it(&keeper, None).await, Some(3), "{cut}");
    assert_eq!(use_it(&keeper, None).await, Some(3), "{cut}");
    let mut account = keeper.open(&keeper.phone).await;
    assert_tidy(&mut account, cut).await;
    (shown, revision)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_cut_off_around_any_message_opens_with_the_same_pin() {
    let world = world().await;
    let whole = Keeper::with_pin(&world, "whole".to_owned()).await;
    assert_eq!(use_it(&whole, None).await, Some(3));
    let requests = whole.phone.wire.sent();
    let outcomes = std::sync::Mutex::new(std::collections::BTreeSet::new());
    each(Cut::all(requests), async |cut| {
        let keeper = Keeper::with_pin(&world, cut.to_string()).await;
        let outcome = accident(keeper, cut).await;
        outcomes.lock().unwrap().insert(outcome);
    })
    .await;
    let met = outcomes.into_inner().unwrap();
    // Not renewed; renewed without the client's knowing; renewed.
    for outcome in [(Some(2), 2), (Some(2), 3), (Some(3), 3)] {
        assert!(met.contains(&outcome), "{met:?}");
    }
}
