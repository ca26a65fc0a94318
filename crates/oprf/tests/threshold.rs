//! Every small network, every subset: `T` answers give the master key's own, fewer give nothing.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests stand outside of test functions"
)]

use curve25519_dalek::ristretto::CompressedRistretto;
use curve25519_dalek::{RistrettoPoint, Scalar};
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use trefoil_oprf::{
    CombineError, Committee, DealError, Dealing, Input, KeyShare, MasterKey, NodeIndex, Output,
    VerifiedEvaluation, deal,
};
use vsss_rs::{DefaultShare, IdentifierPrimeField, ReadableShareSet};

fn master() -> [u8; 32] {
    Scalar::from(1_234_567_u64).to_bytes()
}

fn network(threshold: u16, count: u16, seed: u64) -> (Dealing, Committee) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let dealing = MasterKey::from_bytes(&master())
        .unwrap()
        .split(threshold, count, &mut rng)
        .unwrap();
    let committee =
        Committee::new(dealing.group_key, threshold, 1, &dealing.verifying_shares).unwrap();
    (dealing, committee)
}

fn verified(dealing: &Dealing, committee: &Committee, input: &Input) -> Vec<VerifiedEvaluation> {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let evaluate = |share: &KeyShare| share.evaluate(committee.epoch(), input, &mut rng);
    let evaluations: Vec<_> = dealing.shares.iter().map(evaluate).collect();
    evaluations
        .into_iter()
        .map(|evaluation| committee.verify(input, evaluation).unwrap())
        .collect()
}

/// What the master key itself gives: a network of one.
fn expected(input: &Input) -> Output {
    let (dealing, committee) = network(1, 1, 1);
    committee
        .combine(&verified(&dealing, &committee, input))
        .unwrap()
}

fn subsets(count: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..1_u32 << count).map(move |mask| (0..count).filter(|i| mask & (1 << i) != 0).collect())
}

#[test]
fn exactly_threshold_answers_combine_and_no_other_number() {
    let input = Input::social(&[b"user"]);
    let expected = expected(&input);
    for count in 1..=6 {
        for threshold in 1..=count {
            let (dealing, committee) = network(threshold, count, 1);
            let answers = verified(&dealing, &committee, &input);
            for subset in subsets(count.into()) {
                let chosen: Vec<_> = subset.iter().map(|i| answers[*i].clone()).collect();
                let combined = committee.combine(&chosen);
                if chosen.len() == usize::from(threshold) {
                    assert_eq!(
                        combined.as_ref(),
                        Ok(&expected),
                        "{threshold} of {count}: {subset:?}"
                    );
                } else {
                    assert_eq!(
                        combined,
                        Err(CombineError::Count {
                            needed: threshold,
                            given: chosen.len()
                        })
                    );
                }
            }
        }
    }
}

/// The type refuses fewer than `T`; that the mathematics does too is shown by interpolating them all the same.
#[test]
fn fewer_than_threshold_shares_interpolate_to_something_else() {
    let input = Input::social(&[b"user"]);
    let expected = expected(&input);
    for count in 2..=6 {
        for threshold in 2..=count {
            let (dealing, committee) = network(threshold, count, 1);
            let mut rng = ChaCha20Rng::seed_from_u64(2);
            for subset in
                subsets(count.into()).filter(|s| !s.is_empty() && s.len() < threshold.into())
            {
                let xs: Vec<_> = subset.iter().map(|i| Scalar::from(*i as u64 + 1)).collect();
                let mut sum = RistrettoPoint::default();
                for (i, x) in subset.iter().zip(&xs) {
                    let weight: Scalar = xs
                        .iter()
                        .filter(|other| *other != x)
                        .map(|other| other * (other - x).invert())
                        .product();
                    let answer = dealing.shares[*i].evaluate(committee.epoch(), &input, &mut rng);
                    sum += weight
                        * CompressedRistretto(*answer.expose_secret())
                            .decompress()
                            .unwrap();
                }
                assert_ne!(sum.compress().as_bytes(), expected.expose_secret());
            }
        }
    }
}

#[test]
fn the_output_outlives_shares_committee_and_epoch() {
    let input = Input::social(&[b"user"]);
    let expected = expected(&input);
    for (threshold, count, seed) in [(2, 3, 1), (2, 3, 2), (5, 9, 3)] {
        let (dealing, committee) = network(threshold, count, seed);
        let answers = verified(&dealing, &committee, &input);
        assert_eq!(
            committee.combine(&answers[..threshold.into()]),
            Ok(expected.clone())
        );
    }
}

