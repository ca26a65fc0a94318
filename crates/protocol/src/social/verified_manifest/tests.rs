use std::string::ToString;
use std::{format, vec};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use trefoil_oprf::MasterKey;

use super::*;
use crate::bytes::{Blob, NodeShareKey, Signature};
use crate::sign::AuthPrivateKey;
use crate::social::{DealNetworkError, DealtNetwork, ManifestSignature, NodeSecrets, deal_network};

fn urls(count: usize) -> Vec<String> {
    (1..=count)
        .map(|i| format!("https://node-{i}.example"))
        .collect()
}

fn network() -> DealtNetwork {
    deal_network(&urls(5), 3, &mut ChaCha20Rng::seed_from_u64(1)).unwrap()
}

fn manifest(signed: &SignedManifest) -> Manifest {
    serde_json::from_slice(signed.manifest.as_bytes()).unwrap()
}

fn identities(dealt: &DealtNetwork) -> Vec<(u16, AuthPrivateKey)> {
    dealt
        .nodes
        .iter()
        .map(|node| (node.index().get(), node.identity()))
        .collect()
}

fn sign(manifest: &Manifest, by: &[(u16, AuthPrivateKey)]) -> SignedManifest {
    SignedManifest::sign(manifest, by.iter().map(|(index, key)| (*index, key)))
}

fn node(index: u16) -> NodeIndex {
    NodeIndex::new(index).unwrap()
}

/// The error of the network's manifest after a change that its own nodes signed.
fn changed(change: impl FnOnce(&mut Manifest)) -> ManifestError {
    let dealt = network();
    let mut manifest = manifest(&dealt.manifest);
    let pinned = manifest.group_key;
    change(&mut manifest);
    sign(&manifest, &identities(&dealt))
        .verify_first(&pinned)
        .unwrap_err()
}

/// The error of the manifest's text after a change.
fn edited(from: &str, to: &str) -> ManifestError {
    let dealt = network();
    let text = String::from_utf8(dealt.manifest.manifest.as_bytes().to_vec()).unwrap();
    assert!(text.contains(from), "{from}");
    SignedManifest {
        manifest: Blob::new(text.replacen(from, to, 1).into_bytes()),
        ..dealt.manifest
    }
    .trust_pinned()
    .unwrap_err()
}

#[test]
fn a_dealt_network_verifies() {
    let dealt = network();
    let network = manifest(&dealt.manifest).group_key;
    let verified = dealt.manifest.verify_first(&network).unwrap();
    assert_eq!(verified.network(), network);
    assert_eq!(
        (
            verified.threshold(),
            verified.epoch(),
            verified.nodes().len()
        ),
        (3, 1, 5)
    );
    assert_eq!(verified.nodes()[4].url, "https://node-5.example");
    assert_eq!(verified.hash(), dealt.manifest.hash());
    assert_eq!(verified.signed(), &dealt.manifest);
    assert_eq!(dealt.manifest.trust_pinned().unwrap(), verified);
}

#[test]
fn damage_and_news_are_told_apart() {
    assert_eq!(
        edited("\"version\":1", "\"version\":2"),
        ManifestError::UnknownVersion(2)
    );
    assert_eq!(
        edited("{\"version\"", "{\"more\":1,\"version\""),
        ManifestError::UnknownField
    );
    assert_eq!(
        edited("{\"index\"", "{\"more\":1,\"index\""),
        ManifestError::UnknownField
    );
    assert_eq!(
        edited("\"epoch\":1", "\"epoch\":\"1\""),
        ManifestError::Malformed
    );
    assert_eq!(
        edited("\"epoch\":1", "\"epoch\":1,\"epoch\":1"),
        ManifestError::Malformed
    );
    assert_eq!(edited("\"epoch\":1,", ""), ManifestError::Malformed);
    assert_eq!(edited("{", "["), ManifestError::Malformed);
    assert_eq!(
        edited("\"version\"", &format!("\"{}\"", "x".repeat(MAX_MANIFEST))),
        ManifestError::TooLarge
    );

    let dealt = network();
    let bytes = dealt.manifest.manifest.as_bytes();
    for cut in 0..bytes.len() {
        let cut = SignedManifest {
            manifest: Blob::new(bytes[..cut].to_vec()),
            ..dealt.manifest.clone()
        };
        assert_eq!(cut.trust_pinned(), Err(ManifestError::Truncated));
    }
    let pinned = manifest(&dealt.manifest).group_key;
    for at in 0..bytes.len() {
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 1;
        let flipped = SignedManifest {
            manifest: Blob::new(flipped),
            ..dealt.manifest.clone()
        };
        assert!(
            flipped.verify_first(&pinned).is_err(),
            "bit flipped at {at}"
        );
    }
}

