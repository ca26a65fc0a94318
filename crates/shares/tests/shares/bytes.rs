//! Known bytes: what is accepted, and what is refused with which error.

use hex::FromHex;
use k256::Scalar;
use k256::elliptic_curve::ff::PrimeField;
use k256::elliptic_curve::ops::Reduce;
use trefoil_shares::{
    Commitments, CommitmentsError, KeyScalar, Nonce, NonceError, PointError, PublicPoint,
    ScalarError, Share, ShareError, ShareIndex, SharedSecret, Threshold, ThresholdError, ZeroIndex,
    scalar_from_wide,
};

use crate::support::index;

/// The group order, SEC 2 section 2.4.1.
const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
/// The order less one.
const HIGHEST: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140";
/// The base point, SEC 2 section 2.4.1.
const BASE: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
/// Twice the base point.
const TWICE: &str = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5";

fn bytes<const N: usize>(hex: &str) -> [u8; N]
where
    [u8; N]: FromHex<Error = hex::FromHexError>,
{
    <[u8; N]>::from_hex(hex).unwrap()
}

fn wide(hex: &str) -> [u8; 48] {
    hex::decode(hex).unwrap().try_into().unwrap()
}

fn point(hex: &str) -> [u8; 33] {
    hex::decode(hex).unwrap().try_into().unwrap()
}

fn small(number: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[31] = number;
    bytes
}

/// 32 bytes modulo the order.
pub(crate) fn reduced(bytes: &[u8; 32]) -> Scalar {
    Scalar::reduce(&k256::FieldBytes::from(*bytes))
}

/// 2^256 modulo the order.
pub(crate) fn two_to_256() -> Scalar {
    let bytes = bytes::<32>("000000000000000000000000000000014551231950b75fc4402da1732fc9bebf");
    Option::from(Scalar::from_repr(bytes.into())).unwrap()
}

#[test]
fn scalars_are_canonical_and_not_zero() {
    assert_eq!(SharedSecret::from_bytes(&[0; 32]), Err(ScalarError::Zero));
    assert_eq!(
        SharedSecret::from_bytes(&bytes(ORDER)),
        Err(ScalarError::OutOfRange)
    );
    assert_eq!(
        SharedSecret::from_bytes(&[0xff; 32]),
        Err(ScalarError::OutOfRange)
    );
    assert_eq!(
        *SharedSecret::from_bytes(&bytes(HIGHEST))
            .unwrap()
            .expose_secret(),
        bytes(HIGHEST)
    );
    assert_eq!(Nonce::from_bytes(&[0; 32]), Err(ScalarError::Zero));
    assert_eq!(
        KeyScalar::from_bytes(&bytes(ORDER)),
        Err(ScalarError::OutOfRange)
    );
}

#[test]
fn shares_have_canonical_values_and_no_index_zero() {
    assert_eq!(
        Share::from_parts(0, &small(5)),
        Err(ShareError::ZeroIndex(ZeroIndex))
    );
    assert_eq!(
        Share::from_parts(4, &bytes(ORDER)),
        Err(ShareError::ValueOutOfRange { index: index(4) })
    );
    // A polynomial may pass through zero at an index other than 0.
    assert!(Share::from_parts(4, &[0; 32]).is_ok());
    let share = Share::from_parts(u32::MAX, &small(5)).unwrap();
    assert_eq!(share.index().get(), u32::MAX);
    assert_eq!(*share.expose_secret(), small(5));
    assert_ne!(share, Share::from_parts(1, &small(5)).unwrap());
}

#[test]
fn indices_and_thresholds_have_their_ranges() {
    assert_eq!(ShareIndex::new(0), Err(ZeroIndex));
    assert_eq!(ShareIndex::FIRST.get(), 1);
    assert_eq!(ShareIndex::FIRST.next(), Some(index(2)));
    assert_eq!(index(u32::MAX).next(), None);
    assert_eq!(Threshold::new(0), Err(ThresholdError(0)));
    assert_eq!(Threshold::new(1), Err(ThresholdError(1)));
    assert_eq!(Threshold::try_from(u32::MAX).map(u32::from), Ok(u32::MAX));
}

/// Computed with Python's integers: `int.from_bytes(wide, "big") % n`.
#[test]
fn wide_bytes_reduce_to_known_scalars() {
    let known = [
        (
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "4551231950b75fc4402da1732fc9bec04551231950b75fc4402da1732fc9bebe",
        ),
        (
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f",
            "101259f2ae83a986c3c506758609bd3a6206a8da85a101239e9676eca520cd60",
        ),
        (
            "617c475bb793df4294f0a8779f7f176f041f01ae033b7e34a7e01fc2eab2058b6701ec4c73b367a4155990842f6812da",
            "8000adf5a8f07b177dfe3ba1dbb092b3070b99db2da85ef8807bf01849c5f0ab",
        ),
        (
            "00000000000000000000000000000000fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364142",
            "0000000000000000000000000000000000000000000000000000000000000001",
        ),
        (
            "00000000000000000000000000000000fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
            HIGHEST,
        ),
    ];
    for (from, to) in known {
        assert_eq!(
            *scalar_from_wide(&wide(from)).unwrap().expose_secret(),
            bytes(to)
        );
    }
}

