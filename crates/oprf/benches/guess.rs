//! A counted guess, part by part, against the curve operations that each cannot do without.
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
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::traits::VartimeMultiscalarMul;
use hash2curve::{ExpandMsg, ExpandMsgXmd, Expander};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sha2::Sha512;
use sha2::digest::consts::U16;
use trefoil_oprf::{Blinding, Element, Evaluation, Input, MasterKey, NodeIndex};

const EPOCH: u32 = 1;
/// What Argon2id would have made of a PIN.
const STRETCHED: [u8; 32] = [42; 32];

fn hash_to_group() -> RistrettoPoint {
    let mut uniform = [0; 64];
    <ExpandMsgXmd<Sha512> as ExpandMsg<U16>>::expand_message(
        &[black_box(&STRETCHED)],
        &[b"HashToGroup-OPRFV1-\x01-ristretto255-SHA512"],
        NonZeroU16::new(64).unwrap(),
    )
    .unwrap()
    .fill_bytes(&mut uniform)
    .unwrap();
    RistrettoPoint::from_uniform_bytes(&uniform)
}

fn decode(bytes: &[u8; 32]) -> RistrettoPoint {
    CompressedRistretto(*bytes).decompress().unwrap()
}

/// What the client does before it asks and after it was answered.
fn client(c: &mut Criterion) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let (nodes, server) = (MasterKey::random(&mut rng), MasterKey::random(&mut rng));
    let blinding = Blinding::new(&STRETCHED, &mut rng).unwrap();
    let input = Input::guess(blinding.element());
    let mut answer_of = |key: &MasterKey| {
        let (commitments, shares) = key.split_committed(1, 1, &mut rng).unwrap();
        let committee = commitments.committee(EPOCH, [shares[0].index()]).unwrap();
        let answer = shares[0].evaluate(EPOCH, &input, &mut rng);
        let answer = committee.verify(&input, answer).unwrap();
        committee.combine(&[answer]).unwrap()
    };
    let answers = [answer_of(&nodes), answer_of(&server)];
    let encoded = answers.each_ref().map(|answer| *answer.expose_secret());
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let scalar = Scalar::random(&mut rng);

    let mut group = c.benchmark_group("guess_blind");
    group.bench_function("trefoil", |b| {
        b.iter(|| Blinding::new(black_box(&STRETCHED), &mut rng).unwrap());
    });
    group.bench_function("bare_curve_operations", |b| {
        b.iter(|| (black_box(&scalar) * hash_to_group()).compress());
    });
    group.finish();

    let mut group = c.benchmark_group("guess_finalize");
    group.bench_function("trefoil", |b| {
        b.iter(|| blinding.finalize(black_box(&answers)).unwrap());
    });
    group.bench_function("bare_curve_operations", |b| {
        b.iter(|| {
            let [nodes, server] = black_box(&encoded).each_ref().map(decode);
            (scalar.invert() * (nodes + server)).compress()
        });
    });
    group.finish();
}

/// What an evaluator does: decode, evaluate, prove, encode.
fn evaluator(c: &mut Criterion) {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let (_, shares) = MasterKey::random(&mut rng)
        .split_committed(5, 9, &mut rng)
        .unwrap();
    let blinding = Blinding::new(&STRETCHED, &mut rng).unwrap();
    let sent = *blinding.element().as_bytes();
    let (key, nonce) = (Scalar::random(&mut rng), Scalar::random(&mut rng));

    let mut group = c.benchmark_group("guess_evaluate_and_prove");
    group.bench_function("trefoil", |b| {
        b.iter(|| {
            let element = Element::from_bytes(black_box(&sent)).unwrap();
            let evaluated = shares[0].evaluate(EPOCH, &Input::guess(&element), &mut rng);
            (*evaluated.expose_secret(), evaluated.proof().to_bytes())
        });
    });
    // The answer, the proof's two commitments, and the encodings that the challenge takes.
    group.bench_function("bare_curve_operations", |b| {
        b.iter(|| {
            let input = decode(black_box(&sent));
            let points = [key * input, RistrettoPoint::mul_base(&nonce), nonce * input];
            points.map(|point| point.compress())
        });
    });
    group.finish();
}

/// What the client does with the answers.
fn answers(c: &mut Criterion) {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let (commitments, shares) = MasterKey::random(&mut rng)
        .split_committed(5, 9, &mut rng)
        .unwrap();
    let places: Vec<NodeIndex> = shares.iter().map(trefoil_oprf::KeyShare::index).collect();
    let committee = commitments.committee(EPOCH, places).unwrap();
    let blinding = Blinding::new(&STRETCHED, &mut rng).unwrap();
    let input = Input::guess(blinding.element());
    let answers: Vec<Evaluation> = shares[4..]
        .iter()
        .map(|share| share.evaluate(EPOCH, &input, &mut rng))
        .collect();
    let verified: Vec<_> = answers
        .iter()
        .map(|answer| committee.verify(&input, answer.clone()).unwrap())
        .collect();
    let (value, proof) = (*answers[0].expose_secret(), answers[0].proof().to_bytes());
    let scalars: Vec<Scalar> = (0..5).map(|_| Scalar::random(&mut rng)).collect();
    let points: Vec<RistrettoPoint> = scalars.iter().map(RistrettoPoint::mul_base).collect();

    let mut group = c.benchmark_group("guess_verify");
    group.bench_function("trefoil", |b| {
        b.iter(|| {
            let place = answers[0].index();
            let answer = Evaluation::from_parts(place, EPOCH, black_box(&value), &proof).unwrap();
            committee.verify(&input, answer).unwrap()
        });
    });
    // The answer's decoding, the two commitments recomputed and encoded.
    group.bench_function("bare_curve_operations", |b| {
        b.iter(|| {
            let answer = decode(black_box(&value));
            let (response, challenge) = (&scalars[0], &scalars[1]);
            let base = RistrettoPoint::vartime_double_scalar_mul_basepoint(
                challenge, &points[0], response,
            );
            let input =
                RistrettoPoint::vartime_multiscalar_mul([response, challenge], [points[1], answer]);
            [base.compress(), input.compress()]
        });
    });
    group.finish();

    let mut group = c.benchmark_group("guess_combine_5_of_9");
    group.bench_function("trefoil", |b| {
        b.iter(|| committee.combine(black_box(&verified)).unwrap());
    });
    group.bench_function("bare_curve_operations", |b| {
        b.iter(|| {
            let terms = scalars.iter().zip(black_box(&points));
            let sum: RistrettoPoint = terms.map(|(scalar, point)| scalar * point).sum();
            sum.compress()
        });
    });
    group.finish();
}

criterion_group!(benches, client, evaluator, answers);
criterion_main!(benches);