#[test]
fn each_wrong_value_has_its_own_error() {
    let mut identity = [0; 32];
    assert_eq!(
        changed(|m| m.nodes[1].verifying_share = NodeShareKey::from_bytes([0; 32])),
        ManifestError::VerifyingShare {
            index: node(2),
            source: ElementError::Identity
        }
    );
    identity[0] = 1;
    assert_eq!(
        changed(|m| m.nodes[1].verifying_share = NodeShareKey::from_bytes(identity)),
        ManifestError::VerifyingShare {
            index: node(2),
            source: ElementError::NotCanonical
        }
    );
    assert_eq!(
        changed(|m| m.group_key = NetworkKey::from_bytes([0; 32])),
        ManifestError::GroupKey(ElementError::Identity)
    );
    assert_eq!(
        changed(|m| m.group_key = NetworkKey::from_bytes(identity)),
        ManifestError::GroupKey(ElementError::NotCanonical)
    );
    assert_eq!(changed(|m| m.nodes[0].index = 0), ManifestError::ZeroIndex);
    assert_eq!(
        changed(|m| m.nodes[1].index = 1),
        ManifestError::DuplicateIndex(node(1))
    );
    assert_eq!(changed(|m| m.nodes.swap(0, 1)), ManifestError::Unordered);
    assert_eq!(
        changed(|m| m.nodes[1].url = m.nodes[0].url.clone()),
        ManifestError::DuplicateNode(node(2))
    );
    assert_eq!(
        changed(|m| m.nodes[1].identity_key = m.nodes[0].identity_key),
        ManifestError::DuplicateNode(node(2))
    );
    assert_eq!(
        changed(|m| m.nodes[1].hpke_key = m.nodes[0].hpke_key),
        ManifestError::DuplicateNode(node(2))
    );
    assert_eq!(
        changed(|m| m.nodes[2].url = "http://node.example".into()),
        ManifestError::Url(node(3))
    );
    assert_eq!(changed(|m| m.epoch = 0), ManifestError::History);
    assert_eq!(changed(|m| m.epoch = 2), ManifestError::History);
    for threshold in [0, 6] {
        assert_eq!(
            changed(|m| m.threshold = threshold),
            ManifestError::Committee(CommitteeError::Threshold {
                threshold,
                nodes: 5
            })
        );
    }
    assert_eq!(
        changed(|m| m.nodes = vec![]),
        ManifestError::Committee(CommitteeError::Threshold {
            threshold: 3,
            nodes: 0
        })
    );
    assert_eq!(
        changed(|m| m.nodes = (0..=MAX_NODES).map(|_| m.nodes[0].clone()).collect()),
        ManifestError::TooLarge
    );
    // One share of another key; and a threshold below the real one.
    let foreign = MasterKey::from_bytes(&{
        let mut nine = [0; 32];
        nine[0] = 9;
        nine
    })
    .unwrap()
    .split(1, 1, &mut ChaCha20Rng::seed_from_u64(1))
    .unwrap();
    let foreign = *foreign.verifying_shares[0].as_bytes();
    assert_eq!(
        changed(|m| m.nodes[3].verifying_share = NodeShareKey::from_bytes(foreign)),
        ManifestError::Committee(CommitteeError::Inconsistent {
            liars: vec![node(4)]
        })
    );
    assert!(matches!(
        changed(|m| m.threshold = 2),
        ManifestError::Committee(CommitteeError::Inconsistent { .. })
    ));
}

