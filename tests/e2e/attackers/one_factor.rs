//! The user's social account alone, or the device alone, after MFA is on: one factor, and never the key.

use trefoil::device::{DeviceStore, FileDeviceStore};
use trefoil_client::Session;
use trefoil_client::metadata::{DeleteError, KitError};
use trefoil_protocol::factor::FactorKeys;
use trefoil_protocol::opening::OpeningError;
use trefoil_protocol::problem::ProblemCode;
use trefoil_testkit::servers::World;

use super::toolkit::{Loot, acme, raw_client, social_keys};
use crate::common::{Owner, Phone, create, needs_factors};

fn device_keys(phone: &Phone) -> FactorKeys {
    let store = FileDeviceStore::in_directory(phone.directory())
        .read()
        .unwrap();
    let secret = store
        .secrets(&acme())
        .next()
        .unwrap()
        .factor_secret()
        .clone();
    FactorKeys::derive(&acme(), &secret)
}

#[tokio::test]
async fn one_factor_shows_the_state_and_opens_nothing() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let client = raw_client(&world, "acme");
    let phrase = trefoil::RecoveryPhrase::parse(&owner.words)
        .unwrap()
        .factor_secret();
    for keys in [
        social_keys(&world, "alice").await,
        device_keys(&owner.phone),
        FactorKeys::derive(&acme(), &phrase),
    ] {
        // The server hands out this factor's envelope and no other.
        let login = client.login(&[keys.auth()]).await.unwrap();
        assert_eq!(login.envelopes.len(), 1);
        assert!(login.sealed_nonce.is_none());
        // Even all envelopes do not help.
        let loot = Loot::only(world.metadata_directory());
        let opening = loot.begin(std::slice::from_ref(&keys)).unwrap();
        assert_eq!((opening.missing(), opening.state().factors.len()), (1, 3));
        assert!(matches!(
            opening.complete(None),
            Err(OpeningError::Shares(_))
        ));
    }
}

#[tokio::test]
async fn one_factor_cannot_export_delete_or_write() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let client = raw_client(&world, "acme");
    let keys = social_keys(&world, "alice").await;
    let login = client.login(&[keys.auth()]).await.unwrap();
    let session = Session::of(&login);

    // Kit and deletion want the account's own signature, not a factor's.
    match client.kit(&session, keys.auth()).await.unwrap_err() {
        KitError::Refused(problem) => assert_eq!(problem.code, ProblemCode::WrongKey),
        other => panic!("{other}"),
    }
    match client.delete(&session, keys.auth()).await.unwrap_err() {
        DeleteError::Refused(problem) => assert_eq!(problem.code, ProblemCode::WrongKey),
        other => panic!("{other}"),
    }
    assert!(matches!(
        client.nonce(&session).await.unwrap_err(),
        trefoil_client::metadata::NonceError::NoNonce
    ));
    // Nothing was changed.
    assert_eq!(
        owner.account(&world).await.ethereum_address(),
        owner.address
    );
}

#[tokio::test]
async fn a_session_of_one_account_reaches_no_other() {
    let world = World::start().await.unwrap();
    let victim = create(&Phone::new().app(&world), &world, "alice").await;
    create(&Phone::new().app(&world), &world, "mallory").await;
    let keys = social_keys(&world, "mallory").await;
    let client = raw_client(&world, "acme");
    let mut login = client.login(&[keys.auth()]).await.unwrap();
    login.account_id = victim.id();
    let session = Session::of(&login);
    for code in [
        match client.read(&session).await.unwrap_err() {
            trefoil_client::metadata::ReadError::Refused(problem) => problem.code,
            other => panic!("{other}"),
        },
        match client.nonce(&session).await.unwrap_err() {
            trefoil_client::metadata::NonceError::Refused(problem) => problem.code,
            other => panic!("{other}"),
        },
        match client.events(&session).await.unwrap_err() {
            trefoil_client::metadata::EventsError::Refused(problem) => problem.code,
            other => panic!("{other}"),
        },
    ] {
        assert_eq!(code, ProblemCode::WrongSession);
    }
}

#[tokio::test]
async fn a_copied_device_store_is_one_factor() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let thief = Phone::new();
    for entry in std::fs::read_dir(owner.phone.directory()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), thief.directory().join(entry.file_name())).unwrap();
    }
    let keys = device_keys(&thief);
    let locked = thief
        .app(&world)
        .log_in_with([trefoil::Factor::new(trefoil::FactorKind::Device, {
            let store = FileDeviceStore::in_directory(thief.directory())
                .read()
                .unwrap();
            store
                .secrets(&acme())
                .next()
                .unwrap()
                .factor_secret()
                .clone()
        })])
        .await
        .unwrap();
    assert_eq!(needs_factors(locked.open().await.unwrap()).missing(), 1);
    let loot = Loot::only(world.metadata_directory());
    assert!(matches!(loot.open(&[keys]), Err(OpeningError::Shares(_))));

    // The owner removes the stolen device from another one; from then on it is not even one factor.
    let mut account = owner.account_elsewhere(&world).await;
    let phone = crate::common::index_of(&account, "phone");
    let mut draft = account.change();
    draft
        .remove(phone)
        .unwrap()
        .accept_no_spare_factor()
        .unwrap();
    draft.commit().await.unwrap();
    assert!(matches!(
        Loot::only(world.metadata_directory()).begin(&[device_keys(&thief)]),
        Err(OpeningError::NotEnrolled)
    ));
}
