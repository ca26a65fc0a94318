//! Every secret type: what `Debug` shows, that it is wiped, and how it compares.

use subtle::ConstantTimeEq;
use trefoil_shares::{KeyScalar, Nonce, Polynomial, Refresh, Share, SharedSecret, VerifiedShare};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::support::{index, rng, sharing, threshold};

const VALUE: [u8; 32] = [0xa7; 32];

fn wiped_on_drop<T: ZeroizeOnDrop>() {
    assert!(core::mem::needs_drop::<T>(), "nothing would run on drop");
}

fn shows_no_secret(debug: &str) {
    assert!(!debug.to_lowercase().contains("a7a7"), "{debug}");
    assert!(!debug.contains("167"), "{debug}");
}

#[test]
fn debug_is_redacted_and_still_identifies() {
    let share = Share::new(index(7), &VALUE).unwrap();
    let cases = [
        (
            format!("{:?}", SharedSecret::from_bytes(&VALUE).unwrap()),
            "SharedSecret([redacted])",
        ),
        (
            format!("{:?}", Nonce::from_bytes(&VALUE).unwrap()),
            "Nonce([redacted])",
        ),
        (
            format!("{:?}", KeyScalar::from_bytes(&VALUE).unwrap()),
            "KeyScalar([redacted])",
        ),
        (
            format!("{share:?}"),
            "Share { index: 7, value: [redacted] }",
        ),
        (
            format!("{share:#?}"),
            "Share { index: 7, value: [redacted] }",
        ),
    ];
    for (shown, expected) in cases {
        assert_eq!(shown, expected);
        shows_no_secret(&shown);
    }

    let (_, sharing) = sharing(2, 2, 30);
    let verified = sharing
        .commitments
        .verify(sharing.shares[0].clone())
        .unwrap();
    assert_eq!(
        format!("{verified:?}"),
        "VerifiedShare { index: 1, value: [redacted] }"
    );

    let secret = SharedSecret::from_bytes(&VALUE).unwrap();
    let polynomial = Polynomial::generate(&secret, threshold(4), &mut rng(31));
    assert_eq!(
        format!("{polynomial:?}"),
        "Polynomial { threshold: 4, coefficients: [redacted] }"
    );
    let refresh = Refresh::generate(threshold(4), &mut rng(32));
    assert_eq!(
        format!("{refresh:?}"),
        "Refresh { threshold: 4, coefficients: [redacted] }"
    );
}

#[test]
fn a_sharing_shows_only_public_parts() {
    let (_, sharing) = sharing(2, 3, 33);
    let shown = format!("{sharing:?}");
    for share in &sharing.shares {
        assert!(!shown.contains(&hex::encode(*share.expose_secret())));
    }
    assert!(shown.contains(&sharing.commitments.secret_point().to_string()));
}

#[test]
fn errors_carry_no_secret() {
    let (_, sharing) = sharing(2, 3, 34);
    let wrong = Share::new(index(1), &VALUE).unwrap();
    let error = sharing.commitments.verify(wrong).unwrap_err();
    shows_no_secret(&format!("{error} {error:?}"));
    let mut high = [0xff; 32];
    high[16..].copy_from_slice(&VALUE[16..]);
    let error = SharedSecret::from_bytes(&high).unwrap_err();
    shows_no_secret(&format!("{error} {error:?}"));
}

#[test]
fn all_secrets_are_wiped_on_drop() {
    wiped_on_drop::<SharedSecret>();
    wiped_on_drop::<Nonce>();
    wiped_on_drop::<KeyScalar>();
    wiped_on_drop::<Share>();
    wiped_on_drop::<VerifiedShare>();
    wiped_on_drop::<Polynomial>();
    wiped_on_drop::<Refresh>();
}

#[test]
fn wiping_leaves_nothing() {
    // The same call that drop makes.
    let mut secret = SharedSecret::from_bytes(&VALUE).unwrap();
    secret.zeroize();
    assert_eq!(*secret.expose_secret(), [0; 32]);
    let mut nonce = Nonce::from_bytes(&VALUE).unwrap();
    nonce.zeroize();
    assert_eq!(*nonce.expose_secret(), [0; 32]);
    let mut key = KeyScalar::from_bytes(&VALUE).unwrap();
    key.zeroize();
    assert_eq!(*key.expose_secret(), [0; 32]);
    let mut share = Share::new(index(7), &VALUE).unwrap();
    share.zeroize();
    assert_eq!(*share.expose_secret(), [0; 32]);
    assert_eq!(share.index(), index(7));
}

#[test]
fn exposed_copies_are_wiped_too() {
    fn wiped<T: ZeroizeOnDrop>(_: &T) {}
    wiped(&SharedSecret::from_bytes(&VALUE).unwrap().expose_secret());
    wiped(&Share::new(index(7), &VALUE).unwrap().expose_secret());
}

#[test]
fn equality_is_that_of_the_value() {
    let other = [0xa6; 32];
    let secret = SharedSecret::from_bytes(&VALUE).unwrap();
    assert!(bool::from(secret.ct_eq(&secret.clone())));
    assert!(!bool::from(
        secret.ct_eq(&SharedSecret::from_bytes(&other).unwrap())
    ));
    let share = Share::new(index(7), &VALUE).unwrap();
    assert!(bool::from(share.ct_eq(&share.clone())));
    assert!(!bool::from(
        share.ct_eq(&Share::new(index(8), &VALUE).unwrap())
    ));
    assert!(!bool::from(
        share.ct_eq(&Share::new(index(7), &other).unwrap())
    ));
}

#[test]
fn self_custody_shares_the_key_itself() {
    let key = KeyScalar::from_bytes(&VALUE).unwrap();
    let secret = SharedSecret::from(key.clone());
    assert_eq!(*secret.expose_secret(), VALUE);
    assert_eq!(KeyScalar::from(secret), key);
}

#[test]
fn the_rng_decides_everything() {
    let (first, again) = (sharing(3, 5, 35), sharing(3, 5, 35));
    assert_eq!(first.0, again.0);
    assert_eq!(first.1.shares, again.1.shares);
    assert_eq!(first.1.commitments, again.1.commitments);
    assert_ne!(sharing(3, 5, 36).1.shares, first.1.shares);
}