#[test]
fn signatures_are_counted_once_each() {
    let dealt = network();
    let all = identities(&dealt);
    let pinned = manifest(&dealt.manifest).group_key;
    let with = |by: &[(u16, AuthPrivateKey)]| {
        sign(&manifest(&dealt.manifest), by)
            .verify_first(&pinned)
            .map(|_| ())
    };
    assert_eq!(with(&all[..3]), Ok(()));
    assert_eq!(
        with(&all[..2]),
        Err(ManifestError::TooFewSignatures {
            needed: 3,
            given: 2
        })
    );
    assert_eq!(
        with(&[]),
        Err(ManifestError::TooFewSignatures {
            needed: 3,
            given: 0
        })
    );
    let twice = [all[0].clone(), all[1].clone(), all[1].clone()];
    assert_eq!(with(&twice), Err(ManifestError::DuplicateSigner(2)));
    let stranger = [all[0].clone(), all[1].clone(), (9, all[2].1.clone())];
    assert_eq!(with(&stranger), Err(ManifestError::UnknownSigner(9)));
    let borrowed = [all[0].clone(), all[1].clone(), (3, all[3].1.clone())];
    assert_eq!(with(&borrowed), Err(ManifestError::BadSignature(3)));

    let mut forged = dealt.manifest.clone();
    forged.signatures[0] = ManifestSignature {
        index: 1,
        signature: Signature::from_bytes([0; 64]),
    };
    assert_eq!(
        forged.verify_first(&pinned),
        Err(ManifestError::BadSignature(1))
    );
    assert_eq!(
        dealt
            .manifest
            .verify_first(&NetworkKey::from_bytes([7; 32])),
        Err(ManifestError::WrongNetwork)
    );
}

/// An attacker who replaces all nodes by its own but has to keep the pinned group key.
#[test]
fn a_manifest_of_other_nodes_cannot_be_built_around_a_pinned_key() {
    let (dealt, evil) = (
        network(),
        deal_network(&urls(5), 3, &mut ChaCha20Rng::seed_from_u64(2)).unwrap(),
    );
    let pinned = manifest(&dealt.manifest).group_key;
    assert_eq!(
        evil.manifest.verify_first(&pinned),
        Err(ManifestError::WrongNetwork)
    );
    let mut forged = manifest(&evil.manifest);
    forged.group_key = pinned;
    assert!(matches!(
        sign(&forged, &identities(&evil)).verify_first(&pinned),
        Err(ManifestError::Committee(
            CommitteeError::Inconsistent { .. }
        ))
    ));
}

/// The next epoch: the same key, dealt anew to a committee of another size.
fn next(dealt: &DealtNetwork, master: &MasterKey, previous: &SignedManifest) -> Manifest {
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let shares = master.split(2, 4, &mut rng).unwrap().shares;
    let group_key = manifest(&dealt.manifest).group_key;
    let nodes = shares.into_iter().zip(urls(4)).map(|(share, url)| {
        let secrets = NodeSecrets::random(group_key, 2, share, &mut rng);
        ManifestNode {
            index: secrets.index().get(),
            url,
            verifying_share: NodeShareKey::from_bytes(
                *secrets.share().verifying_share().as_bytes(),
            ),
            hpke_key: secrets.hpke().public(),
            identity_key: secrets.identity().auth_key(),
        }
    });
    Manifest {
        version: 1,
        group_key,
        epoch: 2,
        previous: Some(previous.hash()),
        ceremony: None,
        threshold: 2,
        nodes: nodes.collect(),
    }
}

