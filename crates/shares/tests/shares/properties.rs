//! Properties over random secrets, thresholds and indices from the whole `u32` range.

use std::collections::BTreeSet;

use k256::Scalar;
use proptest::prelude::*;
use trefoil_shares::{
    Commitments, KeyScalar, Nonce, Polynomial, ReconstructError, Share, ShareIndex, SharedSecret,
    interpolate_at, reconstruct, scalar_from_wide, split,
};

use crate::support::{damaged, rng, threshold};

/// A threshold and at least that many distinct indices; small, large and mixed ones.
fn setting() -> impl Strategy<Value = (u32, Vec<ShareIndex>)> {
    let index = prop_oneof![1..=20u32, 1..=u32::MAX, u32::MAX - 20..=u32::MAX];
    proptest::collection::btree_set(index, 2..=16)
        .prop_flat_map(|indices: BTreeSet<u32>| {
            let most = u32::try_from(indices.len()).unwrap();
            (
                2..=most,
                Just(indices.into_iter().collect::<Vec<u32>>()).prop_shuffle(),
            )
        })
        .prop_map(|(t, indices)| {
            (
                t,
                indices
                    .into_iter()
                    .map(|i| ShareIndex::new(i).unwrap())
                    .collect(),
            )
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn split_then_reconstruct_is_the_identity((t, indices) in setting(), seed: u64) {
        let mut rng = rng(seed);
        let secret = SharedSecret::random(&mut rng);
        let sharing = split(&secret, threshold(t), &indices, &mut rng).unwrap();
        prop_assert_eq!(sharing.commitments.secret_point(), secret.public_point());
        prop_assert!(sharing.shares.iter().map(Share::index).eq(indices.iter().copied()));
        let last = &sharing.shares[indices.len() - t as usize..];
        prop_assert_eq!(reconstruct(&sharing.commitments, last).unwrap(), secret);
    }

    #[test]
    fn any_damage_is_named((t, indices) in setting(), seed: u64, which: u32) {
        let mut rng = rng(seed);
        let secret = SharedSecret::random(&mut rng);
        let sharing = split(&secret, threshold(t), &indices, &mut rng).unwrap();
        let mut shares = sharing.shares;
        let mut bad = Vec::new();
        for (position, share) in shares.iter_mut().enumerate() {
            if which >> position & 1 == 1 {
                *share = damaged(share);
                bad.push(share.index());
            }
        }
        let hit = (0..t).any(|position| which >> position & 1 == 1);
        match reconstruct(&sharing.commitments, &shares) {
            Ok(found) => prop_assert!(found == secret && !hit),
            Err(error) => {
                prop_assert!(hit);
                let good = u32::try_from(shares.len() - bad.len()).unwrap();
                if good == 0 && error == ReconstructError::InconsistentCommitments {
                    // All were shifted alike, so they are one sharing, of another secret: none of them can be blamed.
                    prop_assert!(shares.len() > t as usize);
                    return Ok(());
                }
                prop_assert_eq!(error.bad_indices(), &bad[..]);
                prop_assert_eq!(error.missing(), t.saturating_sub(good));
                prop_assert_eq!(error.enough_without_bad(), good >= t);
            }
        }
    }

    #[test]
    fn every_index_has_one_share((t, indices) in setting(), at in 1..=u32::MAX, seed: u64) {
        let mut rng = rng(seed);
        let secret = SharedSecret::random(&mut rng);
        let polynomial = Polynomial::generate(&secret, threshold(t), &mut rng);
        let shares = polynomial.shares_at(&indices).unwrap();
        let at = ShareIndex::new(at).unwrap();
        let made = interpolate_at(polynomial.commitments(), &shares, at).unwrap();
        prop_assert_eq!(made.into_share(), polynomial.share_at(at));
    }

    #[test]
    fn commitments_survive_their_bytes((t, indices) in setting(), seed: u64) {
        let mut rng = rng(seed);
        let sharing = split(&SharedSecret::random(&mut rng), threshold(t), &indices, &mut rng).unwrap();
        let bytes = sharing.commitments.to_bytes();
        prop_assert_eq!(bytes.len(), t as usize);
        prop_assert_eq!(Commitments::from_bytes(&bytes).unwrap(), sharing.commitments);
    }

    #[test]
    fn nonce_arithmetic_closes(seed: u64) {
        let mut rng = rng(seed);
        let (secret, nonce) = (SharedSecret::random(&mut rng), Nonce::random(&mut rng));
        let key = KeyScalar::from_parts(&secret, &nonce).unwrap();
        prop_assert_eq!(key.nonce_for(&secret).unwrap(), nonce.clone());
        prop_assert_eq!(key.secret_for(&nonce).unwrap(), secret.clone());
        let sum = secret.public_point().add(&nonce.public_point()).unwrap();
        prop_assert_eq!(sum, key.public_point());
    }

    #[test]
    fn wide_scalars_reduce_as_numbers_do(low: [u8; 32], high: u16) {
        let mut wide = [0; 48];
        wide[14..16].copy_from_slice(&high.to_be_bytes());
        wide[16..].copy_from_slice(&low);
        let expected = crate::bytes::reduced(&low) + crate::bytes::two_to_256() * Scalar::from(u32::from(high));
        let found = scalar_from_wide(&wide).unwrap();
        let expected: [u8; 32] = expected.to_bytes().into();
        prop_assert_eq!(*found.expose_secret(), expected);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: [u8; 33], value: [u8; 32], at: u32) {
        if let Ok(point) = trefoil_shares::PublicPoint::from_bytes(&bytes) {
            prop_assert_eq!(point.to_bytes(), bytes);
        }
        if let Ok(share) = Share::from_parts(at, &value) {
            prop_assert_eq!(*share.expose_secret(), value);
        }
        if let Ok(secret) = SharedSecret::from_bytes(&value) {
            prop_assert_eq!(*secret.expose_secret(), value);
        }
    }
}
