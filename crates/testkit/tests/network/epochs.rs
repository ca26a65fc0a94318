//! A network that moves: a login succeeds whenever `T` nodes answer in one epoch, and gives the same secret in each.

use std::time::Duration;

use trefoil_client::RoundTrips;
use trefoil_client::network::{NodeFault, SocialError};
use trefoil_protocol::problem::ProblemCode;
use trefoil_protocol::social::{EvaluationError, RefusedAnswer};
use trefoil_testkit::servers::{Answer, MovingNetwork};

use super::{client, counted, expected, log_in, short};

const HELD: [&[u32]; 3] = [&[1], &[1, 2], &[2]];

/// Every node at the old epoch, at both, or at the new one, in every mixture; for clients that were built with the old
/// manifest, built with the new one, and that have followed from one to the other.
async fn every_mixture(network: &MovingNetwork, epochs: [(&[usize], usize); 2]) {
    let expected = expected(network).await;
    network.all_hold(&[1, 2]);
    let followed = client(network, 1);
    assert!(followed.refresh_manifest().await.unwrap().changed);
    let nodes = u32::try_from(network.nodes.len()).unwrap();
    let (mut failed, mut succeeded) = (0, 0);
    for mixture in 0..3_usize.pow(nodes) {
        let held = |node: usize| HELD[mixture / 3_usize.pow(u32::try_from(node).unwrap()) % 3];
        for node in 0..network.nodes.len() {
            network.hold(node, held(node));
        }
        let possible = [1, 2]
            .iter()
            .zip(epochs)
            .any(|(epoch, (members, threshold))| {
                members
                    .iter()
                    .filter(|node| held(**node).contains(epoch))
                    .count()
                    >= threshold
            });
        let all: Vec<&[u32]> = (0..network.nodes.len()).map(held).collect();
        let clients = [client(network, 1), client(network, 2), followed.clone()]
            .map(|client| if possible { client } else { short(client) });
        let (old, new, followed) = tokio::join!(
            log_in(&clients[0]),
            log_in(&clients[1]),
            log_in(&clients[2])
        );
        for (which, login) in [("old", old), ("new", new), ("followed", followed)] {
            match login {
                Ok(found) => {
                    assert!(possible, "{which} client, {all:?}");
                    assert!(found.secret == expected, "{which} client, {all:?}");
                    succeeded += 1;
                }
                Err(error) => {
                    assert!(!possible, "{which} client, {all:?}: {error:?}");
                    assert!(
                        matches!(error, SocialError::ManifestOutdated { .. }),
                        "{which} client, {all:?}: {error:?}"
                    );
                    failed += 1;
                }
            }
        }
    }
    assert_eq!((succeeded + failed) % 3, 0);
    assert!(succeeded > 0);
}

#[tokio::test]
async fn every_mixture_of_two_of_three() {
    let mut network = MovingNetwork::start(3, 3, 2).unwrap();
    network.deal(&[0, 1, 2], 2).unwrap();
    every_mixture(&network, [(&[0, 1, 2], 2), (&[0, 1, 2], 2)]).await;
}

#[tokio::test]
async fn every_mixture_of_three_of_three() {
    let mut network = MovingNetwork::start(3, 3, 3).unwrap();
    network.deal(&[0, 1, 2], 3).unwrap();
    every_mixture(&network, [(&[0, 1, 2], 3), (&[0, 1, 2], 3)]).await;
}

#[tokio::test]
async fn every_mixture_of_three_of_four() {
    let mut network = MovingNetwork::start(4, 4, 3).unwrap();
    network.deal(&[0, 1, 2, 3], 3).unwrap();
    every_mixture(&network, [(&[0, 1, 2, 3], 3), (&[0, 1, 2, 3], 3)]).await;
}

/// The committee changes by one node, its order and its threshold.
#[tokio::test]
async fn every_mixture_while_the_committee_moves() {
    let mut network = MovingNetwork::start(4, 3, 2).unwrap();
    network.deal(&[3, 2, 1], 3).unwrap();
    every_mixture(&network, [(&[0, 1, 2], 2), (&[3, 2, 1], 3)]).await;
}

#[tokio::test]
async fn a_committee_of_all_new_nodes_is_found_through_the_old_ones() {
    let mut network = MovingNetwork::start(8, 3, 2).unwrap();
    let expected = expected(&network).await;
    network.deal(&[3, 4, 5, 6, 7], 4).unwrap();
    network.all_hold(&[2]);
    // Of the old nodes one is left, and it only passes the manifests on.
    network.nodes[0].kill().await;
    network.nodes[1].answer(Answer::Hang);
    let client = client(&network, 1);
    assert!(log_in(&client).await.unwrap().secret == expected);
    assert_eq!(client.manifest().epoch(), 2);
}

#[tokio::test]
async fn a_client_far_behind_follows_more_than_one_answer_holds() {
    let mut network = MovingNetwork::start(3, 3, 2).unwrap();
    let expected = expected(&network).await;
    for _ in 2..=40 {
        network.deal(&[0, 1, 2], 2).unwrap();
    }
    network.all_hold(&[39, 40]);
    let client = client(&network, 1);
    assert!(log_in(&client).await.unwrap().secret == expected);
    assert_eq!(client.manifest().epoch(), 40);
}