#[test]
fn the_next_manifest_is_signed_by_the_one_before() {
    // A dealer that keeps its key, to stand in for resharing among nodes.
    let master = MasterKey::random(&mut ChaCha20Rng::seed_from_u64(5));
    let dealt = deal_network(&urls(5), 3, &mut ChaCha20Rng::seed_from_u64(5)).unwrap();
    let first = dealt.manifest.trust_pinned().unwrap();
    assert_eq!(
        *master
            .split(1, 1, &mut ChaCha20Rng::seed_from_u64(5))
            .unwrap()
            .group_key
            .as_bytes(),
        *first.network().as_bytes(),
        "deal draws the master key first"
    );
    let all = identities(&dealt);
    let good = next(&dealt, &master, &dealt.manifest);
    let second = first.verify_next(&sign(&good, &all[1..4])).unwrap();
    assert_eq!(
        (second.epoch(), second.threshold(), second.nodes().len()),
        (2, 2, 4)
    );

    let with = |change: &dyn Fn(&mut Manifest), by: &[(u16, AuthPrivateKey)]| {
        let mut manifest = good.clone();
        change(&mut manifest);
        first.verify_next(&sign(&manifest, by)).unwrap_err()
    };
    assert_eq!(
        with(&|_| (), &all[..2]),
        ManifestError::TooFewSignatures {
            needed: 3,
            given: 2
        }
    );
    assert_eq!(
        with(
            &|m| m.previous = Some(ManifestHash::from_bytes([0; 32])),
            &all
        ),
        ManifestError::WrongPrevious
    );
    assert_eq!(
        second.verify_next(&sign(&good, &all)),
        Err(ManifestError::NotNewer { known: 2, given: 2 })
    );
    assert_eq!(
        second.verify_next(&dealt.manifest),
        Err(ManifestError::NotNewer { known: 2, given: 1 })
    );
    // Its own nodes have no say in it; and it is not a first manifest.
    let own: Vec<_> = (1..=4)
        .map(|i| (i, AuthPrivateKey::from_seed(&[i as u8; 32])))
        .collect();
    assert_eq!(with(&|_| (), &own), ManifestError::BadSignature(1));
    assert_eq!(
        sign(&good, &all).verify_first(&first.network()),
        Err(ManifestError::History)
    );
    let other = deal_network(&urls(5), 3, &mut ChaCha20Rng::seed_from_u64(6)).unwrap();
    assert_eq!(
        first.verify_next(&other.manifest),
        Err(ManifestError::WrongNetwork)
    );
}

#[test]
fn base_urls() {
    for good in [
        "https://a.example",
        "https://a.example:8443/nodes/1",
        "http://127.0.0.1:80",
        "http://127.9.9.9",
        "http://localhost:1",
        "http://[::1]:9",
        "http://[::1]",
    ] {
        assert!(is_base_url(good), "{good}");
    }
    for bad in [
        "",
        "https://",
        "https:///x",
        "https://a.example/",
        "https://a.example?x",
        "https://a.example#x",
        "https://user@a.example",
        "https://a b.example",
        "https://ä.example",
        "http://a.example",
        "http://127.0.0.1.example",
        "http://localhost.example",
        "http://10.0.0.1",
        "http://127.0.0.1:80@a.example",
        "ftp://127.0.0.1",
        "HTTPS://a.example",
    ] {
        assert!(!is_base_url(bad), "{bad}");
    }
    assert!(!is_base_url(&format!("https://{}", "a".repeat(MAX_URL))));
}

#[test]
fn the_dealer_refuses_what_no_manifest_could_carry() {
    let deal = |urls: &[&str], threshold| {
        let urls: Vec<_> = urls.iter().map(ToString::to_string).collect();
        deal_network(&urls, threshold, &mut ChaCha20Rng::seed_from_u64(1)).unwrap_err()
    };
    let (a, b) = ("https://a.example", "https://b.example");
    assert_eq!(deal(&[a, a], 1), DealNetworkError::DuplicateUrl(a.into()));
    assert_eq!(
        deal(&[a, "http://b.example"], 1),
        DealNetworkError::Url("http://b.example".into())
    );
    assert!(matches!(deal(&[a, b], 3), DealNetworkError::Deal(_)));
    assert!(matches!(deal(&[a, b], 0), DealNetworkError::Deal(_)));
    assert!(matches!(deal(&[], 0), DealNetworkError::Deal(_)));
    let many = urls(MAX_NODES + 1);
    let error = deal_network(&many, 1, &mut ChaCha20Rng::seed_from_u64(1)).unwrap_err();
    assert_eq!(error, DealNetworkError::TooManyNodes);
}

#[test]
fn the_largest_network_fits() {
    let dealt = deal_network(&urls(MAX_NODES), 2, &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
    assert!(dealt.manifest.trust_pinned().is_ok());
}
