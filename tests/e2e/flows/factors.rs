//! Adding, removing, replacing factors; threshold and refresh.

use trefoil::{
    CommitError, DraftError, Factor, FactorKind, LoginError, ProvideError, RecoveryPhrase,
    VerifierId,
};
use trefoil_client::metadata;
use trefoil_protocol::change::ChangeError;
use trefoil_testkit::servers::World;

use crate::common::{Owner, Phone, index_of, log_in, needs_factors, no_account, open, ready};

/// Adds a second phrase to the account; returns its words.
async fn add_phrase(account: &mut trefoil::Account, label: &str) -> String {
    let mut draft = account.change();
    draft.recovery_phrase(label).unwrap();
    let words = draft.recovery_phrase_words().unwrap().to_string();
    draft.prove_recovery_phrase(&words).unwrap();
    draft.commit().await.unwrap();
    words
}

fn phrase(words: &str) -> Factor {
    RecoveryPhrase::parse(words).unwrap().into()
}

#[tokio::test]
async fn a_removed_phrase_opens_nothing_and_the_others_still_do() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let mut account = owner.account(&world).await;
    let spare = add_phrase(&mut account, "spare").await;
    // Adding a factor needs no new shares.
    assert_eq!(
        (account.factors().len(), account.epoch(), account.revision()),
        (4, 2, 3)
    );

    let paper = index_of(&account, "paper");
    account
        .change()
        .remove(paper)
        .unwrap()
        .commit()
        .await
        .unwrap();
    assert_eq!((account.factors().len(), account.epoch()), (3, 3));

    let error = Phone::new()
        .app(&world)
        .log_in_with([owner.phrase()])
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            LoginError::Metadata(metadata::LoginError::FactorRemoved)
        ),
        "{error}"
    );
    let mut pending = needs_factors(open(&Phone::new().app(&world), &world, "alice").await);
    let error = pending.provide(owner.phrase()).await.unwrap_err();
    assert!(matches!(error, ProvideError::FactorRemoved), "{error}");
    // What was accepted stays accepted.
    pending.provide(phrase(&spare)).await.unwrap();
    assert_eq!(
        ready(pending.open().await.unwrap()).ethereum_address(),
        owner.address
    );
    assert_eq!(
        owner.account(&world).await.ethereum_address(),
        owner.address
    );

    // Indices are not reused, and the removed phrase may come back to this account, to no other.
    let again = add_phrase(&mut account, "third").await;
    assert_eq!(index_of(&account, "third"), 5);
    assert_ne!(again, owner.words);
}

#[tokio::test]
async fn replacing_a_phrase_is_one_commit() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let mut account = owner.account(&world).await;
    let before = account.revision();
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
    assert_eq!(
        (account.revision(), account.factors().len()),
        (before + 1, 3)
    );

    let mut pending = needs_factors(open(&Phone::new().app(&world), &world, "alice").await);
    assert!(matches!(
        pending.provide(owner.phrase()).await.unwrap_err(),
        ProvideError::FactorRemoved
    ));
    pending.provide(phrase(&words)).await.unwrap();
    assert_eq!(
        ready(pending.open().await.unwrap()).ethereum_address(),
        owner.address
    );
}

#[tokio::test]
async fn removing_down_to_the_threshold_needs_an_explicit_yes_and_makes_the_prompt_required() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let mut account = owner.account(&world).await;
    assert_eq!(account.mfa_prompt(), trefoil::MfaPrompt::None);
    let paper = index_of(&account, "paper");
    let error = account
        .change()
        .remove(paper)
        .unwrap()
        .commit()
        .await
        .unwrap_err();
    assert!(
        matches!(error, CommitError::Change(ChangeError::NoSpareFactor)),
        "{error}"
    );

    let mut draft = account.change();
    draft
        .remove(paper)
        .unwrap()
        .accept_no_spare_factor()
        .unwrap();
    draft.commit().await.unwrap();
    assert_eq!(account.mfa_prompt(), trefoil::MfaPrompt::Required);
    assert_eq!(
        owner.account(&world).await.mfa_prompt(),
        trefoil::MfaPrompt::Required
    );

    // Below the threshold there is no yes.
    let mut draft = account.change();
    draft
        .remove(1)
        .unwrap()
        .accept_no_spare_factor()
        .unwrap()
        .accept_one_primary_factor()
        .unwrap();
    let error = draft.commit().await.unwrap_err();
    assert!(
        matches!(error, CommitError::Change(ChangeError::Threshold { .. })),
        "{error}"
    );
}

