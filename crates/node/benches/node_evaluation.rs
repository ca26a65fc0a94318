//! A node's whole answer, less the token check, against the curve operations that it cannot do without.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "criterion's macros; a bench may fail"
)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use curve25519_dalek::Scalar;
use curve25519_dalek::ristretto::RistrettoPoint;
use hash2curve::{ExpandMsg, ExpandMsgXmd, Expander};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sha2::Sha512;
use sha2::digest::consts::U16;
use trefoil_node::{Clock, IdTokenVerifier, KeySource, Node, NodeConfig, VerifierConfig};
use trefoil_protocol::social::{EphemeralKey, EvaluateRequest, IdToken, VerifierId, deal_network};
use trefoil_protocol::tenant::Tenant;
use trefoil_testkit::oidc::{OpenIdProvider, ProviderOptions};

const NOW: u64 = 1_800_000_000;
const USER: &str = "107691503500061507151130823671";

fn hash_to_group() -> RistrettoPoint {
    let mut uniform = [0; 64];
    <ExpandMsgXmd<Sha512> as ExpandMsg<U16>>::expand_message(
        &[black_box(USER.as_bytes())],
        &[b"trefoil/v1/social"],
        64.try_into().unwrap(),
    )
    .unwrap()
    .fill_bytes(&mut uniform)
    .unwrap();
    RistrettoPoint::from_uniform_bytes(&uniform)
}

fn node_evaluation(c: &mut Criterion) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options = ProviderOptions::new("app", Arc::new(|| NOW));
    let provider = runtime
        .block_on(OpenIdProvider::start(options, &mut rng))
        .unwrap();
    let (tenant, id) = (
        Tenant::new("acme").unwrap(),
        VerifierId::new("google").unwrap(),
    );
    let mut verifier = VerifierConfig::new(tenant.clone(), id.clone(), provider.issuer(), "app");
    verifier.keys = KeySource::Pinned(provider.jwks());
    let config = NodeConfig {
        permits: Vec::new(),
        verifiers: vec![verifier],
        ..NodeConfig::default()
    };

    let dealt = deal_network(&["https://node.example.com".to_owned()], 1, &mut rng).unwrap();
    let manifest = dealt.manifest.trust_pinned().unwrap();
    let verifier = IdTokenVerifier::new(config.clone()).unwrap();
    let (secrets, random) = (dealt.nodes[0].clone(), ChaCha20Rng::seed_from_u64(2));
    let node = Node::new(secrets, &manifest, verifier, Clock::new(|| NOW), random).unwrap();

    let key = EphemeralKey::random(&mut rng);
    let ephemeral = key.public();
    let token = provider
        .id_token(&provider.claims(USER).nonce(&key.oidc_nonce()))
        .unwrap();
    let user = runtime
        .block_on(
            IdTokenVerifier::new(config)
                .unwrap()
                .verify(&tenant, &id, &token, &ephemeral, NOW),
        )
        .unwrap();
    let body = EvaluateRequest::new(tenant, id, IdToken::new(token), ephemeral, 0, 1)
        .unwrap()
        .to_json();

    let mut group = c.benchmark_group("node_evaluation");
    group.bench_function("trefoil", |b| {
        b.iter(|| {
            let request = EvaluateRequest::from_json(black_box(&body)).unwrap();
            serde_json::to_vec(&node.answer(&request, &user).unwrap()).unwrap()
        });
    });
    // Hash to the group, the answer, the proof's two commitments, the four encodings that the challenge takes, and the
    // seal of what is sent: answer, proof and user.
    let (key, nonce) = (Scalar::random(&mut rng), Scalar::random(&mut rng));
    let plaintext = [0; 1 + 32 + 64 + 2 + USER.len()];
    group.bench_function("bare_curve_operations", |b| {
        b.iter(|| {
            let input = hash_to_group();
            let points = [
                input,
                key * input,
                RistrettoPoint::mul_base(&nonce),
                nonce * input,
            ];
            let encoded = points.map(|point| point.compress());
            (
                encoded,
                ephemeral
                    .seal(b"info", black_box(&plaintext), &mut rng)
                    .unwrap(),
            )
        });
    });
    group.bench_function("trefoil_with_token_check_es256", |b| {
        b.iter(|| {
            let answer = runtime.block_on(node.evaluate(black_box(&body))).unwrap();
            serde_json::to_vec(&answer).unwrap()
        });
    });
    group.finish();
}

criterion_group!(benches, node_evaluation);
criterion_main!(benches);
