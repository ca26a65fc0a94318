//! Removing a factor, killed around every request.

use trefoil::{Account, CommitError, Opened, ProvideError};
use trefoil_testkit::servers::World;

use crate::common::{Owner, Phone, index_of, needs_factors, open, ready};

async fn attempt(account: &mut Account) -> Result<(), CommitError> {
    let paper = index_of(account, "paper");
    let mut draft = account.change();
    draft
        .remove(paper)
        .unwrap()
        .accept_no_spare_factor()
        .unwrap();
    draft.commit().await
}

#[tokio::test]
async fn a_client_killed_around_any_request_keeps_every_factor_or_all_but_the_removed_one() {
    let world = World::start().await.unwrap();
    let whole = Owner::new(&world, "whole").await;
    let mut account = whole.account(&world).await;
    whole.phone.wire.reset();
    attempt(&mut account).await.unwrap();
    let requests = whole.phone.wire.sent();
    assert_eq!(requests, 2);

    let users = ["a", "b", "c", "d"].into_iter();
    let cuts = (1..=requests).flat_map(|number| [(number, false), (number, true)]);
    for ((number, after), user) in cuts.zip(users) {
        let owner = Owner::new(&world, user).await;
        let mut account = owner.account(&world).await;
        owner.phone.wire.reset();
        let wire = &owner.phone.wire;
        if after {
            wire.die_after(number)
        } else {
            wire.die_before(number)
        }
        attempt(&mut account).await.unwrap_err();
        drop(account);
        wire.reset();

        let landed = (number, after) != (1, false);
        let account = owner.account(&world).await;
        assert_eq!(
            account.ethereum_address(),
            owner.address,
            "{number} {after}"
        );
        assert_eq!(
            account.factors().len(),
            if landed { 2 } else { 3 },
            "{number} {after}"
        );

        let mut pending = needs_factors(open(&Phone::new().app(&world), &world, user).await);
        match pending.provide(owner.phrase()).await {
            Ok(_) => {
                assert!(!landed, "{number} {after}");
                assert_eq!(
                    ready(pending.open().await.unwrap()).ethereum_address(),
                    owner.address
                );
            }
            Err(error) => {
                assert!(landed, "{number} {after}");
                assert!(matches!(error, ProvideError::FactorRemoved), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn a_phone_removed_while_it_was_away_knows_itself_removed() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let mut account = owner.account_elsewhere(&world).await;
    let phone = index_of(&account, "phone");
    let mut draft = account.change();
    draft
        .remove(phone)
        .unwrap()
        .accept_no_spare_factor()
        .unwrap();
    draft.commit().await.unwrap();

    // Its kept secret is worth nothing, also after it has learnt of the removal.
    for _ in 0..2 {
        match open(&owner.phone.app(&world), &world, "alice").await {
            Opened::NeedsFactors(pending) => assert_eq!(pending.missing(), 1),
            other => panic!("{other:?}"),
        }
    }
    let mut pending = needs_factors(open(&owner.phone.app(&world), &world, "alice").await);
    pending.provide(owner.phrase()).await.unwrap();
    let mut account = ready(pending.open().await.unwrap());
    // And it may be enrolled anew, with a new secret.
    account
        .change()
        .device("phone again")
        .unwrap()
        .commit()
        .await
        .unwrap();
    assert_eq!(
        owner.account(&world).await.ethereum_address(),
        owner.address
    );
}
