//! Servers that die in the middle.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use trefoil_testkit::servers::World;

use crate::common::{Owner, Phone, create, open, ready};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_the_death_of_the_metadata_server() {
    let mut world = World::start().await.unwrap();
    let phone = Phone::new();
    let mut account = create(&phone.app(&world), &world, "alice").await;
    let address = account.ethereum_address();
    for round in 0..5_u64 {
        let label = format!("label {round}");
        account
            .change()
            .label(1, &label)
            .unwrap()
            .commit()
            .await
            .unwrap();
        world.metadata.kill().await;
        world.metadata.start_again().unwrap();
        let again = ready(open(&phone.app(&world), &world, "alice").await);
        assert_eq!(
            (again.factors()[0].label.as_str(), again.ethereum_address()),
            (label.as_str(), address)
        );
        assert_eq!(again.revision(), round + 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_at_any_moment_leaves_the_old_or_the_new_record() {
    let world = Arc::new(Mutex::new(World::start().await.unwrap()));
    for milliseconds in [0, 2, 4, 6, 8, 12, 20] {
        let owner = Owner::new(&*world.lock().await, "alice").await;
        let mut account = owner.account(&*world.lock().await).await;
        let revision = account.revision();
        let killer = Arc::clone(&world);
        let kill = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            let mut world = killer.lock().await;
            world.metadata.kill().await;
            world.metadata.start_again().unwrap();
        });
        let result = account.change().refresh().unwrap().commit().await;
        kill.await.unwrap();
        let world = world.lock().await;
        let again = owner.account(&world).await;
        assert_eq!(again.ethereum_address(), owner.address);
        if result.is_ok() {
            assert_eq!(again.revision(), revision + 1);
        } else {
            assert!((revision..=revision + 1).contains(&again.revision()));
        }
        assert_eq!(
            owner.account_elsewhere(&world).await.ethereum_address(),
            owner.address
        );
        again.delete().await.unwrap();
    }
}