#[tokio::test]
async fn with_threshold_three_two_factors_do_not_open() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let mut account = owner.account(&world).await;
    let error = account
        .change()
        .threshold(3)
        .unwrap()
        .commit()
        .await
        .unwrap_err();
    assert!(
        matches!(error, CommitError::Change(ChangeError::NoSpareFactor)),
        "{error}"
    );

    let mut draft = account.change();
    draft
        .threshold(3)
        .unwrap()
        .recovery_phrase("spare")
        .unwrap();
    let spare = draft.recovery_phrase_words().unwrap().to_string();
    draft.prove_recovery_phrase(&spare).unwrap();
    draft.commit().await.unwrap();
    assert_eq!((account.threshold(), account.epoch()), (3, 3));

    let mut pending = needs_factors(open(&owner.phone.app(&world), &world, "alice").await);
    assert_eq!(pending.missing(), 1);
    pending.provide(phrase(&spare)).await.unwrap();
    assert_eq!(
        ready(pending.open().await.unwrap()).ethereum_address(),
        owner.address
    );

    let mut pending = needs_factors(open(&Phone::new().app(&world), &world, "alice").await);
    pending.provide(owner.phrase()).await.unwrap();
    assert_eq!(pending.missing(), 1);
    pending.provide(phrase(&spare)).await.unwrap();
    let mut account = ready(pending.open().await.unwrap());

    account
        .change()
        .threshold(2)
        .unwrap()
        .commit()
        .await
        .unwrap();
    assert_eq!(
        owner.account(&world).await.ethereum_address(),
        owner.address
    );
}

#[tokio::test]
async fn a_refresh_changes_shares_and_nothing_else() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let mut account = owner.account(&world).await;
    let (epoch, factors) = (account.epoch(), account.factors().to_vec());
    account.change().refresh().unwrap().commit().await.unwrap();
    assert_eq!(
        (account.epoch(), account.factors()),
        (epoch + 1, factors.as_slice())
    );
    assert_eq!(
        owner.account(&world).await.ethereum_address(),
        owner.address
    );
    assert_eq!(
        owner.account_elsewhere(&world).await.ethereum_address(),
        owner.address
    );
}

#[tokio::test]
async fn a_second_phone_becomes_a_factor_of_its_own() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let tablet = Phone::new();
    let mut pending = needs_factors(open(&tablet.app(&world), &world, "alice").await);
    pending.provide(owner.phrase()).await.unwrap();
    let mut account = ready(pending.open().await.unwrap());
    account
        .change()
        .device("tablet")
        .unwrap()
        .commit()
        .await
        .unwrap();
    // Both phones open with the social login alone from now on.
    assert_eq!(
        ready(open(&tablet.app(&world), &world, "alice").await).ethereum_address(),
        owner.address
    );
    let mut account = owner.account(&world).await;
    assert_eq!(account.factors().len(), 4);
    assert!(matches!(
        account.change().device("again"),
        Err(DraftError::DeviceEnrolled)
    ));

    // A lost phone is removed from the other one; the account opened there before is told so.
    let lost = index_of(&account, "phone");
    let mut on_tablet = ready(open(&tablet.app(&world), &world, "alice").await);
    on_tablet
        .change()
        .remove(lost)
        .unwrap()
        .commit()
        .await
        .unwrap();
    let error = account
        .change()
        .refresh()
        .unwrap()
        .commit()
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            CommitError::Metadata(metadata::CommitError::Stale { .. })
        ),
        "{error}"
    );
    assert_eq!(
        needs_factors(open(&owner.phone.app(&world), &world, "alice").await).missing(),
        1
    );
}

