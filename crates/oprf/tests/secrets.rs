//! Secrets are not printed and do not outlive their owners.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests stand outside of test functions"
)]

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use trefoil_oprf::{
    Committee, Evaluation, Input, KeyShare, MasterKey, NodeIndex, Output, VerifiedEvaluation, deal,
};
use zeroize::{Zeroize, ZeroizeOnDrop};

#[test]
fn debug_is_redacted() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let dealing = deal(1, 1, &mut rng).unwrap();
    let committee = Committee::new(dealing.group_key, 1, 3, &dealing.verifying_shares).unwrap();
    let input = Input::social(&[b"bob"]);
    let evaluation = dealing.shares[0].evaluate(3, &input, &mut rng);
    let verified = committee.verify(&input, evaluation.clone()).unwrap();
    let output = committee.combine(std::slice::from_ref(&verified)).unwrap();
    assert_eq!(
        format!("{:?}", MasterKey::random(&mut rng)),
        "MasterKey(redacted)"
    );
    assert_eq!(
        format!("{:?}", dealing.shares[0]),
        "KeyShare(redacted, index 1)"
    );
    assert_eq!(format!("{input:?}"), "Input(redacted)");
    assert_eq!(
        format!("{evaluation:?}"),
        "Evaluation(redacted, index 1, epoch 3)"
    );
    assert_eq!(
        format!("{verified:?}"),
        "VerifiedEvaluation(redacted, index 1, epoch 3)"
    );
    assert_eq!(format!("{output:?}"), "Output(redacted)");
    let hexed = hex::encode(*dealing.shares[0].expose_secret());
    assert!(!format!("{dealing:?}").contains(&hexed));
}

#[test]
fn secrets_are_wiped() {
    fn wiped_on_drop<T: ZeroizeOnDrop>() {}
    wiped_on_drop::<MasterKey>();
    wiped_on_drop::<KeyShare>();
    wiped_on_drop::<Input>();
    wiped_on_drop::<Evaluation>();
    wiped_on_drop::<VerifiedEvaluation>();
    wiped_on_drop::<Output>();

    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let dealing = deal(1, 1, &mut rng).unwrap();
    let mut share = dealing.shares[0].clone();
    assert_ne!(*share.expose_secret(), [0; 32]);
    share.zeroize();
    assert_eq!(*share.expose_secret(), [0; 32]);
    let committee = Committee::new(dealing.group_key, 1, 1, &dealing.verifying_shares).unwrap();
    let input = Input::social(&[b"bob"]);
    let mut evaluation = dealing.shares[0].evaluate(1, &input, &mut rng);
    let verified = committee.verify(&input, evaluation.clone()).unwrap();
    let mut output = committee.combine(&[verified]).unwrap();
    evaluation.zeroize();
    assert_eq!(*evaluation.expose_secret(), [0; 32]);
    output.zeroize();
    assert_eq!(*output.expose_secret(), [0; 32]);
}

#[test]
fn shares_are_compared_with_their_index() {
    let (one, two) = (NodeIndex::new(1).unwrap(), NodeIndex::new(2).unwrap());
    let share = |index, bytes: [u8; 32]| KeyShare::from_bytes(index, &bytes).unwrap();
    let mut a = [0; 32];
    a[0] = 1;
    let mut b = a;
    b[0] = 2;
    assert_eq!(share(one, a), share(one, a));
    assert_ne!(share(one, a), share(one, b));
    assert_ne!(share(one, a), share(two, a));
}
