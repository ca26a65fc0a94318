//! Bringing an existing key.

use trefoil::{CreateError, EthereumAddress, KeyScalar};
use trefoil_client::metadata;
use trefoil_testkit::servers::World;

use crate::common::{Owner, Phone, create, no_account, open, ready, upgrade};

const KEY: [u8; 32] = [0x42; 32];

fn address() -> EthereumAddress {
    EthereumAddress::of(&KeyScalar::from_bytes(&KEY).unwrap().public_point())
}

#[tokio::test]
async fn an_imported_key_keeps_its_address_through_everything() {
    let world = World::start().await.unwrap();
    let phone = Phone::new();
    let new = no_account(open(&phone.app(&world), &world, "alice").await);
    let mut account = ready(new.import(&KEY).await.unwrap());
    assert_eq!(account.ethereum_address(), address());
    assert_eq!(account.wallet_key().to_bytes().as_slice(), KEY);
    upgrade(&mut account).await;
    assert_eq!(
        ready(open(&phone.app(&world), &world, "alice").await).ethereum_address(),
        address()
    );
}

#[tokio::test]
async fn bytes_that_are_no_key_are_refused_before_anything_is_sent() {
    let world = World::start().await.unwrap();
    for bytes in [[0; 32], [0xff; 32]] {
        let phone = Phone::new();
        let new = no_account(open(&phone.app(&world), &world, "alice").await);
        phone.wire.reset();
        assert!(matches!(
            new.import(&bytes).await.unwrap_err(),
            CreateError::NotAKey
        ));
        assert_eq!(phone.wire.sent(), 0);
    }
}

#[tokio::test]
async fn the_same_key_twice_in_one_tenant_is_its_own_error() {
    let world = World::start().await.unwrap();
    let import = |user: &'static str| {
        let world = &world;
        async move {
            no_account(open(&Phone::new().app(world), world, user).await)
                .import(&KEY)
                .await
        }
    };
    ready(import("alice").await.unwrap());
    let error = import("bob").await.unwrap_err();
    assert!(
        matches!(
            error,
            CreateError::Metadata(metadata::CreateError::AccountExists)
        ),
        "{error}"
    );
    // Another tenant knows nothing of it.
    let phone = Phone::new();
    let other = phone.app_with(&world, |builder| builder.tenant("other"));
    let account = ready(
        no_account(open(&other, &world, "alice").await)
            .import(&KEY)
            .await
            .unwrap(),
    );
    assert_eq!(account.ethereum_address(), address());
}

#[tokio::test]
async fn an_import_that_comes_second_says_that_the_key_was_not_used() {
    let world = World::start().await.unwrap();
    let slow = no_account(open(&Phone::new().app(&world), &world, "alice").await);
    create(&Phone::new().app(&world), &world, "alice").await;
    assert!(matches!(
        slow.import(&KEY).await.unwrap_err(),
        CreateError::ImportOvertaken
    ));
}

#[tokio::test]
async fn the_vault_travels_with_the_account() {
    use trefoil::{VaultItem, VaultKind, VaultSecret};
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let mut account = owner.account(&world).await;
    let mut vault = account.vault().clone();
    vault
        .add(VaultItem {
            name: "old wallet".into(),
            kind: VaultKind::Secp256k1Key,
            secret: VaultSecret::new(KEY.to_vec()),
        })
        .unwrap();
    account
        .change()
        .vault(vault)
        .unwrap()
        .commit()
        .await
        .unwrap();
    let elsewhere = owner.account_elsewhere(&world).await;
    let item = elsewhere.vault().items().first().unwrap();
    assert_eq!(
        (item.name.as_str(), item.secret.expose_secret()),
        ("old wallet", &KEY[..])
    );
    // A one-click account has one too.
    let mut account = create(&Phone::new().app(&world), &world, "carol").await;
    let vault = elsewhere.vault().clone();
    account
        .change()
        .vault(vault)
        .unwrap()
        .commit()
        .await
        .unwrap();
    assert_eq!(
        ready(open(&Phone::new().app(&world), &world, "carol").await)
            .vault()
            .items()
            .len(),
        1
    );
}
