//! A node's whole answer, less the token check, against the curve operations that it cannot do without.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "criterion's macros; a bench may fail"
)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use curve25519_dalek::Scalar;
use curve25519_dalek::ristretto::RistrettoPoint;
use hash2curve::{ExpandMsg, ExpandMsgXmd, Expander};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sha2::Sha512;
use sha2::digest::consts::U16;
use trefoil_node::{Clock, IdTokenVerifier, Node, NodeConfig, VerifiedUser};
use trefoil_protocol::social::{EphemeralKey, EvaluateRequest, IdToken, VerifierId, deal_network};
use trefoil_protocol::tenant::Tenant;

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
    let dealt = deal_network(&["https://node.example.com".to_owned()], 1, &mut rng).unwrap();
    let manifest = dealt.manifest.trust_pinned().unwrap();
    let verifier = IdTokenVerifier::new(NodeConfig::default()).unwrap();
    let secrets = dealt.nodes[0].clone();
    let node = Node::new(
        secrets,
        &manifest,
        verifier,
        Clock::system(),
        ChaCha20Rng::seed_from_u64(2),
    )
    .unwrap();
    let ephemeral = EphemeralKey::random(&mut rng).public();
    let body = EvaluateRequest::new(
        Tenant::new("acme").unwrap(),
        VerifierId::new("google").unwrap(),
        IdToken::new("x".repeat(900)),
        ephemeral,
        0,
    )
    .unwrap()
    .to_json();
    let user = VerifiedUser::dangerous(USER);

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
    group.finish();
}

criterion_group!(benches, node_evaluation);
criterion_main!(benches);
