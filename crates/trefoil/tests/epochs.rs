//! A wallet while the node network moves from epoch to epoch, and to other nodes.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use trefoil::{Account, EthereumAddress, NetworkKey, Opened, SignedManifest, Trefoil, VerifierId};
use trefoil_testkit::servers::{MovingNetwork, World, WorldOptions};

/// Of the world only the metadata server is used; scripted nodes take an ID token's text for the user.
async fn world() -> World {
    let options = WorldOptions {
        nodes: 1,
        threshold: 1,
        ..WorldOptions::default()
    };
    World::with(options).await.unwrap()
}

fn app(world: &World, manifest: &SignedManifest) -> Trefoil {
    Trefoil::builder(world.metadata_url(), manifest.clone())
        .tenant("acme")
        .build()
        .unwrap()
}

async fn log_in(app: &Trefoil) -> Account {
    let google = VerifierId::new("google").unwrap();
    let locked = app.begin_login().complete(&google, "alice").await.unwrap();
    match locked.open().await.unwrap() {
        Opened::Ready(account) => account,
        Opened::NoAccount(new) => match new.create().await.unwrap() {
            Opened::Ready(account) => account,
            other => panic!("not created: {other:?}"),
        },
        other => panic!("not open: {other:?}"),
    }
}

async fn address(app: &Trefoil) -> EthereumAddress {
    log_in(app).await.ethereum_address()
}

fn epoch(app: &Trefoil) -> u32 {
    app.manifest().trust_pinned().unwrap().epoch()
}

#[tokio::test]
async fn the_address_is_the_same_in_every_epoch_and_committee() {
    let world = world().await;
    let mut network = MovingNetwork::start(7, 3, 2).unwrap();
    let first = network.manifest(1).unwrap().clone();
    let (old, cold) = (app(&world, &first), || app(&world, &first));
    let created = log_in(&old).await;
    let (id, expected) = (created.id(), created.ethereum_address());

    // The same nodes with new shares.
    network.deal(&[0, 1, 2], 2).unwrap();
    for held in [&[1, 2][..], &[2]] {
        network.all_hold(held);
        for app in [&old, &cold()] {
            let account = log_in(app).await;
            assert_eq!((account.id(), account.ethereum_address()), (id, expected));
        }
    }
    assert_eq!(epoch(&old), 2);

    // Other nodes, more of them, and a higher threshold; one of the old ones still passes the manifests on.
    network.deal(&[3, 4, 5, 6], 3).unwrap();
    network.all_hold(&[3]);
    for node in 1..3 {
        network.nodes[node].kill().await;
    }
    for app in [&old, &cold()] {
        assert_eq!(address(app).await, expected);
        assert_eq!(epoch(app), 3);
    }

    // An app that kept the newest manifest needs none of the old ones.
    network.nodes[0].kill().await;
    assert_eq!(address(&app(&world, &old.manifest())).await, expected);
}

#[tokio::test]
async fn an_outdated_manifest_costs_no_round_trip_when_the_user_takes_a_moment_at_the_provider() {
    let world = world().await;
    let mut network = MovingNetwork::start(3, 3, 2).unwrap();
    let first = network.manifest(1).unwrap().clone();
    let expected = address(&app(&world, &first)).await;
    network.deal(&[0, 1, 2], 2).unwrap();
    network.all_hold(&[2]);

    let cold = app(&world, &first);
    let login = cold.begin_login();
    let at_the_provider = async {
        while epoch(&cold) == 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), at_the_provider)
        .await
        .unwrap();
    assert_eq!(cold.round_trips().count(), 0);
    let google = VerifierId::new("google").unwrap();
    let locked = login.complete(&google, "alice").await.unwrap();
    let Opened::Ready(account) = locked.open().await.unwrap() else {
        panic!("not open");
    };
    assert_eq!(account.ethereum_address(), expected);
    assert_eq!(cold.round_trips().count(), 2);

    // Who is faster than that waits for the manifests, and for nothing else.
    let hasty = app(&world, &first);
    assert_eq!(address(&hasty).await, expected);
    hasty.round_trips().reset();
    assert_eq!(address(&hasty).await, expected);
    assert_eq!(hasty.round_trips().count(), 2);
}

#[tokio::test]
async fn a_network_pinned_by_its_key_starts_from_its_first_manifest() {
    let world = world().await;
    let mut network = MovingNetwork::start(3, 3, 2).unwrap();
    network.deal(&[0, 1, 2], 2).unwrap();
    network.all_hold(&[2]);
    let first = network.manifest(1).unwrap().clone();
    let second = network.manifest(2).unwrap().clone();
    let key = first.trust_pinned().unwrap().network();
    let build = |manifest: &SignedManifest, key: NetworkKey| {
        Trefoil::builder(world.metadata_url(), manifest.clone())
            .tenant("acme")
            .network_key(key)
            .build()
    };
    let pinned = build(&first, key).unwrap();
    address(&pinned).await;
    assert_eq!(pinned.manifest(), second);
    assert!(build(&second, key).is_err());
    assert!(build(&first, NetworkKey::from_bytes([7; 32])).is_err());
    // By the app's own word a later one serves as well.
    address(&app(&world, &second)).await;
}
