//! The whole life of a wallet against real servers.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;

use trefoil::device::MemoryDeviceStore;
use trefoil::{
    Account, DappShare, Factor, Locked, MfaLevel, MfaPrompt, Opened, RecoveryKit, RecoveryPhrase,
    Trefoil, VerifierId, open_kit,
};
use trefoil_testkit::servers::{Verifier, World, WorldOptions};

const VERIFIER: &str = "acme-login";

async fn world() -> World {
    let verifiers = vec![Verifier::new("acme", VERIFIER).custom()];
    World::with(WorldOptions {
        verifiers,
        ..WorldOptions::default()
    })
    .await
    .unwrap()
}

fn app(world: &World, device: &Arc<MemoryDeviceStore>, level: MfaLevel) -> Trefoil {
    Trefoil::builder(world.metadata_url(), world.manifest().clone())
        .tenant("acme")
        .device_store(Arc::clone(device))
        .mfa_level(level)
        .custom_verifier(VerifierId::new(VERIFIER).unwrap())
        .build()
        .unwrap()
}

async fn log_in(world: &World, app: &Trefoil, user: &str) -> Locked {
    let login = app.begin_login();
    let token = world.id_token(user, &login.oidc_nonce()).unwrap();
    login
        .complete(&VerifierId::new(VERIFIER).unwrap(), &token)
        .await
        .unwrap()
}

fn ready(opened: Opened) -> Account {
    match opened {
        Opened::Ready(account) => account,
        other => panic!("not open: {other:?}"),
    }
}

async fn create(world: &World, app: &Trefoil, user: &str) -> Account {
    match log_in(world, app, user).await.open().await.unwrap() {
        Opened::NoAccount(new) => ready(new.create().await.unwrap()),
        other => panic!("already there: {other:?}"),
    }
}

/// Upgrades to device, phrase and social login; returns the phrase.
async fn enable_mfa(account: &mut Account) -> String {
    let mut draft = account.enable_mfa();
    draft
        .device("laptop")
        .unwrap()
        .recovery_phrase("paper")
        .unwrap();
    let words = draft.recovery_phrase_words().unwrap();
    assert!(
        draft.commit().await.is_err(),
        "the phrase must be proven first"
    );
    draft
        .prove_recovery_phrase(&words)
        .unwrap()
        .commit()
        .await
        .unwrap();
    words.to_string()
}

#[tokio::test]
async fn one_click_grows_into_two_of_n() {
    let world = world().await;
    let device = Arc::new(MemoryDeviceStore::new());
    let app = app(&world, &device, MfaLevel::Default);

    let account = create(&world, &app, "alice").await;
    let address = account.ethereum_address();

    // Back with one click, from anywhere: two sequential round trips.
    app.round_trips().reset();
    let mut account = ready(log_in(&world, &app, "alice").await.open().await.unwrap());
    assert_eq!(app.round_trips().count(), 2);
    assert_eq!(account.ethereum_address(), address);
    assert_eq!(account.logins(), 2);

    let words = enable_mfa(&mut account).await;
    assert_eq!(
        (
            account.threshold(),
            account.factors().len(),
            account.epoch()
        ),
        (2, 3, 2)
    );
    assert_eq!(account.ethereum_address(), address);

    // Social and device: the device joins by itself.
    app.round_trips().reset();
    let account = ready(log_in(&world, &app, "alice").await.open().await.unwrap());
    assert_eq!(app.round_trips().count(), 2);
    assert_eq!(account.ethereum_address(), address);
    assert_eq!(account.mfa_prompt(), MfaPrompt::None);

    // Device and phrase, without the provider.
    let phrase = || RecoveryPhrase::parse(&words).unwrap();
    let mut account = ready(
        app.log_in_with([phrase().into()])
            .await
            .unwrap()
            .open()
            .await
            .unwrap(),
    );
    assert_eq!(account.ethereum_address(), address);

    // Social and phrase, on a new device.
    let elsewhere = self::app(
        &world,
        &Arc::new(MemoryDeviceStore::new()),
        MfaLevel::Default,
    );
    let Opened::NeedsFactors(mut pending) = log_in(&world, &elsewhere, "alice")
        .await
        .open()
        .await
        .unwrap()
    else {
        panic!("one factor must not open");
    };
    assert_eq!(pending.missing(), 1);
    assert_eq!(pending.available().count(), 2);
    pending.provide(phrase()).await.unwrap();
    assert_eq!(
        ready(pending.open().await.unwrap()).ethereum_address(),
        address
    );

    // A fourth factor in the same epoch, then the phrase goes.
    let mut draft = account.change();
    draft.dapp_share("backend").unwrap();
    let share = draft.dapp_share_words().unwrap();
    draft
        .prove_dapp_share(&share)
        .unwrap()
        .commit()
        .await
        .unwrap();
    assert_eq!((account.epoch(), account.factors().len()), (2, 4));
    let index = account
        .factors()
        .iter()
        .find(|note| note.label == "paper")
        .unwrap()
        .index;
    account
        .change()
        .remove(index)
        .unwrap()
        .commit()
        .await
        .unwrap();
    assert_eq!((account.epoch(), account.factors().len()), (3, 3));
    let refused = elsewhere.log_in_with([phrase().into()]).await.unwrap_err();
    assert!(refused.to_string().contains("removed"), "{refused}");

    // The kit opens with dApp share and device, every server gone.
    let kit = account.recovery_kit().await.unwrap().to_text();
    let share: Factor = DappShare::parse(&share).unwrap().into();
    let account_id = account.id();
    drop((account, world));
    let kit = RecoveryKit::parse(&kit).unwrap();
    let state = trefoil::device::DeviceStore::read(&*device).unwrap();
    let secret = state
        .secrets(app.tenant())
        .find(|secret| secret.account_id() == account_id)
        .unwrap();
    let device = Factor::new(trefoil::FactorKind::Device, secret.factor_secret().clone());
    assert!(open_kit(&kit, [share.clone()]).is_err());
    assert_eq!(
        open_kit(&kit, [share, device]).unwrap().ethereum_address(),
        address
    );
}

