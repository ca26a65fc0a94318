//! The user's social account and a dump of the metadata server from before the upgrade.

use trefoil_protocol::opening::OpeningError;
use trefoil_testkit::servers::World;

use super::toolkit::{Loot, social_keys};
use crate::common::{Phone, create, upgrade};

#[tokio::test]
async fn without_the_nonce_store_it_is_one_factor_and_with_it_the_key() {
    let world = World::start().await.unwrap();
    let phone = Phone::new();
    let mut account = create(&phone.app(&world), &world, "alice").await;
    let before = Loot::only(world.metadata_directory());
    upgrade(&mut account).await;
    let after = Loot::only(world.metadata_directory());
    let social = social_keys(&world, "alice").await;

    // The nonce is in no file any more.
    assert!(after.nonces.is_empty());
    assert!(matches!(
        after.open(std::slice::from_ref(&social)),
        Err(OpeningError::Shares(_))
    ));
    let records_only = Loot {
        nonces: Vec::new(),
        ..before.clone()
    };
    assert!(matches!(
        records_only.open(std::slice::from_ref(&social)),
        Err(OpeningError::NonceNeeded)
    ));
    // A stolen nonce store makes it the key, for ever; the custody report says so.
    assert_eq!(
        before.open(&[social]).unwrap().public_key(),
        account.public_key()
    );
}