#[test]
fn wide_multiples_of_the_order_are_refused() {
    let zeros = [
        [0; 48],
        wide(
            "00000000000000000000000000000000fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
        ),
        wide(
            "00000000000000000000000000003038ffffffffffffffffffffffffffffc2b85a5a703aa536e145279174648850b779",
        ),
    ];
    for zero in zeros {
        assert_eq!(scalar_from_wide(&zero), Err(ScalarError::Zero));
    }
}

#[test]
fn the_base_point_is_one_times_itself() {
    let one = SharedSecret::from_bytes(&small(1)).unwrap().public_point();
    assert_eq!(one.to_bytes(), point(BASE));
    assert_eq!(one.to_string(), BASE);
    let two = one.add(&one).unwrap();
    assert_eq!(two.to_bytes(), point(TWICE));
    assert_eq!(
        two,
        KeyScalar::from_bytes(&small(2)).unwrap().public_point()
    );
    let uncompressed = hex::encode(one.to_uncompressed_bytes());
    assert_eq!(&uncompressed[2..66], &BASE[2..]);
    // SEC 2 section 2.4.1.
    assert_eq!(
        &uncompressed[66..],
        "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
    );
    assert_eq!(&uncompressed[..2], "04");
}

#[test]
fn points_are_canonical_and_not_the_identity() {
    let refused = [
        // Tags of the uncompressed, hybrid and compact forms.
        "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
        "0679be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
        "0579be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
        "0079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
        // x = 5 is not on the curve.
        "020000000000000000000000000000000000000000000000000000000000000005",
        // x = 1 is, but not written as the prime plus one.
        "02fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc30",
    ];
    for refused in refused {
        assert_eq!(
            PublicPoint::from_bytes(&point(refused)),
            Err(PointError::Malformed),
            "{refused}"
        );
    }
    assert!(
        PublicPoint::from_bytes(&point(
            "020000000000000000000000000000000000000000000000000000000000000001"
        ))
        .is_ok()
    );
    assert_eq!(PublicPoint::from_bytes(&[0; 33]), Err(PointError::Identity));
    assert_eq!(
        PublicPoint::try_from(&[2; 32][..]),
        Err(PointError::Malformed)
    );

    let one = SharedSecret::from_bytes(&small(1)).unwrap().public_point();
    let minus_one = SharedSecret::from_bytes(&bytes(HIGHEST))
        .unwrap()
        .public_point();
    assert_eq!(one.add(&minus_one), Err(PointError::Identity));
}

#[test]
fn commitments_are_two_points_or_more() {
    assert_eq!(
        Commitments::from_bytes(&[]),
        Err(CommitmentsError::Count { count: 0 })
    );
    assert_eq!(
        Commitments::from_bytes(&[point(BASE)]),
        Err(CommitmentsError::Count { count: 1 })
    );
    let error = Commitments::from_bytes(&[point(BASE), [0; 33]]).unwrap_err();
    assert_eq!(
        error,
        CommitmentsError::Point {
            position: 1,
            source: PointError::Identity
        }
    );
    let error = Commitments::from_bytes(&[[5; 33], point(BASE)]).unwrap_err();
    assert_eq!(
        error,
        CommitmentsError::Point {
            position: 0,
            source: PointError::Malformed
        }
    );
    let commitments = Commitments::from_bytes(&[point(BASE), point(TWICE)]).unwrap();
    assert_eq!(commitments.threshold(), Threshold::MIN);
    assert_eq!(commitments.secret_point().to_bytes(), point(BASE));
    // f(x) = 1 + 2x, so f(3) = 7.
    assert!(
        commitments
            .verify(Share::from_parts(3, &small(7)).unwrap())
            .is_ok()
    );
    assert!(
        commitments
            .verify(Share::from_parts(3, &small(8)).unwrap())
            .is_err()
    );
}

#[test]
fn shares_with_value_zero_take_part() {
    // f(x) = 6 - 2x: f(3) = 0.
    let commitments = [
        SharedSecret::from_bytes(&small(6)).unwrap().public_point(),
        SharedSecret::from_bytes(&(-Scalar::from(2u32)).to_bytes().into())
            .unwrap()
            .public_point(),
    ];
    let commitments = Commitments::from_points(commitments.to_vec()).unwrap();
    let shares = [
        Share::from_parts(3, &[0; 32]).unwrap(),
        Share::from_parts(1, &small(4)).unwrap(),
    ];
    let secret = trefoil_shares::reconstruct(&commitments, &shares).unwrap();
    assert_eq!(*secret.expose_secret(), small(6));
}

#[test]
fn nonces_never_leave_zero() {
    let (one, minus_one) = (small(1), bytes(HIGHEST));
    let secret = SharedSecret::from_bytes(&one).unwrap();
    let key = KeyScalar::from_bytes(&one).unwrap();
    let nonce = Nonce::from_bytes(&minus_one).unwrap();
    assert_eq!(
        KeyScalar::from_parts(&secret, &nonce),
        Err(NonceError::ZeroKey)
    );
    assert_eq!(key.nonce_for(&secret), Err(NonceError::ZeroNonce));
    assert_eq!(
        key.secret_for(&Nonce::from_bytes(&one).unwrap()),
        Err(NonceError::ZeroSecret)
    );
    // 2 + (n - 1) = 1
    let two = SharedSecret::from_bytes(&small(2)).unwrap();
    assert_eq!(KeyScalar::from_parts(&two, &nonce), Ok(key));
}
