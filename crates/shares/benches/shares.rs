//! Splitting and reconstructing, side by side with what they are measured against.
//!
//! `cargo xtask bench` reads the ratios from the ids, so these stay as they are.

#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot be set up should stop"
)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use k256::elliptic_curve::ff::PrimeField;
use k256::{ProjectivePoint, Scalar};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use trefoil_shares::{SharedSecret, Sharing, Threshold, reconstruct, split_count};
use vsss_rs::{
    Feldman, IdentifierPrimeField, PrimeFieldShare, ReadableShareSet, StdVsss, ValueGroup,
};

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1)
}

fn sharing(threshold: u32, count: u32) -> (SharedSecret, Sharing) {
    let mut rng = rng();
    let secret = SharedSecret::random(&mut rng);
    let threshold = Threshold::new(threshold).expect("at least 2");
    let sharing = split_count(&secret, threshold, count, &mut rng).expect("enough shares");
    (secret, sharing)
}

fn scalar(bytes: [u8; 32]) -> Scalar {
    Option::from(Scalar::from_repr(bytes.into())).expect("canonical")
}

/// The last shares, for `vsss-rs`: the largest indices there are, not the easiest.
fn their_shares(sharing: &Sharing, count: usize) -> Vec<PrimeFieldShare<Scalar>> {
    let shares = sharing.shares.iter().rev().take(count);
    shares
        .map(|share| {
            (
                Scalar::from(share.index().get()),
                scalar(*share.expose_secret()),
            )
                .into()
        })
        .collect()
}

fn split(c: &mut Criterion) {
    let secret = SharedSecret::random(&mut rng());
    let ours = |threshold, count| {
        let threshold = Threshold::new(threshold).expect("at least 2");
        let secret = secret.clone();
        move |mut rng| split_count(black_box(&secret), threshold, count, &mut rng)
    };

    let mut group = c.benchmark_group("split");
    group.bench_function("trefoil", |b| {
        b.iter_batched(rng, ours(2, 3), BatchSize::SmallInput)
    });
    let value = IdentifierPrimeField(scalar(*secret.expose_secret()));
    group.bench_function("vsss_rs", |b| {
        type Theirs = StdVsss<PrimeFieldShare<Scalar>, ValueGroup<ProjectivePoint>>;
        let split = |rng| Theirs::split_secret_with_verifier(2, 3, black_box(&value), None, rng);
        b.iter_batched(rng, split, BatchSize::SmallInput);
    });
    group.finish();

    let mut group = c.benchmark_group("split_500_of_1000");
    group.sample_size(10);
    group.bench_function("trefoil", |b| {
        b.iter_batched(rng, ours(500, 1000), BatchSize::SmallInput)
    });
    group.finish();
}

fn reconstruct_2_of_3(c: &mut Criterion) {
    let mut group = c.benchmark_group("reconstruct_2_of_3");
    let (secret, sharing) = sharing(2, 3);
    let shares: Vec<_> = sharing.shares.iter().rev().take(2).cloned().collect();
    group.bench_function("trefoil", |b| {
        b.iter(|| reconstruct(black_box(&sharing.commitments), black_box(&shares)));
    });

    let secret = scalar(*secret.expose_secret());
    group.bench_function("mul_by_generator", |b| {
        b.iter(|| ProjectivePoint::mul_by_generator(black_box(&secret)));
    });

    // Proven as ours is.
    let theirs = their_shares(&sharing, 2);
    let point = ProjectivePoint::mul_by_generator(&secret);
    group.bench_function("vsss_rs", |b| {
        b.iter(|| {
            let secret = black_box(&theirs).combine().expect("good shares").0;
            assert_eq!(ProjectivePoint::mul_by_generator(&secret), point);
            secret
        });
    });
    group.finish();
}

fn reconstruct_500_of_1000(c: &mut Criterion) {
    let mut group = c.benchmark_group("reconstruct_500_of_1000");
    group.sample_size(20);
    let (_, sharing) = sharing(500, 1000);
    let shares: Vec<_> = sharing.shares.iter().rev().take(500).cloned().collect();
    group.bench_function("trefoil", |b| {
        b.iter(|| reconstruct(black_box(&sharing.commitments), black_box(&shares)));
    });
    // Not proven: theirs is measured at its best.
    let theirs = their_shares(&sharing, 500);
    group.bench_function("vsss_rs", |b| b.iter(|| black_box(&theirs).combine()));
    group.finish();
}

criterion_group!(benches, split, reconstruct_2_of_3, reconstruct_500_of_1000);
criterion_main!(benches);
