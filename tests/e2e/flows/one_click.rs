//! A wallet in one click.

use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use trefoil::{Custody, Opened};
use trefoil_testkit::servers::World;

use crate::common::{Phone, create, log_in, no_account, open, ready};

#[tokio::test]
async fn the_same_wallet_opens_again_here_and_elsewhere_in_two_round_trips() {
    let world = World::start().await.unwrap();
    let phone = Phone::new();
    let app = phone.app(&world);
    let account = create(&app, &world, "alice").await;
    // Nodes, login, create.
    assert_eq!(app.round_trips().count(), 3);
    assert_eq!(
        (account.custody(), account.threshold(), account.logins()),
        (Custody::OneClick, 1, 1)
    );
    let address = account.ethereum_address();

    for (phone, logins) in [(&phone, 2), (&Phone::new(), 3)] {
        let app = phone.app(&world);
        let account = ready(open(&app, &world, "alice").await);
        assert_eq!(app.round_trips().count(), 2);
        assert_eq!(account.ethereum_address(), address);
        assert_eq!(account.logins(), logins);
    }
    let other = create(&Phone::new().app(&world), &world, "bob").await;
    assert_ne!(other.ethereum_address(), address);
}

#[tokio::test]
async fn creating_is_a_step_that_an_app_can_leave_out() {
    let world = World::start().await.unwrap();
    let phone = Phone::new();
    for _ in 0..2 {
        let app = phone.app(&world);
        let new = no_account(open(&app, &world, "alice").await);
        assert!(new.can_create());
        drop(new);
    }
    create(&phone.app(&world), &world, "alice").await;
}

#[tokio::test]
async fn a_signature_recovers_the_address() {
    let world = World::start().await.unwrap();
    let account = create(&Phone::new().app(&world), &world, "alice").await;
    let hash = [7; 32];
    let signature = account.sign_prehash(&hash);
    let recovered = VerifyingKey::recover_from_prehash(
        &hash,
        &Signature::from_slice(&signature.bytes).unwrap(),
        RecoveryId::from_byte(signature.recovery_id).unwrap(),
    )
    .unwrap();
    assert_eq!(
        recovered,
        VerifyingKey::from(account.wallet_key().public_key())
    );
    assert_eq!(
        recovered.to_sec1_point(true).as_bytes(),
        account.public_key().to_bytes()
    );
}

#[tokio::test]
async fn a_wrong_clock_does_no_harm() {
    let world = World::start().await.unwrap();
    let phone = Phone::new();
    for ahead in [-80_000, 80_000] {
        let app = phone.app_with(&world, |builder| {
            builder.environment(trefoil_testkit::environment::environment(
                trefoil_testkit::environment::WrongClock { ahead },
                1,
            ))
        });
        match open(&app, &world, "alice").await {
            Opened::NoAccount(new) => drop(ready(new.create().await.unwrap())),
            opened => drop(ready(opened)),
        }
    }
}

#[tokio::test]
async fn servers_that_are_away_are_named_and_nothing_is_lost() {
    let mut world = World::start().await.unwrap();
    let phone = Phone::new();
    let address = create(&phone.app(&world), &world, "alice")
        .await
        .ethereum_address();

    world.metadata.kill().await;
    let error = log_in(&phone.app(&world), &world, "alice")
        .await
        .unwrap_err();
    assert!(
        matches!(
            &error,
            trefoil::LoginError::Metadata(trefoil_client::metadata::LoginError::Offline(_))
        ),
        "{error}"
    );
    world.metadata.start_again().unwrap();

    // One of three nodes may be away, two may not.
    world.nodes[2].kill().await;
    assert_eq!(
        ready(open(&phone.app(&world), &world, "alice").await).ethereum_address(),
        address
    );
    world.nodes[0].kill().await;
    let error = log_in(&phone.app(&world), &world, "alice")
        .await
        .unwrap_err();
    assert!(
        matches!(
            &error,
            trefoil::LoginError::Network(trefoil_client::network::SocialError::Offline { .. })
        ),
        "{error}"
    );
    world.nodes[0].start_again().unwrap();
    assert_eq!(
        ready(open(&phone.app(&world), &world, "alice").await).ethereum_address(),
        address
    );
}
