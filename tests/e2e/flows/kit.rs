//! The recovery kit: opening with every server gone.

use trefoil::{AccountError, Factor, OfflineError, RecoveryKit, open_kit};
use trefoil_testkit::servers::World;

use crate::common::{Owner, Phone, create, open, ready, social_factor};

#[tokio::test]
async fn two_factors_open_the_kit_offline_and_one_does_not() {
    let mut world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let social: Factor = social_factor(&owner.phone.app(&world), &world, "alice")
        .await
        .into();
    let text = owner
        .account(&world)
        .await
        .recovery_kit()
        .await
        .unwrap()
        .to_text();
    world.stop().await;

    let kit = RecoveryKit::parse(&text).unwrap();
    let wallet = open_kit(&kit, [social.clone(), owner.phrase()]).unwrap();
    assert_eq!(wallet.ethereum_address(), owner.address);
    assert_eq!(
        open_kit(&kit, [owner.phrase(), social.clone()])
            .unwrap()
            .ethereum_address(),
        owner.address
    );

    for one in [social.clone(), owner.phrase()] {
        match open_kit(&kit, [one]).unwrap_err() {
            OfflineError::NeedsFactors { missing, known } => {
                assert_eq!((missing, known.len()), (1, 3));
            }
            other => panic!("{other}"),
        }
    }
    assert!(matches!(
        open_kit(&kit, []).unwrap_err(),
        OfflineError::NoFactor
    ));
    assert!(matches!(
        open_kit(&kit, [social.clone(), social]).unwrap_err(),
        OfflineError::Opening(_)
    ));
}

#[tokio::test]
async fn a_one_click_kit_opens_with_the_social_factor_alone() {
    let mut world = World::start().await.unwrap();
    let app = Phone::new().app(&world);
    let account = create(&app, &world, "alice").await;
    let social = social_factor(&app, &world, "alice").await;
    let kit = account.recovery_kit().await.unwrap();
    world.stop().await;
    let wallet = open_kit(&kit, [social.into()]).unwrap();
    assert_eq!(wallet.ethereum_address(), account.ethereum_address());
}

#[tokio::test]
async fn strangers_factors_and_damaged_texts_are_named() {
    let world = World::start().await.unwrap();
    let (alice, bob) = (
        Owner::new(&world, "alice").await,
        Owner::new(&world, "bob").await,
    );
    let kit = alice.account(&world).await.recovery_kit().await.unwrap();
    assert!(matches!(
        open_kit(&kit, [alice.phrase(), bob.phrase()]).unwrap_err(),
        OfflineError::Opening(_)
    ));

    let text = kit.to_text();
    for (at, _) in text.char_indices().step_by(97) {
        let mut damaged = text.clone().into_bytes();
        damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
        let damaged = String::from_utf8(damaged).unwrap();
        if let Ok(same) = RecoveryKit::parse(&damaged) {
            // Only what is not part of the content may differ, such as a line's end.
            assert_eq!(same, kit);
        }
    }
    for cut in [0, 1, text.len() / 2, text.len() - 40] {
        assert!(RecoveryKit::parse(&text[..cut]).is_err());
    }
    assert!(RecoveryKit::parse(&"A".repeat(3 << 20)).is_err());
}

#[tokio::test]
async fn an_account_that_has_changed_gives_no_stale_kit() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let stale = owner.account(&world).await;
    let mut current = ready(open(&owner.phone.app(&world), &world, "alice").await);
    current.change().refresh().unwrap().commit().await.unwrap();
    assert!(matches!(
        stale.recovery_kit().await.unwrap_err(),
        AccountError::Stale
    ));
    let kinds: Vec<_> = current
        .events()
        .await
        .unwrap()
        .into_iter()
        .map(|event| event.body)
        .collect();
    assert!(
        kinds
            .iter()
            .any(|body| matches!(body, trefoil_protocol::event::EventBody::KitExported {}))
    );
}