#[tokio::test]
async fn clones_share_what_one_has_learned() {
    let mut network = MovingNetwork::start(3, 3, 2).unwrap();
    network.deal(&[0, 1, 2], 2).unwrap();
    network.all_hold(&[2]);
    let trips = RoundTrips::new();
    let client = counted(&network, 1, &trips);
    let clone = client.clone();
    log_in(&client).await.unwrap();
    // The old epoch, the manifests, the new epoch.
    assert!(trips.reset() >= 3);
    log_in(&clone).await.unwrap();
    assert_eq!((trips.reset(), clone.manifest().epoch()), (1, 2));
}

/// While the user is at the provider the client learns of the new epoch, and the login costs what it always costs.
#[tokio::test]
async fn an_outdated_manifest_costs_nothing_after_connecting_ahead() {
    let mut network = MovingNetwork::start(3, 3, 2).unwrap();
    network.deal(&[0, 1, 2], 2).unwrap();
    network.all_hold(&[2]);
    let trips = RoundTrips::new();
    let client = counted(&network, 1, &trips);
    client.connect_ahead().await;
    assert_eq!(trips.count(), 0);
    for node in &network.nodes {
        assert_eq!(node.take_asked_for_manifests(), [1]);
    }
    log_in(&client).await.unwrap();
    assert_eq!(trips.count(), 1);
    assert!(
        network
            .nodes
            .iter()
            .all(|node| node.take_asked_for_manifests().is_empty())
    );
}

#[tokio::test]
async fn a_login_beside_connecting_ahead_succeeds_whoever_is_first() {
    let mut network = MovingNetwork::start(3, 3, 2).unwrap();
    let expected = expected(&network).await;
    network.deal(&[0, 1, 2], 2).unwrap();
    for held in HELD {
        network.all_hold(held);
        for _ in 0..10 {
            let client = client(&network, 1);
            let ahead = tokio::spawn({
                let client = client.clone();
                async move { client.connect_ahead().await }
            });
            assert!(log_in(&client).await.unwrap().secret == expected);
            // It may end long after the login, or never.
            if held.len() == 1 {
                ahead.await.unwrap()
            } else {
                ahead.abort()
            }
        }
    }
}

/// Nodes come to the new epoch one after the other while the user waits.
#[tokio::test]
async fn a_login_waits_for_the_nodes_that_are_on_their_way() {
    let mut network = MovingNetwork::start(3, 3, 3).unwrap();
    let expected = expected(&network).await;
    network.deal(&[0, 1, 2], 3).unwrap();
    network.hold(0, &[2]);
    let client = client(&network, 1);
    let arrivals = async {
        for node in 1..3 {
            tokio::time::sleep(Duration::from_millis(400)).await;
            network.hold(node, &[2]);
        }
    };
    let (login, ()) = tokio::join!(log_in(&client), arrivals);
    assert!(login.unwrap().secret == expected);
    assert_eq!(client.manifest().epoch(), 2);
}

/// Ten epochs go by under users who log in all the time; the old epoch is kept until the next change.
#[tokio::test]
async fn no_login_fails_while_epoch_follows_epoch() {
    let mut network = MovingNetwork::start(5, 5, 3).unwrap();
    let expected = expected(&network).await;
    let client = client(&network, 1);
    for epoch in 2..=10 {
        network.deal(&[0, 1, 2, 3, 4], 3).unwrap();
        for node in 0..5 {
            network.hold(node, &[epoch - 1, epoch]);
            assert!(log_in(&client).await.unwrap().secret == expected);
        }
        for node in 0..5 {
            network.hold(node, &[epoch]);
            assert!(log_in(&client).await.unwrap().secret == expected);
        }
        assert_eq!(client.manifest().epoch(), epoch);
    }
}

/// Two right answers of each epoch are not three of one, whatever they are labelled.
#[tokio::test]
async fn shares_of_two_epochs_never_combine() {
    let mut network = MovingNetwork::start(4, 4, 3).unwrap();
    network.deal(&[0, 1, 2, 3], 3).unwrap();
    for asked in [1, 2] {
        let other = 3 - asked;
        for node in 0..4 {
            network.hold(
                node,
                if node < 2 {
                    HELD[asked as usize * 2 - 2]
                } else {
                    HELD[other as usize * 2 - 2]
                },
            );
        }
        for label in [asked, other] {
            for node in &network.nodes[2..] {
                node.answer(Answer::Mislabelled {
                    share: other,
                    label,
                });
            }
            let error = log_in(&short(client(&network, asked))).await.unwrap_err();
            let named: Vec<u16> = error
                .reports()
                .iter()
                .map(|report| report.index.get())
                .collect();
            assert_eq!(named, [3, 4], "asked in {asked}, labelled {label}");
            for report in error.reports() {
                let NodeFault::WrongAnswer(RefusedAnswer::Evaluation(refused)) = &report.fault
                else {
                    panic!("{report:?}");
                };
                match refused {
                    EvaluationError::Refuted(_) => assert_eq!(label, asked),
                    EvaluationError::Epoch { .. } => assert_eq!(label, other),
                    refused => panic!("{refused}"),
                }
            }
        }
    }
}

/// A node that has left the committee says `no_share`: that alone makes the client look for the new one.
#[tokio::test]
async fn nodes_without_a_share_make_the_client_look() {
    let mut network = MovingNetwork::start(5, 2, 2).unwrap();
    let expected = expected(&network).await;
    network.deal(&[2, 3, 4], 2).unwrap();
    network.all_hold(&[2]);
    for node in &network.nodes[..2] {
        node.answer(Answer::Refuses(ProblemCode::NoShare, None));
    }
    assert!(log_in(&client(&network, 1)).await.unwrap().secret == expected);
}
