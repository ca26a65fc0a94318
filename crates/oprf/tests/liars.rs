//! The other side: nodes that answer wrongly, manifests that do not hold together.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests stand outside of test functions"
)]

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use trefoil_oprf::{
    CombineError, Committee, CommitteeError, Dealing, Element, ElementError, Evaluation,
    EvaluationError, GroupKey, Input, KeyShare, MasterKey, NodeIndex, Proof, ScalarError,
    VerifyingShare, check_verifying_shares, deal,
};

/// The order of the group, little-endian (RFC 9496 section 4.4).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn node(index: u16) -> NodeIndex {
    NodeIndex::new(index).unwrap()
}

fn dealing(threshold: u16, count: u16, seed: u64) -> Dealing {
    deal(threshold, count, &mut ChaCha20Rng::seed_from_u64(seed)).unwrap()
}

fn committee(dealing: &Dealing, threshold: u16, epoch: u32) -> Committee {
    Committee::new(
        dealing.group_key,
        threshold,
        epoch,
        &dealing.verifying_shares,
    )
    .unwrap()
}

fn evaluate(share: &KeyShare, epoch: u32, user: &[u8]) -> Evaluation {
    share.evaluate(
        epoch,
        &Input::social(&[user]),
        &mut ChaCha20Rng::seed_from_u64(9),
    )
}

#[test]
fn everything_that_a_proof_binds_is_checked() {
    let ours = dealing(2, 3, 1);
    let theirs = dealing(2, 3, 2);
    let committee = committee(&ours, 2, 7);
    let input = Input::social(&[b"user"]);
    let good = evaluate(&ours.shares[0], 7, b"user");
    let rebuilt = |index, epoch, value: &[u8; 32], proof: &[u8; 64]| {
        committee
            .verify(
                &input,
                Evaluation::from_parts(index, epoch, value, proof).unwrap(),
            )
            .map(|_| ())
    };
    let (value, proof) = (good.expose_secret(), good.proof().to_bytes());
    assert_eq!(rebuilt(node(1), 7, value, &proof), Ok(()));

    // Index, epoch, value, proof, input, key.
    assert_eq!(
        rebuilt(node(2), 7, value, &proof),
        Err(EvaluationError::Refuted(node(2)))
    );
    assert_eq!(
        rebuilt(node(4), 7, value, &proof),
        Err(EvaluationError::UnknownIndex(node(4)))
    );
    assert_eq!(
        rebuilt(node(1), 8, value, &proof),
        Err(EvaluationError::Epoch {
            expected: 7,
            answered: 8
        })
    );
    let relabelled = evaluate(&ours.shares[0], 8, b"user");
    assert_eq!(
        rebuilt(
            node(1),
            7,
            relabelled.expose_secret(),
            &relabelled.proof().to_bytes()
        ),
        Err(EvaluationError::Refuted(node(1))),
        "a proof of another epoch"
    );
    let other_user = evaluate(&ours.shares[0], 7, b"other");
    assert_eq!(
        rebuilt(node(1), 7, other_user.expose_secret(), &proof),
        Err(EvaluationError::Refuted(node(1)))
    );
    assert_eq!(
        rebuilt(
            node(1),
            7,
            other_user.expose_secret(),
            &other_user.proof().to_bytes()
        ),
        Err(EvaluationError::Refuted(node(1)))
    );
    assert_eq!(
        committee
            .verify(&Input::social(&[b"other"]), good.clone())
            .map(|_| ()),
        Err(EvaluationError::Refuted(node(1)))
    );
    let foreign = evaluate(&theirs.shares[0], 7, b"user");
    assert_eq!(
        committee.verify(&input, foreign).map(|_| ()),
        Err(EvaluationError::Refuted(node(1)))
    );
    for at in 0..64 {
        let mut bad = proof;
        bad[at] ^= 1;
        match Evaluation::from_parts(node(1), 7, value, &bad) {
            Ok(bad) => assert_eq!(
                committee.verify(&input, bad).map(|_| ()),
                Err(EvaluationError::Refuted(node(1)))
            ),
            Err(error) => assert!(matches!(error, EvaluationError::Proof(_)), "{at}"),
        }
    }
    // The halves of the proof swapped.
    let swapped: [u8; 64] = [&proof[32..], &proof[..32]].concat().try_into().unwrap();
    assert_eq!(
        rebuilt(node(1), 7, value, &swapped),
        Err(EvaluationError::Refuted(node(1)))
    );
}

#[test]
fn identity_and_non_canonical_encodings_are_refused_everywhere() {
    let proof = [0; 64];
    let parts = |value: &[u8; 32], proof: &[u8; 64]| {
        Evaluation::from_parts(node(1), 1, value, proof).map(|_| ())
    };
    let good = *dealing(1, 1, 1).group_key.as_bytes();
    for (bytes, error) in [
        ([0; 32], ElementError::Identity),
        ([0xff; 32], ElementError::NotCanonical),
    ] {
        assert_eq!(parts(&bytes, &proof), Err(EvaluationError::Value(error)));
        assert_eq!(Element::from_bytes(&bytes), Err(error));
        assert_eq!(GroupKey::from_bytes(&bytes), Err(error));
        assert_eq!(VerifyingShare::from_bytes(node(1), &bytes), Err(error));
    }
    for half in [0, 32] {
        let mut proof = proof;
        proof[half..half + 32].copy_from_slice(&ORDER);
        assert_eq!(
            parts(&good, &proof),
            Err(EvaluationError::Proof(ScalarError::NotCanonical))
        );
        assert_eq!(Proof::from_bytes(&proof), Err(ScalarError::NotCanonical));
    }
    assert_eq!(
        KeyShare::from_bytes(node(1), &ORDER),
        Err(ScalarError::NotCanonical)
    );
    assert_eq!(
        KeyShare::from_bytes(node(1), &[0; 32]),
        Err(ScalarError::Zero)
    );
    assert_eq!(
        MasterKey::from_bytes(&[0; 32]).map(|_| ()),
        Err(ScalarError::Zero)
    );
}

