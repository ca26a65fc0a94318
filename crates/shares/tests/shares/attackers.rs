//! What someone tries who holds too little, or hands in something else.

use rand_core::Rng;
use trefoil_shares::{
    Commitments, Polynomial, ReconstructError, Refresh, RefreshError, Share, SharedSecret,
    SplitError, interpolate_at, reconstruct, split,
};

use crate::interop::{combine, line_through, shifted};
use crate::support::{damaged, index, rng, sharing, threshold};

fn random_share(at: u32, rng: &mut impl Rng) -> Share {
    loop {
        let mut value = [0; 32];
        rng.fill_bytes(&mut value);
        if let Ok(share) = Share::from_parts(at, &value) {
            return share;
        }
    }
}

#[test]
fn too_few_shares_and_a_guess_never_verify() {
    let mut rng = rng(1);
    for t in 2..=5 {
        let (_, sharing) = sharing(t, 5, u64::from(t));
        for guess in 0..200 {
            let mut shares = sharing.shares[..t as usize - 1].to_vec();
            let at = t + guess % 3;
            shares.push(random_share(at, &mut rng));
            let error = reconstruct(&sharing.commitments, &shares).unwrap_err();
            assert_eq!(error.bad_indices(), [index(at)]);
            assert_eq!(error.missing(), 1);
        }
    }
}

#[test]
fn too_few_shares_fit_every_secret() {
    // Through one share of a 2-of-n sharing there is a line for every secret, so one share says nothing.
    let (_, sharing) = sharing(2, 3, 7);
    let mut rng = rng(8);
    let mut possible = Vec::new();
    for _ in 0..50 {
        let candidate = SharedSecret::random(&mut rng);
        let line = line_through(&candidate, &sharing.shares[0]);
        assert_eq!(combine(&line), *candidate.expose_secret());
        // The commitments still tell which of them is the true one.
        assert!(reconstruct(&sharing.commitments, &line).is_err());
        possible.push(combine(&line));
    }
    possible.sort_unstable();
    possible.dedup();
    assert_eq!(possible.len(), 50);
}

#[test]
fn shares_of_another_epoch_are_named_and_never_mixed() {
    let mut rng = rng(2);
    let (secret, old) = sharing(2, 3, 3);
    let new = Polynomial::generate(&secret, threshold(2), &mut rng);
    let indices = [index(1), index(2), index(3)];
    let fresh = new.shares_at(&indices).unwrap();

    assert_eq!(
        new.commitments().secret_point(),
        old.commitments.secret_point()
    );
    for stale in &old.shares {
        for good in fresh.iter().filter(|good| good.index() != stale.index()) {
            let mixed = [stale.clone(), good.clone()];
            let error = reconstruct(new.commitments(), &mixed).unwrap_err();
            assert_eq!(error.bad_indices(), [stale.index()]);
        }
    }
    // They are not shares of this epoch, even those that together still give the secret both epochs have.
    for stale in &old.shares {
        assert!(new.commitments().verify(stale.clone()).is_err());
    }
    assert_eq!(
        reconstruct(new.commitments(), &old.shares).as_ref(),
        Ok(&secret)
    );
    let error = interpolate_at(new.commitments(), &old.shares, index(4)).unwrap_err();
    assert_eq!(error, ReconstructError::InconsistentCommitments);
}

#[test]
fn old_shares_do_not_open_a_new_secret() {
    let (_, old) = sharing(2, 3, 18);
    let (_, new) = sharing(2, 3, 19);
    let error = reconstruct(&new.commitments, &old.shares[..2]).unwrap_err();
    assert_eq!(error.bad_indices(), [index(1), index(2)]);
    assert_eq!(error.missing(), 2);
    // More than t that agree with each other: it is the commitments that do not fit.
    let error = reconstruct(&new.commitments, &old.shares).unwrap_err();
    assert_eq!(error, ReconstructError::InconsistentCommitments);
    assert_eq!((error.missing(), error.bad_indices()), (0, &[][..]));
    // More than t that do not even agree: the shares.
    let mut scattered = old.shares.clone();
    scattered[2] = damaged(&scattered[2]);
    let error = reconstruct(&new.commitments, &scattered).unwrap_err();
    assert_eq!(error.bad_indices(), [index(1), index(2), index(3)]);
}

#[test]
fn foreign_shares_are_named() {
    let (_, mine) = sharing(3, 5, 4);
    let (_, theirs) = sharing(3, 5, 5);
    let shares = [
        mine.shares[0].clone(),
        theirs.shares[1].clone(),
        mine.shares[2].clone(),
        theirs.shares[3].clone(),
    ];
    let error = reconstruct(&mine.commitments, &shares).unwrap_err();
    assert_eq!(
        error,
        ReconstructError::BadShares {
            bad: vec![index(2), index(4)],
            good: 2,
            threshold: 3
        }
    );
    assert!(!error.enough_without_bad());
    assert_eq!(
        error.to_string(),
        "shares 2 and 4 do not belong to this sharing: damaged, of an older epoch, or of another account; \
         2 of 3 needed shares are good"
    );
}

#[test]
fn a_share_under_another_index_is_named() {
    let (_, sharing) = sharing(2, 3, 6);
    let moved = Share::new(index(3), &sharing.shares[0].expose_secret()).unwrap();
    let error = reconstruct(&sharing.commitments, &[moved, sharing.shares[1].clone()]).unwrap_err();
    assert_eq!(error.bad_indices(), [index(3)]);
}

