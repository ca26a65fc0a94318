//! To which public keys something is sealed.

use crate::bytes::EnvelopeKey;

/// `2^255 - 19`, little-endian.
const P: [u8; 32] = {
    let mut p = [0xff; 32];
    p[0] = 0xed;
    p[31] = 0x7f;
    p
};

/// u-coordinates of small order below `2^255 - 19`: 0 (order 2), 1 (order 4), two of order 8, and -1 (order 4 on the
/// twist). Whatever is sealed to them anyone can open.
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    {
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
    ],
    {
        let mut minus_one = P;
        minus_one[0] = 0xec;
        minus_one
    },
];

impl EnvelopeKey {
    /// Whether this is an X25519 key in its one encoding (below `2^255 - 19`) and not of small order. X25519 itself
    /// would take others (RFC 7748 section 5); then two keys with two nonces would be one key.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        let bytes = self.as_bytes();
        let canonical = bytes.iter().rev().lt(P.iter().rev());
        canonical && !SMALL_ORDER.contains(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::social::EphemeralKey;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn usable(bytes: [u8; 32]) -> bool {
        EnvelopeKey::from_bytes(bytes).is_usable()
    }

    #[test]
    fn keys_that_clients_make_are_usable() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        assert!((0..100).all(|_| EphemeralKey::random(&mut rng).public().is_usable()));
    }

    #[test]
    fn small_order_is_what_hpke_refuses_too() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for bytes in SMALL_ORDER {
            assert!(!usable(bytes), "{bytes:?}");
            assert!(
                EnvelopeKey::from_bytes(bytes)
                    .seal(b"", b"x", &mut rng)
                    .is_err(),
                "{bytes:?}"
            );
        }
        let mut two = [0; 32];
        two[0] = 2;
        assert!(usable(two));
    }

    #[test]
    fn second_encodings_are_refused() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut high_bit = *EphemeralKey::random(&mut rng).public().as_bytes();
        high_bit[31] |= 0x80;
        assert!(!usable(high_bit));
        // p, p + 2 and 2^256 - 1; p - 2 is the largest that may pass.
        for first in [0xed, 0xef] {
            let mut bytes = P;
            bytes[0] = first;
            assert!(!usable(bytes));
        }
        assert!(!usable([0xff; 32]));
        let mut largest = P;
        largest[0] = 0xeb;
        assert!(usable(largest));
    }
}
