//! One-click grows into 2 of 3: same key, same address, the nonce gone.

use trefoil::{CommitError, Custody, FactorKind, RecoveryPhrase, WordCount};
use trefoil_protocol::change::ChangeError;
use trefoil_testkit::servers::World;

use crate::common::{
    Owner, Phone, create, index_of, needs_factors, open, ready, social_factor, upgrade,
};

#[tokio::test]
async fn every_pair_of_three_factors_opens_the_same_wallet() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;

    // Social login and device.
    let app = owner.phone.app(&world);
    let account = ready(open(&app, &world, "alice").await);
    assert_eq!(account.ethereum_address(), owner.address);
    assert_eq!(app.round_trips().count(), 2);
    assert_eq!(
        (
            account.custody(),
            account.threshold(),
            account.factors().len()
        ),
        (Custody::SelfCustody, 2, 3)
    );

    // Social login and phrase.
    assert_eq!(
        owner.account_elsewhere(&world).await.ethereum_address(),
        owner.address
    );

    // Device and phrase.
    let locked = owner
        .phone
        .app(&world)
        .log_in_with([owner.phrase()])
        .await
        .unwrap();
    assert_eq!(
        ready(locked.open().await.unwrap()).ethereum_address(),
        owner.address
    );
}

#[tokio::test]
async fn one_factor_says_which_others_there_are_and_how_many_are_missing() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;

    let pending = needs_factors(open(&Phone::new().app(&world), &world, "alice").await);
    assert_eq!(pending.missing(), 1);
    let available: Vec<_> = pending
        .available()
        .map(|note| (note.kind, note.label.as_str()))
        .collect();
    assert_eq!(
        available,
        [
            (FactorKind::Device, "phone"),
            (FactorKind::RecoveryPhrase, "paper")
        ]
    );
    // Opening all the same asks again.
    assert_eq!(needs_factors(pending.open().await.unwrap()).missing(), 1);

    let locked = Phone::new()
        .app(&world)
        .log_in_with([owner.phrase()])
        .await
        .unwrap();
    let pending = needs_factors(locked.open().await.unwrap());
    assert_eq!(pending.missing(), 1);
    assert_eq!(pending.available().count(), 2);
}

#[tokio::test]
async fn the_nonce_is_gone_with_the_upgrade() {
    let mut world = World::start().await.unwrap();
    let phone = Phone::new();
    let mut account = create(&phone.app(&world), &world, "alice").await;
    assert_eq!(nonces(&mut world).await, 1);
    upgrade(&mut account).await;
    assert_eq!(nonces(&mut world).await, 0);
    assert!(account.mfa_is_on());
    let events = account.events().await.unwrap();
    assert_eq!(events.len(), 2);
}

/// Rows of the server's nonce file.
async fn nonces(world: &mut World) -> i64 {
    let backup = world.backup().await.unwrap();
    let file = rusqlite::Connection::open(backup.directory().join("nonces.db")).unwrap();
    let tables: Vec<String> = file
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%nonce%'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(tables.len(), 1, "{tables:?}");
    file.query_row(&format!("SELECT count(*) FROM {}", tables[0]), [], |row| {
        row.get(0)
    })
    .unwrap()
}

#[tokio::test]
async fn a_phrase_must_be_proven_before_anything_is_stored() {
    let world = World::start().await.unwrap();
    let phone = Phone::new();
    let mut account = create(&phone.app(&world), &world, "alice").await;
    phone.wire.reset();

    let mut draft = account.enable_mfa();
    draft
        .device("phone")
        .unwrap()
        .recovery_phrase_of("paper", WordCount::Twelve)
        .unwrap();
    assert!(matches!(
        draft.commit().await,
        Err(CommitError::NotProven(FactorKind::RecoveryPhrase))
    ));
    let words = draft.recovery_phrase_words().unwrap().to_string();
    assert_eq!(words.split(' ').count(), 12);

    let other = RecoveryPhrase::generate(
        &mut trefoil_testkit::environment::os_rng(),
        WordCount::Twelve,
    );
    let error = draft
        .prove_recovery_phrase(&other.expose_words())
        .unwrap_err();
    assert!(
        error.to_string().contains("not the one that was shown"),
        "{error}"
    );
    let misspelt = words.replacen(' ', " xyzzy ", 1);
    assert!(draft.prove_recovery_phrase(&misspelt).is_err());
    assert!(matches!(
        draft.commit().await,
        Err(CommitError::NotProven(FactorKind::RecoveryPhrase))
    ));
    assert_eq!(phone.wire.sent(), 0);

    draft.prove_recovery_phrase(&words.to_uppercase()).unwrap();
    draft.commit().await.unwrap();
    assert!(account.mfa_is_on());
}

#[tokio::test]
async fn an_upgrade_without_a_spare_factor_is_refused() {
    let world = World::start().await.unwrap();
    let phone = Phone::new();
    let mut account = create(&phone.app(&world), &world, "alice").await;
    let mut draft = account.enable_mfa();
    draft.device("phone").unwrap();
    // Not even where the risk is accepted.
    draft.accept_no_spare_factor().unwrap();
    let error = draft.commit().await.unwrap_err();
    assert!(
        matches!(error, CommitError::Change(ChangeError::NoSpareFactor)),
        "{error}"
    );
    assert!(!account.mfa_is_on());
    assert!(!ready(open(&phone.app(&world), &world, "alice").await).mfa_is_on());
}

#[tokio::test]
async fn a_second_social_login_opens_too() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let app = owner.phone.app(&world);
    let mut account = ready(open(&app, &world, "alice").await);
    let work = social_factor(&app, &world, "alice@work").await;
    account
        .change()
        .social("work", work.clone())
        .unwrap()
        .commit()
        .await
        .unwrap();
    assert_eq!(account.factors().len(), 4);
    assert_eq!(index_of(&account, "work"), 4);

    let mut pending = needs_factors(open(&Phone::new().app(&world), &world, "alice@work").await);
    pending.provide(owner.phrase()).await.unwrap();
    assert_eq!(
        ready(pending.open().await.unwrap()).ethereum_address(),
        owner.address
    );
    // Linked once: it cannot become another account's factor.
    let stranger = Owner::new(&world, "mallory").await;
    let mut account = stranger.account(&world).await;
    let error = account
        .change()
        .social("stolen", work)
        .unwrap()
        .commit()
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            CommitError::Metadata(trefoil_client::metadata::CommitError::LocatorTaken)
        ),
        "{error}"
    );
}
