//! The bytes of everything that is sent or stored, from a fixed random source. A change here breaks networks and
//! clients that run.

use std::format;
use std::string::String;
use std::vec::Vec;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;
use crate::tenant::Tenant;

/// Compares with the file; on purpose there is no switch that rewrites it.
#[track_caller]
fn assert_snapshot(name: &str, expected: &str, got: &str) {
    assert_eq!(
        got,
        expected.trim_end(),
        "src/social/snapshots/{name} differs from the bytes now made"
    );
}

fn network() -> DealtNetwork {
    let urls: Vec<String> = (1..=3)
        .map(|i| format!("https://node-{i}.example"))
        .collect();
    deal_network(&urls, 2, &mut ChaCha20Rng::seed_from_u64(1)).unwrap()
}

#[test]
fn manifest() {
    let got = serde_json::to_string(&network().manifest).unwrap();
    assert_snapshot(
        "manifest.json",
        include_str!("snapshots/manifest.json"),
        &got,
    );
    let plain = String::from_utf8(network().manifest.manifest.into_bytes()).unwrap();
    assert_snapshot(
        "manifest-plain.json",
        include_str!("snapshots/manifest-plain.json"),
        &plain,
    );
}

#[test]
fn node_secrets() {
    let got = network().nodes[0].expose_json();
    assert_snapshot(
        "node-secrets.json",
        include_str!("snapshots/node-secrets.json"),
        &got,
    );
}

#[test]
fn evaluation_and_factor_secret() {
    let dealt = network();
    let manifest = dealt.manifest.trust_pinned().unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let ephemeral = EphemeralKey::random(&mut rng);
    let (tenant, verifier) = (
        Tenant::new("acme").unwrap(),
        VerifierId::new("google").unwrap(),
    );
    let token = IdToken::new("header.claims.signature".into());
    let request = EvaluateRequest::new(
        tenant.clone(),
        verifier.clone(),
        token,
        ephemeral.public(),
        0,
        1,
    )
    .unwrap();
    let request = String::from_utf8(request.to_json().to_vec()).unwrap();
    assert_snapshot(
        "request.json",
        include_str!("snapshots/request.json"),
        &request,
    );

    let identity = UserIdentity::new(
        tenant.clone(),
        verifier.clone(),
        "10769150350006150715113082367",
        0,
    )
    .unwrap();
    let mut gathering = Gathering::new(&manifest, &ephemeral, tenant, verifier, 0);
    let mut found = None;
    let mut responses = String::new();
    for node in &dealt.nodes[..2] {
        let evaluation = node.share().evaluate(1, &identity.input(), &mut rng);
        let response =
            EvaluateResponse::seal(&evaluation, identity.user(), &ephemeral.public(), &mut rng)
                .unwrap();
        responses += &serde_json::to_string(&response).unwrap();
        responses += "\n";
        found = gathering.add(node.index(), &response).unwrap();
    }
    assert_snapshot(
        "responses.jsonl",
        include_str!("snapshots/responses.jsonl"),
        responses.trim_end(),
    );
    let (_, secret) = found.unwrap();
    let derived = format!(
        "oidc nonce    {}\nfactor secret {}",
        ephemeral.oidc_nonce(),
        hex::encode(secret.expose_secret())
    );
    assert_snapshot(
        "derived.txt",
        include_str!("snapshots/derived.txt"),
        &derived,
    );
}
