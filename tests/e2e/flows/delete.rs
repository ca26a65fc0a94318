//! Erasing an account.

use trefoil::{CreateError, LoginError, RollbackError};
use trefoil_client::metadata;
use trefoil_testkit::servers::World;

use crate::common::{Owner, Phone, create, log_in, no_account, open, ready};

#[tokio::test]
async fn a_deleted_account_is_gone_for_ever() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    // Another phone of the same user knows the account.
    let other = Phone::new();
    let _ = open(&other.app(&world), &world, "alice").await;

    let account = owner.account(&world).await;
    let key: [u8; 32] = account.wallet_key().to_bytes().into();
    account.delete().await.unwrap();

    // The phone that deleted it may start anew, with a new address; the old key's account id is never given out again.
    let new = no_account(open(&owner.phone.app(&world), &world, "alice").await);
    let error = new.import(&key).await.unwrap_err();
    assert!(
        matches!(
            error,
            CreateError::Metadata(metadata::CreateError::AccountDeleted)
        ),
        "{error}"
    );
    let account = create(&owner.phone.app(&world), &world, "alice").await;
    assert_ne!(account.ethereum_address(), owner.address);

    // The other phone is not silently given the new wallet.
    let error = log_in(&other.app(&world), &world, "alice")
        .await
        .unwrap_err();
    assert!(matches!(error, LoginError::OtherAccount { .. }), "{error}");
}

#[tokio::test]
async fn a_phone_that_knows_the_account_takes_no_for_a_lie() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let other = Phone::new();
    let _ = open(&other.app(&world), &world, "alice").await;
    owner.account(&world).await.delete().await.unwrap();
    let error = log_in(&other.app(&world), &world, "alice")
        .await
        .unwrap_err();
    assert!(
        matches!(error, LoginError::Rollback(RollbackError::Gone { .. })),
        "{error}"
    );
}

#[tokio::test]
async fn deleting_twice_is_one_deletion() {
    let world = World::start().await.unwrap();
    let phone = Phone::new();
    let account = create(&phone.app(&world), &world, "alice").await;
    // The answer to the first deletion is lost; the repeated call finds the account gone.
    phone.wire.reset();
    phone.wire.at(1, trefoil_testkit::faults::Fault::CutAfter);
    match account.delete().await {
        Ok(()) => {}
        Err(trefoil::AccountError::Delete(metadata::DeleteError::SessionEnded)) => {}
        Err(other) => panic!("{other}"),
    }
    let fresh = Phone::new();
    drop(ready(
        no_account(open(&fresh.app(&world), &world, "alice").await)
            .create()
            .await
            .unwrap(),
    ));
}