#[test]
fn answers_that_do_not_belong_together_do_not_combine() {
    let ours = dealing(2, 3, 1);
    let committee_of = |epoch| committee(&ours, 2, epoch);
    let (now, later) = (committee_of(1), committee_of(2));
    let verified = |committee: &Committee, i: usize, user: &[u8]| {
        committee
            .verify(
                &Input::social(&[user]),
                evaluate(&ours.shares[i], committee.epoch(), user),
            )
            .unwrap()
    };
    let first = verified(&now, 0, b"user");
    let combine = |second| now.combine(&[first.clone(), second]).map(|_| ());
    assert_eq!(combine(verified(&now, 1, b"user")), Ok(()));
    assert_eq!(
        combine(first.clone()),
        Err(CombineError::Duplicate(node(1)))
    );
    assert_eq!(
        combine(verified(&now, 1, b"other")),
        Err(CombineError::Input(node(2)))
    );
    assert_eq!(
        combine(verified(&later, 1, b"user")),
        Err(CombineError::Foreign(node(2)))
    );
    let theirs = dealing(2, 3, 2);
    let elsewhere = committee(&theirs, 2, 1);
    let foreign = elsewhere
        .verify(
            &Input::social(&[b"user"]),
            evaluate(&theirs.shares[1], 1, b"user"),
        )
        .unwrap();
    assert_eq!(combine(foreign), Err(CombineError::Foreign(node(2))));
}

#[test]
fn committees_that_do_not_fit() {
    let ours = dealing(2, 3, 1);
    let check = |threshold, shares: &[VerifyingShare]| {
        check_verifying_shares(&ours.group_key, threshold, shares)
    };
    let shares = &ours.verifying_shares;
    assert_eq!(check(2, shares), Ok(()));
    // Fewer shares than were dealt still lie on the polynomial; a higher threshold says less.
    assert_eq!(check(2, &shares[1..]), Ok(()));
    assert_eq!(check(3, shares), Ok(()));
    for (threshold, shares) in [(0, &shares[..]), (4, &shares[..]), (1, &[])] {
        assert_eq!(
            check(threshold, shares),
            Err(CommitteeError::Threshold {
                threshold,
                nodes: shares.len()
            })
        );
    }
    assert_eq!(
        check(2, &[shares[0], shares[1], shares[0]]),
        Err(CommitteeError::DuplicateIndex(node(1)))
    );
    // A threshold below the dealt one.
    assert!(matches!(
        check(1, shares),
        Err(CommitteeError::Inconsistent { .. })
    ));
    // A wrong group key: everyone would have to be a liar, so no one is named.
    let other = dealing(2, 3, 2).group_key;
    assert_eq!(
        check_verifying_shares(&other, 2, shares),
        Err(CommitteeError::Inconsistent { liars: vec![] })
    );
}

/// Up to `(N - T + 1) / 2` wrong shares are named, whichever they are; with more no honest node is accused.
#[test]
fn wrong_verifying_shares_are_named_where_that_can_be_told() {
    for (threshold, count) in [(1, 3), (2, 3), (2, 5), (3, 5), (5, 9), (4, 4)] {
        let ours = dealing(threshold, count, 1);
        let theirs = dealing(threshold, count, 2);
        let unique = usize::from(count - threshold + 1) / 2;
        // All sets of liars in small networks, in the default one those that can be named.
        let masks =
            (1_u32..1 << count).filter(|mask| count < 9 || mask.count_ones() as usize <= unique);
        for mask in masks {
            let liars: Vec<_> = (0..usize::from(count))
                .filter(|i| mask & (1 << i) != 0)
                .collect();
            let mut shares = ours.verifying_shares.clone();
            for i in &liars {
                shares[*i] = theirs.verifying_shares[*i];
            }
            let liars: Vec<_> = liars.iter().map(|i| ours.shares[*i].index()).collect();
            match check_verifying_shares(&ours.group_key, threshold, &shares).unwrap_err() {
                CommitteeError::Inconsistent { liars: named } if liars.len() <= unique => {
                    assert_eq!(named, liars)
                }
                CommitteeError::Inconsistent { .. } => {}
                other => panic!("{other}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever bytes a node sends: no panic, and nothing verifies that its share did not make.
    #[test]
    fn arbitrary_bytes_never_verify(value: [u8; 32], proof: [[u8; 32]; 2], index in 1_u16..=4, epoch in 0_u32..3) {
        let ours = dealing(2, 3, 1);
        let committee = committee(&ours, 2, 1);
        let proof: [u8; 64] = proof.as_flattened().try_into().unwrap();
        if let Ok(evaluation) = Evaluation::from_parts(node(index), epoch, &value, &proof) {
            prop_assert!(committee.verify(&Input::social(&[b"user"]), evaluation).is_err());
        }
    }

    /// A right element and a well-formed proof by any wrong share.
    #[test]
    fn only_the_named_share_verifies(seed: u64, claimed in 0_usize..3, used in 0_usize..3) {
        let ours = dealing(2, 3, seed);
        let committee = committee(&ours, 2, 1);
        let made = evaluate(&ours.shares[used], 1, b"user");
        let claim =
            Evaluation::from_parts(ours.shares[claimed].index(), 1, made.expose_secret(), &made.proof().to_bytes());
        let verified = committee.verify(&Input::social(&[b"user"]), claim.unwrap());
        prop_assert_eq!(verified.is_ok(), claimed == used);
    }
}
