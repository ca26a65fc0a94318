//! A metadata server that lost data and was restored from a backup; a device that has seen more brings it back.

use trefoil::{LoginError, RecoveryPhrase, RestoreError, RollbackError};
use trefoil_testkit::servers::World;

use crate::common::{
    Owner, Phone, create, index_of, log_in, needs_factors, open, ready, rolled_back, upgrade,
};

#[tokio::test]
async fn after_a_loss_the_owners_phone_restores_what_the_server_forgot() {
    let mut world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let backup = world.backup().await.unwrap();

    // After the backup: a new phrase, the old one removed.
    let mut account = owner.account(&world).await;
    let paper = index_of(&account, "paper");
    let mut draft = account.change();
    draft
        .remove(paper)
        .unwrap()
        .recovery_phrase("new paper")
        .unwrap();
    let words = draft.recovery_phrase_words().unwrap().to_string();
    draft.prove_recovery_phrase(&words).unwrap();
    draft.commit().await.unwrap();
    account
        .change()
        .label(1, "renamed")
        .unwrap()
        .commit()
        .await
        .unwrap();
    let seen = account.revision();
    drop(account);

    world.restore(&backup).await.unwrap();
    // A phone that never saw more opens the old record, as it must.
    let elsewhere = owner.account_elsewhere(&world).await;
    assert_eq!(elsewhere.ethereum_address(), owner.address);
    drop(elsewhere);

    let rolled_back = rolled_back(open(&owner.phone.app(&world), &world, "alice").await);
    assert!(matches!(
        rolled_back.reason(),
        Some(RollbackError::Older { served, seen: known }) if served < known && known == seen
    ));
    assert_eq!(rolled_back.missing().unwrap(), 0);
    let restored = ready(rolled_back.restore_after_warning().await.unwrap());
    assert_eq!(restored.ethereum_address(), owner.address);
    assert!(restored.revision() > seen);
    assert_eq!(restored.factors()[0].label, "renamed");
    assert!(restored.factors().iter().all(|note| note.label != "paper"));

    // The factor enrolled after the backup opens again; the one removed after it does not.
    let mut pending = needs_factors(open(&Phone::new().app(&world), &world, "alice").await);
    pending
        .provide(RecoveryPhrase::parse(&words).unwrap())
        .await
        .unwrap();
    assert_eq!(
        ready(pending.open().await.unwrap()).ethereum_address(),
        owner.address
    );
    let mut pending = needs_factors(open(&Phone::new().app(&world), &world, "alice").await);
    assert!(pending.provide(owner.phrase()).await.is_err());
    assert_eq!(
        owner.account(&world).await.ethereum_address(),
        owner.address
    );
}

#[tokio::test]
async fn another_phone_that_had_seen_more_accepts_the_restore_and_shows_it() {
    let mut world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let tablet = Phone::new();
    let backup = world.backup().await.unwrap();

    let mut account = owner.account(&world).await;
    account
        .change()
        .label(1, "renamed")
        .unwrap()
        .commit()
        .await
        .unwrap();
    drop(account);
    let _ = open(&tablet.app(&world), &world, "alice").await;
    world.restore(&backup).await.unwrap();

    // The tablet refuses the past and has no factor of its own with which to restore.
    let mut on_tablet = rolled_back(open(&tablet.app(&world), &world, "alice").await);
    on_tablet.provide(owner.phrase()).await.unwrap();
    assert!(matches!(
        on_tablet.restore_after_warning().await,
        Err(RestoreError::NoOwnFactor)
    ));

    let on_phone = rolled_back(open(&owner.phone.app(&world), &world, "alice").await);
    ready(on_phone.restore_after_warning().await.unwrap());
    let locked = log_in(&tablet.app(&world), &world, "alice").await.unwrap();
    assert!(locked.was_restored());
    assert_eq!(needs_factors(locked.open().await.unwrap()).missing(), 1);
}

#[tokio::test]
async fn an_account_lost_altogether_is_not_replaced_by_a_new_one() {
    let mut world = World::start().await.unwrap();
    let empty = world.backup().await.unwrap();
    let phone = Phone::new();
    create(&phone.app(&world), &world, "alice").await;
    world.restore(&empty).await.unwrap();
    let error = log_in(&phone.app(&world), &world, "alice")
        .await
        .unwrap_err();
    assert!(
        matches!(error, LoginError::Rollback(RollbackError::Gone { seen: 1 })),
        "{error}"
    );
}

#[tokio::test]
async fn a_loss_from_before_the_upgrade_is_one_click_until_the_owner_restores() {
    let mut world = World::start().await.unwrap();
    let phone = Phone::new();
    let mut account = create(&phone.app(&world), &world, "alice").await;
    let address = account.ethereum_address();
    let backup = world.backup().await.unwrap();
    let words = upgrade(&mut account).await;
    drop(account);
    world.restore(&backup).await.unwrap();

    let rolled_back = rolled_back(open(&phone.app(&world), &world, "alice").await);
    let restored = ready(rolled_back.restore_after_warning().await.unwrap());
    assert!(restored.mfa_is_on());
    assert_eq!(restored.ethereum_address(), address);
    let mut pending = needs_factors(open(&Phone::new().app(&world), &world, "alice").await);
    pending
        .provide(RecoveryPhrase::parse(&words).unwrap())
        .await
        .unwrap();
    assert_eq!(
        ready(pending.open().await.unwrap()).ethereum_address(),
        address
    );
}
