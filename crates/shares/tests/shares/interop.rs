//! Against `vsss-rs` as a whole: what either one makes, the other understands.

use k256::elliptic_curve::ff::PrimeField;
use k256::elliptic_curve::group::GroupEncoding;
use k256::{ProjectivePoint, Scalar};
use trefoil_shares::{Commitments, Share, SharedSecret, reconstruct};
use vsss_rs::{
    Feldman, FeldmanVerifierSet, IdentifierPrimeField, PrimeFieldShare, ReadableShareSet, StdVsss,
    ValueGroup,
};

use crate::support::{chosen, index, rng, sharing};

type TheirShare = PrimeFieldShare<Scalar>;
type TheirVerifier = ValueGroup<ProjectivePoint>;

fn scalar(bytes: &[u8; 32]) -> Scalar {
    Option::from(Scalar::from_repr((*bytes).into())).unwrap()
}

fn theirs(share: &Share) -> TheirShare {
    let index = Scalar::from(share.index().get());
    TheirShare::from((index, scalar(&share.expose_secret())))
}

fn ours(share: &TheirShare) -> Share {
    let at = share.identifier.0.to_bytes();
    let at = u32::from_be_bytes(at[28..].try_into().unwrap());
    Share::new(index(at), &share.value.0.to_bytes().into()).unwrap()
}

/// What `vsss-rs` combines these shares to.
pub(crate) fn combine(shares: &[Share]) -> [u8; 32] {
    let shares: Vec<_> = shares.iter().map(theirs).collect();
    shares.combine().unwrap().0.to_bytes().into()
}

/// Two shares, one of them the given one, on the line whose value at zero is `secret`.
pub(crate) fn line_through(secret: &SharedSecret, share: &Share) -> [Share; 2] {
    let secret = scalar(&secret.expose_secret());
    let value = scalar(&share.expose_secret());
    let slope = (value - secret) * Scalar::from(share.index().get()).invert().unwrap();
    let at = share.index().next().unwrap();
    let other = secret + slope * Scalar::from(at.get());
    [
        share.clone(),
        Share::new(at, &other.to_bytes().into()).unwrap(),
    ]
}

/// The share with `times * error` added.
pub(crate) fn shifted(share: &Share, error: &SharedSecret, times: u32) -> Share {
    let value =
        scalar(&share.expose_secret()) + scalar(&error.expose_secret()) * Scalar::from(times);
    Share::new(share.index(), &value.to_bytes().into()).unwrap()
}

#[test]
fn their_combine_agrees_with_our_reconstruction() {
    for n in 2..=8 {
        for t in 2..=n {
            let (secret, sharing) = sharing(t, n, u64::from(t * 10 + n));
            for subset in (0..1u32 << n).filter(|subset| subset.count_ones() == t) {
                assert_eq!(
                    combine(&chosen(&sharing.shares, subset)),
                    *secret.expose_secret()
                );
            }
        }
    }
}

#[test]
fn our_shares_verify_with_them() {
    let (_, sharing) = sharing(3, 6, 20);
    let points = sharing.commitments.to_bytes();
    let points = points
        .iter()
        .map(|bytes| ProjectivePoint::from_bytes(&(*bytes).into()).unwrap());
    let verifiers: Vec<TheirVerifier> = points.map(ValueGroup).collect();
    let set = <Vec<TheirVerifier> as FeldmanVerifierSet<TheirShare, TheirVerifier>>::with_generator_and_verifiers(
        ValueGroup(ProjectivePoint::GENERATOR),
        &verifiers,
    );
    for share in &sharing.shares {
        assert!(set.verify_share(&theirs(share)).is_ok());
    }
}

#[test]
fn their_sharing_opens_with_us() {
    let mut rng = rng(21);
    let secret = SharedSecret::random(&mut rng);
    let value = IdentifierPrimeField(scalar(&secret.expose_secret()));
    for (t, n) in [(2, 3), (3, 5), (7, 12)] {
        let (shares, set) = StdVsss::<TheirShare, TheirVerifier>::split_secret_with_verifier(
            t, n, &value, None, &mut rng,
        )
        .unwrap();
        let verifiers = FeldmanVerifierSet::<TheirShare, TheirVerifier>::verifiers(&set);
        let points: Vec<[u8; 33]> = verifiers
            .iter()
            .map(|point| point.0.to_bytes().into())
            .collect();
        let commitments = Commitments::from_bytes(&points).unwrap();
        let shares: Vec<Share> = shares.iter().map(ours).collect();
        assert_eq!(
            reconstruct(&commitments, &shares[n - t..]).as_ref(),
            Ok(&secret)
        );
    }
}