#[test]
fn foreign_code_reconstructs_the_dealt_key() {
    type Share = DefaultShare<IdentifierPrimeField<Scalar>, IdentifierPrimeField<Scalar>>;
    for (threshold, count) in [(2, 3), (5, 9), (7, 7)] {
        let (dealing, _) = network(threshold, count, 4);
        let shares: Vec<Share> = dealing
            .shares
            .iter()
            .skip(usize::from(count - threshold))
            .map(|share| Share {
                identifier: IdentifierPrimeField(Scalar::from(share.index().get())),
                value: IdentifierPrimeField(
                    Scalar::from_canonical_bytes(*share.expose_secret()).unwrap(),
                ),
            })
            .collect();
        assert_eq!(shares.combine().unwrap().0.to_bytes(), master());
    }
}

#[test]
fn what_cannot_be_dealt() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for (threshold, count) in [(0, 0), (0, 3), (4, 3), (1, 0)] {
        assert_eq!(
            deal(threshold, count, &mut rng).unwrap_err(),
            DealError::Threshold { threshold, count }
        );
    }
    /// A random source that is broken.
    struct Zeros;
    impl rand_core::TryRng for Zeros {
        type Error = core::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(0)
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(0)
        }
        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
            bytes.fill(0);
            Ok(())
        }
    }
    impl rand_core::TryCryptoRng for Zeros {}
    assert_eq!(
        deal(2, 3, &mut Zeros).unwrap_err(),
        DealError::BrokenRandomness
    );
}

#[test]
fn a_repeating_random_source_does_not_repeat_proof_nonces() {
    let (dealing, committee) = network(1, 1, 1);
    let (a, b) = (Input::social(&[b"a"]), Input::social(&[b"b"]));
    let evaluate =
        |input, epoch| dealing.shares[0].evaluate(epoch, input, &mut ChaCha20Rng::seed_from_u64(1));
    // With one nonce for two challenges the share would be (s1 - s2) / (c2 - c1).
    let extracted = |first: [u8; 64], second: [u8; 64]| {
        let scalar =
            |bytes: &[u8]| Scalar::from_canonical_bytes(bytes.try_into().unwrap()).unwrap();
        let (c1, s1) = (scalar(&first[..32]), scalar(&first[32..]));
        let (c2, s2) = (scalar(&second[..32]), scalar(&second[32..]));
        ((s1 - s2) * (c2 - c1).invert()).to_bytes()
    };
    let first = evaluate(&a, committee.epoch()).proof().to_bytes();
    for second in [evaluate(&b, 1), evaluate(&a, 2)] {
        assert_ne!(extracted(first, second.proof().to_bytes()), master());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Any network, any user, any quorum in any order.
    #[test]
    fn any_quorum_gives_the_master_keys_answer(
        seed: u64,
        user: Vec<u8>,
        (count, threshold) in (1_u16..=12).prop_flat_map(|count| (Just(count), 1..=count)),
        order: u64,
    ) {
        let input = Input::social(&[&user]);
        let (dealing, committee) = network(threshold, count, seed);
        let mut answers = verified(&dealing, &committee, &input);
        answers.sort_by_key(|answer| (u64::from(answer.index().get()).wrapping_add(order)).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        answers.truncate(threshold.into());
        prop_assert_eq!(committee.combine(&answers), Ok(expected(&input)));
    }

    #[test]
    fn shares_round_trip(seed: u64, index in 1_u16..) {
        let dealing = deal(1, 1, &mut ChaCha20Rng::seed_from_u64(seed)).unwrap();
        let index = NodeIndex::new(index).unwrap();
        let share = KeyShare::from_bytes(index, &dealing.shares[0].expose_secret()).unwrap();
        prop_assert_eq!(share.verifying_share().as_bytes(), dealing.group_key.as_bytes());
        prop_assert_eq!(KeyShare::from_bytes(index, &share.expose_secret()), Ok(share));
    }

    #[test]
    fn different_users_have_different_outputs(a: Vec<u8>, b: Vec<u8>) {
        prop_assume!(a != b);
        prop_assert_ne!(expected(&Input::social(&[&a])), expected(&Input::social(&[&b])));
        // Parts are joined as they are.
        prop_assert_eq!(expected(&Input::social(&[&a, &b])), expected(&Input::social(&[&[a, b].concat()])));
    }
}
