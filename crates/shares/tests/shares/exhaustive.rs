//! Every threshold and number of shares up to eight, every subset of `t - 1`, `t` and `t + 1` shares.

use trefoil_shares::{ReconstructError, interpolate_at, reconstruct};

use crate::support::{chosen, damaged, index, sharing};

const MOST: u32 = 8;

fn every_sharing(
    mut check: impl FnMut(u32, u32, &trefoil_shares::SharedSecret, &trefoil_shares::Sharing),
) {
    for n in 2..=MOST {
        for t in 2..=n {
            let (secret, sharing) = sharing(t, n, u64::from(n * 100 + t));
            check(t, n, &secret, &sharing);
        }
    }
}

fn subsets(n: u32, size: u32) -> impl Iterator<Item = u32> {
    (0..1u32 << n).filter(move |subset| subset.count_ones() == size)
}

#[test]
fn t_or_more_shares_give_the_secret() {
    every_sharing(|t, n, secret, sharing| {
        for subset in subsets(n, t).chain(subsets(n, t + 1)) {
            let shares = chosen(&sharing.shares, subset);
            assert_eq!(
                reconstruct(&sharing.commitments, &shares).as_ref(),
                Ok(secret)
            );

            let backwards: Vec<_> = shares.into_iter().rev().collect();
            assert_eq!(
                reconstruct(&sharing.commitments, &backwards).as_ref(),
                Ok(secret)
            );
        }
    });
}

#[test]
fn one_share_too_few_says_so() {
    every_sharing(|t, n, _, sharing| {
        for subset in subsets(n, t - 1) {
            let shares = chosen(&sharing.shares, subset);
            let error = reconstruct(&sharing.commitments, &shares).unwrap_err();
            assert_eq!(
                error,
                ReconstructError::TooFew {
                    have: t - 1,
                    threshold: t
                }
            );
            assert_eq!(error.missing(), 1);
        }
    });
}

#[test]
fn one_damaged_share_is_named() {
    every_sharing(|t, n, secret, sharing| {
        for subset in subsets(n, t).chain(subsets(n, t + 1)) {
            let shares = chosen(&sharing.shares, subset);
            for wrong in 0..shares.len() {
                let mut shares = shares.clone();
                shares[wrong] = damaged(&shares[wrong]);
                let result = reconstruct(&sharing.commitments, &shares);
                // The last of t + 1 shares is not used.
                if wrong == t as usize {
                    assert_eq!(result.as_ref(), Ok(secret));
                    continue;
                }
                let error = result.unwrap_err();
                assert_eq!(error.bad_indices(), [shares[wrong].index()]);
                assert_eq!(error.enough_without_bad(), shares.len() > t as usize);
                assert_eq!(error.missing(), u32::from(shares.len() == t as usize));

                // The advice given by the error holds.
                shares.remove(wrong);
                let again = reconstruct(&sharing.commitments, &shares);
                assert_eq!(again.is_ok(), error.enough_without_bad());
            }
        }
    });
}

#[test]
fn any_t_shares_give_every_other_share() {
    every_sharing(|t, n, _, sharing| {
        for subset in subsets(n, t) {
            let shares = chosen(&sharing.shares, subset);
            for expected in &sharing.shares {
                let made = interpolate_at(&sharing.commitments, &shares, expected.index()).unwrap();
                assert_eq!(made.into_share(), *expected);
            }
            let new = interpolate_at(&sharing.commitments, &shares, index(n + 1)).unwrap();
            assert!(sharing.commitments.verify(new.into_share()).is_ok());
        }
    });
}