#[tokio::test]
async fn mandatory_mfa_hands_out_no_account_before_it_is_on() {
    let world = world().await;
    let app = app(
        &world,
        &Arc::new(MemoryDeviceStore::new()),
        MfaLevel::Mandatory,
    );
    let Opened::NoAccount(new) = log_in(&world, &app, "bob").await.open().await.unwrap() else {
        panic!("bob is new");
    };
    let Opened::NeedsMfa(required) = new.create().await.unwrap() else {
        panic!("mandatory");
    };
    let mut required = *required.into_account().unwrap_err();
    let address = required.ethereum_address();
    let mut draft = required.enable_mfa();
    draft
        .device("phone")
        .unwrap()
        .recovery_phrase("paper")
        .unwrap();
    let words = draft.recovery_phrase_words().unwrap();
    draft
        .prove_recovery_phrase(&words)
        .unwrap()
        .commit()
        .await
        .unwrap();
    let account = required.into_account().unwrap();
    assert_eq!(account.ethereum_address(), address);
    assert_eq!(account.mfa_prompt(), MfaPrompt::None);
}

#[tokio::test]
async fn an_existing_key_is_imported_as_it_is() {
    let world = world().await;
    let app = app(&world, &Arc::new(MemoryDeviceStore::new()), MfaLevel::None);
    let Opened::NoAccount(new) = log_in(&world, &app, "carol").await.open().await.unwrap() else {
        panic!("carol is new");
    };
    let account = ready(new.import(&[7; 32]).await.unwrap());
    assert_eq!(account.wallet_key().to_bytes().as_slice(), [7; 32]);
    let again = ready(log_in(&world, &app, "carol").await.open().await.unwrap());
    assert_eq!(again.ethereum_address(), account.ethereum_address());
}

#[tokio::test]
async fn a_server_set_back_is_refused_and_restored_after_a_warning() {
    let mut world = world().await;
    let device = Arc::new(MemoryDeviceStore::new());
    let app = app(&world, &device, MfaLevel::Default);
    let mut account = create(&world, &app, "dave").await;
    let address = account.ethereum_address();
    enable_mfa(&mut account).await;
    let backup = world.backup().await.unwrap();
    account.change().refresh().unwrap().commit().await.unwrap();
    account.change().refresh().unwrap().commit().await.unwrap();
    let revision = account.revision();
    world.restore(&backup).await.unwrap();

    let Opened::RolledBack(rolled) = log_in(&world, &app, "dave").await.open().await.unwrap()
    else {
        panic!("the past must be noticed");
    };
    assert_eq!(rolled.missing().unwrap(), 0);
    let restored = ready(rolled.restore_after_warning().await.unwrap());
    assert_eq!(restored.ethereum_address(), address);
    assert_eq!(restored.revision(), revision + 1);
    let again = ready(log_in(&world, &app, "dave").await.open().await.unwrap());
    assert_eq!(
        (again.ethereum_address(), again.revision()),
        (address, revision + 1)
    );
}

