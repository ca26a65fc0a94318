//! What several tests need.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use trefoil_shares::{Share, ShareIndex, SharedSecret, Sharing, Threshold, split_count};

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(crate) fn index(index: u32) -> ShareIndex {
    ShareIndex::new(index).unwrap()
}

pub(crate) fn threshold(threshold: u32) -> Threshold {
    Threshold::new(threshold).unwrap()
}

/// A random secret and its sharing at the indices `1 ..= n`.
pub(crate) fn sharing(t: u32, n: u32, seed: u64) -> (SharedSecret, Sharing) {
    let mut rng = rng(seed);
    let secret = SharedSecret::random(&mut rng);
    let sharing = split_count(&secret, threshold(t), n, &mut rng).unwrap();
    (secret, sharing)
}

/// The same share with its lowest bit flipped.
pub(crate) fn damaged(share: &Share) -> Share {
    let mut value = share.expose_secret();
    value[31] ^= 1;
    Share::new(share.index(), &value).unwrap()
}

/// The shares whose position is a set bit of `subset`.
pub(crate) fn chosen(shares: &[Share], subset: u32) -> Vec<Share> {
    let positions = (0..shares.len()).filter(|position| subset >> position & 1 == 1);
    positions.map(|position| shares[position].clone()).collect()
}
