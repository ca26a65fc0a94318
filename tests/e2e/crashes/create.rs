//! Creating a wallet, killed around every request.

use trefoil::{EthereumAddress, Opened};
use trefoil_testkit::servers::World;

use crate::common::{Phone, log_in, open, ready};

/// Logs in and creates as an app does that may die anywhere; returns the address if the user was shown one.
async fn attempt(phone: &Phone, world: &World, user: &str) -> Option<EthereumAddress> {
    let opened = log_in(&phone.app(world), world, user)
        .await
        .ok()?
        .open()
        .await
        .ok()?;
    let account = match opened {
        Opened::NoAccount(new) => ready(new.create().await.ok()?),
        other => ready(other),
    };
    Some(account.ethereum_address())
}

#[tokio::test]
async fn a_client_killed_around_any_request_finds_one_wallet_again() {
    let world = World::start().await.unwrap();
    let whole = Phone::new();
    whole.wire.reset();
    attempt(&whole, &world, "whole").await.unwrap();
    // Three nodes, login, create.
    let requests = whole.wire.sent();
    assert_eq!(requests, 5);

    for number in 1..=requests {
        for after in [false, true] {
            let user = format!("user-{number}-{after}");
            let phone = Phone::new();
            if after {
                phone.wire.die_after(number)
            } else {
                phone.wire.die_before(number)
            }
            // One dead node's answer may not be needed, but then everything after it dies.
            assert_eq!(
                attempt(&phone, &world, &user).await,
                None,
                "{number} {after}"
            );

            // The next process on the same phone, and another phone, come to the same wallet.
            phone.wire.reset();
            let again = attempt(&phone, &world, &user).await.unwrap();
            let elsewhere = ready(open(&Phone::new().app(&world), &world, &user).await);
            assert_eq!(again, elsewhere.ethereum_address(), "{number} {after}");
            // Nothing is there twice: the account's first event is its creation, and it is the only one.
            assert_eq!(
                elsewhere.events().await.unwrap().len(),
                1,
                "{number} {after}"
            );
        }
    }
}

#[tokio::test]
async fn a_lost_answer_is_made_up_for_within_the_call() {
    let world = World::start().await.unwrap();
    for number in [4, 5] {
        for fault in [
            trefoil_testkit::faults::Fault::CutAfter,
            trefoil_testkit::faults::Fault::CutBefore,
        ] {
            let phone = Phone::new();
            let user = format!("user-{number}-{fault:?}");
            phone.wire.at(number, fault);
            let address = attempt(&phone, &world, &user).await.unwrap();
            assert_eq!(
                ready(open(&Phone::new().app(&world), &world, &user).await).ethereum_address(),
                address
            );
        }
    }
}

#[tokio::test]
async fn a_dropped_future_leaves_a_wallet_that_opens() {
    let world = World::start().await.unwrap();
    for milliseconds in [0, 1, 2, 3, 5, 8, 13, 21, 34, 55] {
        let user = format!("user-{milliseconds}");
        let phone = Phone::new();
        let patience = std::time::Duration::from_millis(milliseconds);
        let shown = tokio::time::timeout(patience, attempt(&phone, &world, &user))
            .await
            .ok()
            .flatten();
        let later = attempt(&phone, &world, &user).await.unwrap();
        assert!(shown.is_none_or(|shown| shown == later), "{milliseconds}");
        assert_eq!(
            ready(open(&Phone::new().app(&world), &world, &user).await).ethereum_address(),
            later
        );
    }
}
