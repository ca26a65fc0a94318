//! Manifests as liars serve them: forged, forked, rolled back, out of order. None is taken into use.

use std::time::{Duration, Instant};

use trefoil_client::network::{ManifestUpdateError, NodeFault, SocialError, fetch_first_manifest};
use trefoil_client::{HttpTransport, NetworkClient};
use trefoil_protocol::bytes::NetworkKey;
use trefoil_protocol::social::{ManifestError, SignedManifest};
use trefoil_testkit::servers::{Answer, Chain, MovingNetwork};
use url::Url;

use super::{client, expected, log_in, short};

/// 3 of 5, two epochs, all nodes at the first.
fn network() -> MovingNetwork {
    let mut network = MovingNetwork::start(5, 5, 3).unwrap();
    network.deal(&[0, 1, 2, 3, 4], 3).unwrap();
    network.all_hold(&[1]);
    network
}

fn signed(network: &MovingNetwork, epoch: u32) -> SignedManifest {
    network.manifest(epoch).unwrap().clone()
}

/// What all nodes but the last serve in its place, and why it is refused.
fn bad_chains(network: &MovingNetwork) -> Vec<(&'static str, Chain)> {
    let next = signed(network, 2);
    let mut unsigned = next.clone();
    unsigned.signatures.truncate(2);
    let mut resigned = next.clone();
    let signature = resigned.signatures[0].signature;
    resigned.signatures[1].signature = signature;
    let mut changed = next.clone();
    let text = String::from_utf8(changed.manifest.as_bytes().to_vec()).unwrap();
    changed.manifest = trefoil_protocol::bytes::Blob::new(
        text.replace("\"threshold\":3", "\"threshold\":1")
            .into_bytes(),
    );
    let stranger = MovingNetwork::start(5, 5, 3).unwrap();
    let mut two = MovingNetwork::start(5, 5, 3).unwrap();
    two.deal(&[0, 1, 2, 3, 4], 3).unwrap();
    vec![
        ("too few signatures", Chain::These(vec![unsigned])),
        ("a wrong signature", Chain::These(vec![resigned])),
        ("changed bytes", Chain::These(vec![changed])),
        (
            "another network's first",
            Chain::These(vec![signed(&stranger, 1)]),
        ),
        (
            "another network's next",
            Chain::These(vec![signed(&two, 2)]),
        ),
        ("garbage", Chain::Garbage),
    ]
}

#[tokio::test]
async fn forged_manifests_are_reported_and_change_nothing() {
    let network = network();
    let expected = expected(&network).await;
    for (what, chain) in bad_chains(&network) {
        for liar in &network.nodes[..4] {
            liar.manifests(chain.clone());
        }
        let client = client(&network, 1);
        let update = client.refresh_manifest().await.unwrap();
        assert!(!update.changed && update.coming.is_none(), "{what}");
        assert_eq!(
            (update.manifest.epoch(), client.manifest().epoch()),
            (1, 1),
            "{what}"
        );
        let named: Vec<u16> = update
            .reports
            .iter()
            .map(|report| report.index.get())
            .collect();
        assert_eq!(named, [1, 2, 3, 4], "{what}: {:?}", update.reports);
        assert!(
            update
                .reports
                .iter()
                .all(|report| matches!(report.fault, NodeFault::WrongManifest(_))),
            "{what}"
        );
        assert!(log_in(&client).await.unwrap().secret == expected);

        network.nodes[4].manifests(chain);
        let misled = client.refresh_manifest().await.unwrap_err();
        assert!(
            matches!(misled, ManifestUpdateError::Misled { .. }),
            "{what}: {misled}"
        );
        network.nodes[4].manifests(Chain::Right);
    }
}