#[tokio::test]
async fn a_removed_social_login_comes_back_as_its_next_generation() {
    let world = world().await;
    let device = Arc::new(MemoryDeviceStore::new());
    let app = app(&world, &device, MfaLevel::Default);
    let mut account = create(&world, &app, "erin").await;
    let (id, address) = (account.id(), account.ethereum_address());
    let words = enable_mfa(&mut account).await;

    // Replace the leaked social secret: generation 1 in, generation 0 out, one commit.
    let login = app.begin_login();
    let token = world.id_token("erin", &login.oidc_nonce()).unwrap();
    let next = login
        .factor(&VerifierId::new(VERIFIER).unwrap(), &token, 1)
        .await
        .unwrap();
    let mut draft = account.change();
    draft.social("again", next).unwrap().remove(1).unwrap();
    draft.commit().await.unwrap();

    // The same login finds the account by the new generation, with the device and without it.
    let account = ready(log_in(&world, &app, "erin").await.open().await.unwrap());
    assert_eq!(account.ethereum_address(), address);
    let elsewhere = self::app(
        &world,
        &Arc::new(MemoryDeviceStore::new()),
        MfaLevel::Default,
    );
    let Opened::NeedsFactors(mut pending) = log_in(&world, &elsewhere, "erin")
        .await
        .open()
        .await
        .unwrap()
    else {
        panic!("one factor must not open");
    };
    pending
        .provide(RecoveryPhrase::parse(&words).unwrap())
        .await
        .unwrap();
    assert_eq!(
        ready(pending.open().await.unwrap()).ethereum_address(),
        address
    );

    // Without any social login: the device and the phrase.
    let Opened::NeedsFactors(mut pending) = app
        .log_in_with_device(&id)
        .await
        .unwrap()
        .open()
        .await
        .unwrap()
    else {
        panic!("one factor must not open");
    };
    pending
        .provide(RecoveryPhrase::parse(&words).unwrap())
        .await
        .unwrap();
    assert_eq!(
        ready(pending.open().await.unwrap()).ethereum_address(),
        address
    );
}

#[tokio::test]
async fn whose_every_generation_was_removed_can_start_over_in_the_next_one() {
    let world = world().await;
    let app = app(
        &world,
        &Arc::new(MemoryDeviceStore::new()),
        MfaLevel::Default,
    );
    let mut account = create(&world, &app, "frank").await;
    let old = account.ethereum_address();
    enable_mfa(&mut account).await;
    let mut draft = account.change();
    draft.remove(1).unwrap().accept_no_spare_factor().unwrap();
    draft.commit().await.unwrap();
    assert_eq!(account.mfa_prompt(), MfaPrompt::Required);

    let elsewhere = self::app(
        &world,
        &Arc::new(MemoryDeviceStore::new()),
        MfaLevel::Default,
    );
    let new = create(&world, &elsewhere, "frank").await;
    assert_ne!(new.ethereum_address(), old);
    let again = ready(
        log_in(&world, &elsewhere, "frank")
            .await
            .open()
            .await
            .unwrap(),
    );
    assert_eq!(again.ethereum_address(), new.ethereum_address());
}

#[tokio::test]
async fn a_deleted_account_is_gone_and_its_login_free() {
    let world = world().await;
    let device = Arc::new(MemoryDeviceStore::new());
    let app = app(&world, &device, MfaLevel::None);
    let other = self::app(&world, &Arc::new(MemoryDeviceStore::new()), MfaLevel::None);
    let account = create(&world, &app, "grace").await;
    let id = account.id();
    let seen_there = ready(log_in(&world, &other, "grace").await.open().await.unwrap());
    assert_eq!(seen_there.id(), id);
    account.delete().await.unwrap();
    assert_eq!(app.known_accounts().unwrap(), []);
    assert_ne!(create(&world, &app, "grace").await.id(), id);

    // A device that knew the deleted account does not take another one for it until its user says so.
    let login = other.begin_login();
    let token = world.id_token("grace", &login.oidc_nonce()).unwrap();
    let refused = login
        .complete(&VerifierId::new(VERIFIER).unwrap(), &token)
        .await
        .unwrap_err();
    assert!(
        matches!(refused, trefoil::LoginError::OtherAccount { pinned, .. } if pinned == id),
        "{refused}"
    );
    other.forget_account(&id).unwrap();
    assert_ne!(
        ready(log_in(&world, &other, "grace").await.open().await.unwrap()).id(),
        id
    );
}
