//! Refresh, and the move to another committee: users notice nothing, old shares are worth nothing.

use std::sync::Arc;

use trefoil_client::ceremony::CeremonyError;
use trefoil_node::{CeremonyPolicy, Trust};
use trefoil_protocol::problem::ProblemCode;
use trefoil_testkit::environment::FixedClock;
use trefoil_testkit::servers::{NodeNetwork, Verifier};

use super::{epochs, login, secret};

#[tokio::test]
async fn a_refresh_keeps_secrets_and_erases_old_shares_after_the_overlap() {
    let clock = FixedClock::default();
    let verifiers = [Verifier::new("acme", "google")];
    let network = NodeNetwork::start(5, &verifiers, 600, Arc::new(clock.clone()))
        .await
        .unwrap();
    let first = network.keygen(5, 3).await.unwrap().manifest;
    let before = secret(&network, &first).await;
    let coordinator = network.coordinator().unwrap();
    let chain = network.chain(&coordinator, &first).await.unwrap();
    let plan = coordinator.plan_refresh(chain.newest()).await.unwrap();
    let outcome = coordinator.carry_out(&plan, Some(&chain)).await.unwrap();
    let second = outcome.manifest;
    assert_eq!(second.epoch(), 2);
    assert_eq!(second.network(), first.network());
    assert_ne!(second.committee(), first.committee());
    assert_eq!(
        outcome.erase_at,
        Some(trefoil_testkit::environment::START + 600)
    );

    // During the overlap both manifests work, and each answer is of the epoch that was asked for.
    assert_eq!(secret(&network, &second).await, before);
    assert_eq!(secret(&network, &first).await, before);
    assert!(epochs(&network).await.values().all(|held| *held == [1, 2]));

    clock.advance(600);
    for node in &network.nodes {
        node.node().unwrap().tick().await.unwrap();
    }
    assert!(epochs(&network).await.values().all(|held| *held == [2]));
    assert_eq!(secret(&network, &second).await, before);

    // Carried out again, the same plan changes nothing.
    let chain = network.chain(&coordinator, &first).await.unwrap();
    let again = coordinator.carry_out(&plan, Some(&chain)).await.unwrap();
    assert_eq!(again.manifest, second);
}

#[tokio::test]
async fn the_key_moves_to_other_nodes_and_the_old_ones_can_go() {
    let mut network = NodeNetwork::of(9).await.unwrap();
    let first = network.keygen(3, 2).await.unwrap().manifest;
    let before = secret(&network, &first).await;
    let coordinator = network.coordinator().unwrap();
    // 2 of 3 to 4 of 7, one node staying in another place, to 2 of 2.
    let chain = network.chain(&coordinator, &first).await.unwrap();
    let members = network.members([5, 4, 3, 2, 6, 7, 8]);
    let plan = coordinator
        .plan_move(chain.newest(), &members, 4)
        .await
        .unwrap();
    let outcome = coordinator.carry_out(&plan, Some(&chain)).await.unwrap();
    let second = outcome.manifest;
    assert_eq!((second.threshold(), second.nodes().len()), (4, 7));
    assert_eq!(second.network(), first.network());
    assert_eq!(secret(&network, &second).await, before);
    assert_eq!(secret(&network, &first).await, before);
    let held = epochs(&network).await;
    assert_eq!(
        (&held[&0], &held[&2], &held[&8]),
        (&vec![1], &vec![1, 2], &vec![2])
    );

    for place in [0, 1] {
        network.nodes[place].kill().await;
    }
    assert_eq!(secret(&network, &second).await, before);
    let chain = network.chain(&coordinator, &first).await.unwrap();
    assert_eq!(chain.manifests().len(), 2);
    let plan = coordinator
        .plan_move(chain.newest(), &network.members([3, 8]), 2)
        .await
        .unwrap();
    let third = coordinator
        .carry_out(&plan, Some(&chain))
        .await
        .unwrap()
        .manifest;
    assert_eq!(secret(&network, &third).await, before);
    assert_eq!(third.epoch(), 3);
}

#[tokio::test]
async fn a_coordinator_trusted_with_refreshes_cannot_move_the_key_to_nodes_of_its_own() {
    let mut network = NodeNetwork::of(6).await.unwrap();
    let first = network.keygen(3, 2).await.unwrap().manifest;
    let key = network.coordinator_key().auth_key();
    for node in &mut network.nodes[..3] {
        node.kill().await;
        node.set_policy(CeremonyPolicy::coordinator(key, Trust::Refresh));
        node.start_again().await.unwrap();
    }
    let coordinator = network.coordinator().unwrap();
    let chain = network.chain(&coordinator, &first).await.unwrap();
    // Other nodes; the same nodes and a lower threshold would be one of its own too.
    let plan = coordinator
        .plan_move(chain.newest(), &network.members(3..6), 2)
        .await
        .unwrap();
    let refused = coordinator
        .carry_out(&plan, Some(&chain))
        .await
        .unwrap_err();
    assert!(
        matches!(
            refused,
            CeremonyError::TooFewDealers {
                needed: 2,
                given: 0,
                ..
            }
        ),
        "{refused}"
    );
    assert!(login(&network, &first).await.is_ok());

    // The operators approve this one plan; a plan of the same content would be another.
    let approved = plan.verify().unwrap().ceremony();
    for node in &mut network.nodes[..3] {
        node.kill().await;
        let policy = CeremonyPolicy::coordinator(key, Trust::Refresh);
        node.set_policy(policy.approvals(move |plan| *plan == approved));
        node.start_again().await.unwrap();
    }
    let other = coordinator
        .plan_move(chain.newest(), &network.members(3..6), 2)
        .await
        .unwrap();
    assert!(coordinator.carry_out(&other, Some(&chain)).await.is_err());
    let outcome = coordinator.carry_out(&plan, Some(&chain)).await.unwrap();
    assert_eq!(outcome.manifest.epoch(), 2);
}

#[tokio::test]
async fn a_plan_that_does_not_follow_is_refused_by_every_node() {
    let network = NodeNetwork::of(3).await.unwrap();
    let first = network.keygen(3, 2).await.unwrap().manifest;
    let coordinator = network.coordinator().unwrap();
    let chain = network.chain(&coordinator, &first).await.unwrap();
    let stale = coordinator.plan_refresh(&first).await.unwrap();
    let plan = coordinator.plan_refresh(&first).await.unwrap();
    coordinator.carry_out(&plan, Some(&chain)).await.unwrap();
    // By somebody who missed it.
    let refused = coordinator
        .carry_out(&stale, Some(&chain))
        .await
        .unwrap_err();
    let CeremonyError::Members(trouble) = refused else {
        panic!("{refused}");
    };
    assert!(trouble.iter().all(|trouble| {
        let problem = trouble.problem.as_ref().unwrap();
        (problem.code, problem.epoch) == (ProblemCode::StalePlan, Some(2))
    }));
    // And by somebody who sees it.
    let chain = network.chain(&coordinator, &first).await.unwrap();
    let refused = coordinator.carry_out(&stale, Some(&chain)).await;
    assert!(
        matches!(refused, Err(CeremonyError::Overtaken)),
        "{refused:?}"
    );
}