#[tokio::test]
async fn liars_do_not_keep_the_client_from_following_the_honest() {
    let network = network();
    let expected = expected(&network).await;
    network.all_hold(&[2]);
    for (what, chain) in bad_chains(&network) {
        for liar in &network.nodes[..2] {
            liar.manifests(chain.clone());
            liar.answer(Answer::WrongProof);
        }
        let client = client(&network, 1);
        let found = log_in(&client).await.unwrap();
        assert!(found.secret == expected, "{what}");
        assert_eq!(client.manifest().epoch(), 2, "{what}");
    }
    for stopped in &network.nodes[..2] {
        stopped.manifests(Chain::Hang);
        stopped.answer(Answer::Hang);
    }
    let begun = Instant::now();
    assert!(log_in(&client(&network, 1)).await.unwrap().secret == expected);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

/// Two successors of one manifest: the one that `T` of its nodes serve is followed, however many sign the other.
#[tokio::test]
async fn of_two_futures_the_one_that_enough_nodes_serve_is_followed() {
    let network = network();
    let fork = network.fork(2, 3).unwrap();
    network.all_hold(&[2]);
    for liar in &network.nodes[..2] {
        liar.manifests(Chain::These(vec![fork.clone()]));
    }
    for _ in 0..10 {
        let client = client(&network, 1);
        assert!(client.refresh_manifest().await.unwrap().changed);
        assert_eq!(client.manifest().hash(), signed(&network, 2).hash());
    }
    // Once followed, the other one is not turned to, though all serve it.
    let client = client(&network, 1);
    client.refresh_manifest().await.unwrap();
    for node in &network.nodes {
        node.manifests(Chain::These(vec![fork.clone()]));
    }
    assert!(!client.refresh_manifest().await.unwrap().changed);
    assert_eq!(client.manifest().hash(), signed(&network, 2).hash());
}

#[tokio::test]
async fn a_client_is_not_led_back() {
    let network = network();
    network.all_hold(&[1, 2]);
    let client = client(&network, 1);
    assert!(client.refresh_manifest().await.unwrap().changed);
    for chain in [
        vec![signed(&network, 1)],
        Vec::new(),
        vec![signed(&network, 2), signed(&network, 1)],
    ] {
        for node in &network.nodes {
            node.manifests(Chain::These(chain.clone()));
        }
        let update = client.refresh_manifest().await.unwrap();
        assert!(!update.changed && update.reports.is_empty());
        assert_eq!(client.manifest().epoch(), 2);
    }
}

#[tokio::test]
async fn a_chain_with_a_gap_is_not_followed() {
    let mut network = network();
    network.deal(&[0, 1, 2, 3, 4], 3).unwrap();
    for node in &network.nodes {
        node.manifests(Chain::These(vec![signed(&network, 3)]));
    }
    let error = client(&network, 1).refresh_manifest().await.unwrap_err();
    let ManifestUpdateError::Misled { reports } = error else {
        panic!("{error}");
    };
    for report in reports {
        assert!(
            matches!(
                report.fault,
                NodeFault::WrongManifest(ManifestError::WrongPrevious)
            ),
            "{report:?}"
        );
    }
}

#[tokio::test]
async fn a_manifest_is_taken_into_use_when_enough_of_its_nodes_serve_it() {
    let mut network = MovingNetwork::start(6, 3, 2).unwrap();
    network.deal(&[2, 3, 4, 5], 3).unwrap();
    let client = client(&network, 1);
    let clone = client.clone();
    // The old nodes that are no members of the new epoch do not count.
    for node in 0..2 {
        network.hold(node, &[2]);
    }
    for node in [2, 3] {
        network.hold(node, &[1, 2]);
        let update = client.refresh_manifest().await.unwrap();
        assert_eq!(
            (update.changed, update.coming, clone.manifest().epoch()),
            (false, Some(2), 1)
        );
    }
    network.hold(4, &[2]);
    let update = client.refresh_manifest().await.unwrap();
    assert_eq!(
        (update.changed, update.coming, clone.manifest().epoch()),
        (true, None, 2)
    );
}

#[tokio::test]
async fn a_network_is_joined_at_any_time_by_its_key() {
    let mut network = MovingNetwork::start(3, 3, 2).unwrap();
    let key = network
        .manifest(1)
        .unwrap()
        .trust_pinned()
        .unwrap()
        .network();
    let transport = HttpTransport::new().unwrap();
    let node = Url::parse(&network.nodes[1].url()).unwrap();
    for newest in [1, 2, 15, 16, 17, 32, 40] {
        while network.manifest(newest).is_none() {
            network.deal(&[0, 1, 2], 2).unwrap();
        }
        network.all_hold(&[newest]);
        let joined = fetch_first_manifest(&transport, &node, &key).await.unwrap();
        assert_eq!(joined.epoch(), newest);
        let client = NetworkClient::new(
            std::sync::Arc::new(transport.clone()),
            joined,
            trefoil_client::Environment::system(),
        );
        log_in(&client.unwrap()).await.unwrap();
    }
    let other = NetworkKey::from_bytes([7; 32]);
    assert!(matches!(
        fetch_first_manifest(&transport, &node, &other).await,
        Err(ManifestUpdateError::Manifest(ManifestError::WrongNetwork))
    ));
    network.nodes[1].manifests(Chain::These(vec![signed(&network, 2)]));
    assert!(matches!(
        fetch_first_manifest(&transport, &node, &key).await,
        Err(ManifestUpdateError::Manifest(ManifestError::History))
    ));
    network.nodes[1].manifests(Chain::These(Vec::new()));
    assert!(matches!(
        fetch_first_manifest(&transport, &node, &key).await,
        Err(ManifestUpdateError::Empty)
    ));
    network.nodes[1].manifests(Chain::Garbage);
    assert!(fetch_first_manifest(&transport, &node, &key).await.is_err());
}

/// All nodes claim to have moved on, and none shows a manifest: until the time limit, and no longer.
#[tokio::test]
async fn a_claim_without_a_manifest_ends_with_the_time_limit() {
    let network = network();
    for node in &network.nodes {
        node.answer(Answer::ClaimsEpoch(2));
    }
    let begun = Instant::now();
    let error = log_in(&short(client(&network, 1))).await.unwrap_err();
    assert!(
        matches!(error, SocialError::ManifestOutdated { .. }),
        "{error}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(error.reports().len(), 5);
}

/// A client that was built with a newer manifest than the nodes have come to asks in the one before it: the one whose hash
/// it holds, and no other.
#[tokio::test]
async fn the_manifest_before_is_the_one_that_the_newer_names() {
    let network = network();
    let expected = expected(&network).await;
    let fork = network.fork(1, 1).unwrap();
    let stranger = MovingNetwork::start(5, 5, 3).unwrap();
    for forged in [fork, signed(&stranger, 1)] {
        for liar in &network.nodes[..4] {
            liar.manifests(Chain::These(vec![forged.clone()]));
        }
        let newer = client(&network, 2);
        assert!(log_in(&newer).await.unwrap().secret == expected);
        assert_eq!(newer.manifest().epoch(), 2);
        // Without an honest one among them there is nothing to go by.
        network.nodes[4].manifests(Chain::These(vec![forged]));
        let error = log_in(&short(client(&network, 2))).await.unwrap_err();
        assert!(
            matches!(error, SocialError::ManifestOutdated { .. }),
            "{error}"
        );
        network.nodes[4].manifests(Chain::Right);
    }
}