#[tokio::test]
async fn a_dapp_share_is_for_custom_verifiers_with_mfa_on() {
    let world = World::start().await.unwrap();
    let house = VerifierId::new("house").unwrap();
    let phone = Phone::new();
    let app = phone.app_with(&world, |builder| builder.custom_verifier(house.clone()));

    // By Google's login: never.
    let owner = Owner::new(&world, "alice").await;
    let mut account = owner.account(&world).await;
    assert!(matches!(
        account.change().dapp_share("app"),
        Err(DraftError::DappShareNotAllowed)
    ));

    let login = app.begin_login();
    let token = world
        .id_token_for("acme", "house", "carol", &login.oidc_nonce())
        .unwrap();
    let locked = login.complete(&house, &token).await.unwrap();
    let mut account = ready(
        no_account(locked.open().await.unwrap())
            .create()
            .await
            .unwrap(),
    );
    let address = account.ethereum_address();
    // MFA still off: not yet.
    assert!(matches!(
        account.change().dapp_share("app"),
        Err(DraftError::DappShareNotAllowed)
    ));
    assert!(matches!(
        account.enable_mfa().dapp_share("app"),
        Err(DraftError::DappShareNotAllowed)
    ));
    crate::common::upgrade(&mut account).await;
    let mut draft = account.change();
    draft.dapp_share("app").unwrap();
    let words = draft.dapp_share_words().unwrap().to_string();
    assert_eq!(words.split(' ').count(), 24);
    assert!(matches!(
        draft.commit().await,
        Err(CommitError::NotProven(FactorKind::DappShare))
    ));
    draft.prove_dapp_share(&words).unwrap();
    draft.commit().await.unwrap();

    let app = Phone::new().app_with(&world, |builder| builder.custom_verifier(house.clone()));
    let login = app.begin_login();
    let token = world
        .id_token_for("acme", "house", "carol", &login.oidc_nonce())
        .unwrap();
    let mut pending = needs_factors(
        login
            .complete(&house, &token)
            .await
            .unwrap()
            .open()
            .await
            .unwrap(),
    );
    pending
        .provide(trefoil::DappShare::parse(&words).unwrap())
        .await
        .unwrap();
    assert_eq!(
        ready(pending.open().await.unwrap()).ethereum_address(),
        address
    );
}

#[tokio::test]
async fn a_removed_social_login_may_enrol_in_its_next_generation() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let app = owner.phone.app(&world);
    let mut account = ready(open(&app, &world, "alice").await);

    // The social secret has leaked: the first generation is replaced by the second in one commit.
    let login = app.begin_login();
    let token = world.id_token("alice", &login.oidc_nonce()).unwrap();
    let second = login
        .factor(&crate::common::google(), &token, 1)
        .await
        .unwrap();
    let mut draft = account.change();
    draft
        .remove(1)
        .unwrap()
        .social("google again", second)
        .unwrap();
    draft.commit().await.unwrap();

    // Logging in finds the second generation by itself, also on a new phone.
    let phone = Phone::new();
    let mut pending = needs_factors(open(&phone.app(&world), &world, "alice").await);
    pending.provide(owner.phrase()).await.unwrap();
    assert_eq!(
        ready(pending.open().await.unwrap()).ethereum_address(),
        owner.address
    );
    let account = ready(open(&owner.phone.app(&world), &world, "alice").await);
    assert_eq!(account.ethereum_address(), owner.address);
}

#[tokio::test]
async fn a_strangers_phrase_is_told_from_a_wrong_one() {
    let world = World::start().await.unwrap();
    let (alice, bob) = (
        Owner::new(&world, "alice").await,
        Owner::new(&world, "bob").await,
    );
    let mut pending = needs_factors(open(&Phone::new().app(&world), &world, "alice").await);
    assert!(matches!(
        pending.provide(bob.phrase()).await.unwrap_err(),
        ProvideError::NotOfThisAccount
    ));
    let nobodys = RecoveryPhrase::generate(
        &mut trefoil_testkit::environment::os_rng(),
        trefoil::WordCount::Twelve,
    );
    assert!(matches!(
        pending.provide(nobodys).await.unwrap_err(),
        ProvideError::NotOfThisAccount
    ));
    pending.provide(alice.phrase()).await.unwrap();
    assert!(matches!(
        pending.provide(alice.phrase()).await.unwrap_err(),
        ProvideError::AlreadyGiven
    ));
    assert_eq!(
        ready(pending.open().await.unwrap()).ethereum_address(),
        alice.address
    );

    let nobody = RecoveryPhrase::generate(
        &mut trefoil_testkit::environment::os_rng(),
        trefoil::WordCount::TwentyFour,
    );
    let locked = Phone::new()
        .app(&world)
        .log_in_with([nobody.into()])
        .await
        .unwrap();
    assert!(!no_account(locked.open().await.unwrap()).can_create());
    assert!(
        log_in(&Phone::new().app(&world), &world, "alice")
            .await
            .is_ok()
    );
}
