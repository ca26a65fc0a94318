//! A node's answer against the curve operations that it cannot do without.
#![allow(missing_docs, reason = "criterion's macros")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot start may panic"
)]

use std::hint::black_box;
use std::num::NonZeroU16;

use criterion::{Criterion, criterion_group, criterion_main};
use curve25519_dalek::Scalar;
use curve25519_dalek::ristretto::RistrettoPoint;
use hash2curve::{ExpandMsg, ExpandMsgXmd, Expander};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sha2::Sha512;
use sha2::digest::consts::U16;
use trefoil_oprf::{Committee, Input, deal};

const USER: &[u8] = b"acme/google/10769150350006150715113082367/0";

fn hash_to_group() -> RistrettoPoint {
    let mut uniform = [0; 64];
    <ExpandMsgXmd<Sha512> as ExpandMsg<U16>>::expand_message(
        &[black_box(USER)],
        &[b"trefoil/v1/social"],
        NonZeroU16::new(64).unwrap(),
    )
    .unwrap()
    .fill_bytes(&mut uniform)
    .unwrap();
    RistrettoPoint::from_uniform_bytes(&uniform)
}

fn evaluation(c: &mut Criterion) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let dealing = deal(5, 9, &mut rng).unwrap();
    let share = &dealing.shares[0];
    let (key, nonce) = (Scalar::random(&mut rng), Scalar::random(&mut rng));

    let mut group = c.benchmark_group("evaluation");
    group.bench_function("trefoil", |b| {
        b.iter(|| share.evaluate(1, &Input::social(&[black_box(USER)]), &mut rng));
    });
    // Hash to the group, the answer, the proof's two commitments, and the four encodings that the challenge takes.
    group.bench_function("bare_curve_operations", |b| {
        b.iter(|| {
            let input = hash_to_group();
            let points = [
                input,
                key * input,
                RistrettoPoint::mul_base(&nonce),
                nonce * input,
            ];
            points.map(|point| point.compress())
        });
    });
    group.finish();
}

fn combination(c: &mut Criterion) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let dealing = deal(5, 9, &mut rng).unwrap();
    let committee = Committee::new(dealing.group_key, 5, 1, &dealing.verifying_shares).unwrap();
    let input = Input::social(&[USER]);
    let answers: Vec<_> = dealing
        .shares
        .iter()
        .take(5)
        .map(|share| share.evaluate(1, &input, &mut rng))
        .collect();

    let mut group = c.benchmark_group("combination");
    group.bench_function("verify_and_combine_5_of_9", |b| {
        b.iter(|| {
            let verified: Vec<_> = answers
                .iter()
                .map(|answer| committee.verify(&input, answer.clone()).unwrap())
                .collect();
            committee.combine(&verified).unwrap()
        });
    });
    group.bench_function("check_committee_5_of_9", |b| {
        b.iter(|| {
            Committee::new(
                dealing.group_key,
                5,
                1,
                black_box(&dealing.verifying_shares),
            )
            .unwrap()
        });
    });
    group.finish();
}

criterion_group!(benches, evaluation, combination);
criterion_main!(benches);
