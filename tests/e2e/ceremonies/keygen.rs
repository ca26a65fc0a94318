//! A key that no one ever has.

use trefoil_client::ceremony::CeremonyError;
use trefoil_node::{CeremonyPolicy, Trust};
use trefoil_protocol::problem::ProblemCode;
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_testkit::servers::NodeNetwork;

use super::{epochs, secret};

#[tokio::test]
async fn nodes_make_a_key_and_serve_it() {
    let network = NodeNetwork::of(5).await.unwrap();
    let outcome = network.keygen(5, 3).await.unwrap();
    let manifest = outcome.manifest;
    assert_eq!((manifest.epoch(), manifest.threshold()), (1, 3));
    assert_eq!(manifest.nodes().len(), 5);
    assert_eq!((outcome.erase_at, outcome.waiting_for), (None, vec![]));
    assert!(epochs(&network).await.values().all(|held| *held == [1]));
    // Pinned by the group key alone.
    let signed = manifest.signed();
    assert_eq!(
        signed.verify_first(&manifest.network()).as_ref(),
        Ok(&manifest)
    );
    let first = secret(&network, &manifest).await;
    assert_eq!(secret(&network, &manifest).await, first);

    let other = NodeNetwork::of(3).await.unwrap();
    let other_manifest = other.keygen(3, 2).await.unwrap().manifest;
    assert_ne!(other_manifest.network(), manifest.network());
}

#[tokio::test]
async fn a_node_has_one_network_and_follows_its_coordinator_alone() {
    let mut network = NodeNetwork::of(3).await.unwrap();
    let stranger = AuthPrivateKey::from_seed(&[7; 32]);
    let coordinator = network.coordinator().unwrap();
    network.nodes[1].kill().await;
    network.nodes[1].set_policy(CeremonyPolicy::coordinator(stranger.auth_key(), Trust::Any));
    network.nodes[1].start_again().await.unwrap();
    let members = network.members(0..3);
    let plan = coordinator.plan_key(&members, 2).await.unwrap();
    let refused = coordinator.carry_out(&plan, None).await.unwrap_err();
    let CeremonyError::Members(trouble) = refused else {
        panic!("{refused}");
    };
    assert_eq!(trouble.len(), 1);
    assert_eq!(trouble[0].url, network.nodes[1].url());
    assert_eq!(
        trouble[0].problem.as_ref().unwrap().code,
        ProblemCode::PlanRefused
    );
    assert!(epochs(&network).await.values().all(Vec::is_empty));

    network.nodes[1].kill().await;
    let known = network.coordinator_key().auth_key();
    network.nodes[1].set_policy(CeremonyPolicy::coordinator(known, Trust::Refresh));
    network.nodes[1].start_again().await.unwrap();
    // The same plan goes on.
    let manifest = coordinator.carry_out(&plan, None).await.unwrap().manifest;
    let before = secret(&network, &manifest).await;

    let again = coordinator.plan_key(&members, 2).await.unwrap();
    let refused = coordinator.carry_out(&again, None).await.unwrap_err();
    let CeremonyError::Members(trouble) = refused else {
        panic!("{refused}");
    };
    assert_eq!(trouble.len(), 3);
    assert!(
        trouble.iter().all(|trouble| {
            trouble.problem.as_ref().unwrap().code == ProblemCode::NetworkExists
        })
    );
    assert_eq!(secret(&network, &manifest).await, before);
}

#[tokio::test]
async fn networks_that_cannot_be_are_refused_before_a_node_is_asked() {
    let network = NodeNetwork::of(3).await.unwrap();
    let coordinator = network.coordinator().unwrap();
    for (members, threshold) in [
        (network.members(0..3), 1),
        (network.members(0..3), 4),
        (network.members(0..1), 1),
        (network.members([0, 1, 1]), 2),
        (Vec::new(), 2),
    ] {
        let refused = coordinator.plan_key(&members, threshold).await;
        assert!(
            matches!(refused, Err(CeremonyError::Plan(_))),
            "{threshold} of {}: {refused:?}",
            members.len()
        );
    }
    let mut swapped = network.members(0..3);
    swapped[2].url = network.nodes[1].url();
    let refused = coordinator.plan_key(&swapped, 2).await;
    assert!(matches!(refused, Err(CeremonyError::OtherNode { url }) if url == swapped[1].url));
}