#[test]
fn a_repeated_share_does_not_count_twice() {
    let (_, sharing) = sharing(2, 3, 9);
    let [one, two, _] = &sharing.shares[..] else {
        unreachable!()
    };
    for shares in [
        vec![one.clone(), one.clone()],
        vec![one.clone(), damaged(one)],
        vec![two.clone(), one.clone(), one.clone()],
    ] {
        let error = reconstruct(&sharing.commitments, &shares).unwrap_err();
        assert_eq!(error, ReconstructError::DuplicateIndex { index: index(1) });
    }
}

#[test]
fn errors_that_cancel_out_still_give_only_the_true_secret() {
    // At zero the weights of shares 1 and 2 are 2 and -1: an error of e on the first and 2e on the second vanish.
    let (secret, sharing) = sharing(2, 3, 10);
    let mut rng = rng(11);
    let error = SharedSecret::random(&mut rng);
    let shifted = [
        shifted(&sharing.shares[0], &error, 1),
        shifted(&sharing.shares[1], &error, 2),
    ];
    assert_ne!(shifted[0], sharing.shares[0]);
    assert_eq!(reconstruct(&sharing.commitments, &shifted), Ok(secret));
    // But a share for a new factor made from them would be wrong, and is refused with both named.
    let error = interpolate_at(&sharing.commitments, &shifted, index(3)).unwrap_err();
    assert_eq!(error.bad_indices(), [index(1), index(2)]);
}

#[test]
fn shortened_or_reordered_commitments_do_not_lower_the_threshold() {
    let (_, sharing) = sharing(3, 4, 12);
    let mut bytes = sharing.commitments.to_bytes();

    let short = Commitments::from_bytes(&bytes[..2]).unwrap();
    assert!(reconstruct(&short, &sharing.shares[..2]).is_err());
    assert!(reconstruct(&short, &sharing.shares).is_err());

    bytes.swap(0, 1);
    let swapped = Commitments::from_bytes(&bytes).unwrap();
    assert!(reconstruct(&swapped, &sharing.shares).is_err());
}

#[test]
fn a_wrong_share_is_not_interpolated_from() {
    let (_, sharing) = sharing(2, 3, 13);
    let shares = [damaged(&sharing.shares[0]), sharing.shares[1].clone()];
    let error = interpolate_at(&sharing.commitments, &shares, index(9)).unwrap_err();
    assert_eq!(error.bad_indices(), [index(1)]);
    // Asking for an index already at hand does not skip the check.
    let error = interpolate_at(&sharing.commitments, &shares, index(1)).unwrap_err();
    assert_eq!(error.bad_indices(), [index(1)]);
    let error = interpolate_at(&sharing.commitments, &shares[..1], index(9)).unwrap_err();
    assert_eq!(
        error,
        ReconstructError::TooFew {
            have: 1,
            threshold: 2
        }
    );
}

#[test]
fn only_good_shares_become_verified() {
    let (_, sharing) = sharing(2, 3, 14);
    let share = sharing.shares[0].clone();
    assert_eq!(
        sharing
            .commitments
            .verify(share.clone())
            .unwrap()
            .into_share(),
        share
    );
    let error = sharing.commitments.verify(damaged(&share)).unwrap_err();
    assert_eq!(error.bad_indices(), [index(1)]);
}

#[test]
fn proactive_refresh_keeps_the_secret_and_retires_the_shares() {
    let mut rng = rng(15);
    let (secret, old) = sharing(3, 5, 16);
    let refresh = Refresh::generate(threshold(3), &mut rng);
    let commitments = refresh.commitments(&old.commitments).unwrap();
    let shares: Vec<Share> = old
        .shares
        .iter()
        .map(|share| refresh.share(share))
        .collect();

    assert_eq!(commitments.secret_point(), old.commitments.secret_point());
    assert_eq!(
        reconstruct(&commitments, &shares[2..]).as_ref(),
        Ok(&secret)
    );
    let mixed = [shares[0].clone(), shares[1].clone(), old.shares[2].clone()];
    assert_eq!(
        reconstruct(&commitments, &mixed).unwrap_err().bad_indices(),
        [index(3)]
    );
    assert_eq!(
        reconstruct(&old.commitments, &mixed)
            .unwrap_err()
            .bad_indices(),
        [index(1), index(2)]
    );

    let other = Refresh::generate(threshold(2), &mut rng);
    let error = other.commitments(&old.commitments).unwrap_err();
    assert_eq!(
        error,
        RefreshError::Threshold {
            refresh: 2,
            sharing: 3
        }
    );
}

#[test]
fn splits_that_nobody_could_open_are_refused() {
    let mut rng = rng(17);
    let secret = SharedSecret::random(&mut rng);
    let refused = |indices: &[u32], rng: &mut _| {
        let indices: Vec<_> = indices.iter().map(|i| index(*i)).collect();
        split(&secret, threshold(3), &indices, rng).unwrap_err()
    };
    assert_eq!(
        refused(&[], &mut rng),
        SplitError::TooFewShares {
            count: 0,
            threshold: 3
        }
    );
    assert_eq!(
        refused(&[1, 2], &mut rng),
        SplitError::TooFewShares {
            count: 2,
            threshold: 3
        }
    );
    assert_eq!(
        refused(&[1, 2, 1], &mut rng),
        SplitError::DuplicateIndex { index: index(1) }
    );
}
