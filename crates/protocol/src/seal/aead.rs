//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) with a random 24-byte nonce in front, always with associated data.

use alloc::vec::Vec;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::OpenError;

const NONCE: usize = 24;

/// `nonce || ciphertext || tag`, 40 bytes longer than the plaintext. `aad` says what it is and where it belongs, and is not
/// part of the result.
#[must_use]
pub fn seal(key: &[u8; 32], aad: &[u8], plaintext: &[u8], rng: &mut impl CryptoRng) -> Vec<u8> {
    let mut nonce = [0; NONCE];
    rng.fill_bytes(&mut nonce);
    let payload = Payload {
        msg: plaintext,
        aad,
    };
    let cipher = XChaCha20Poly1305::new(key.into());
    // Fails only above 2^32 blocks.
    let sealed = cipher
        .encrypt(&XNonce::from(nonce), payload)
        .unwrap_or_default();
    debug_assert!(!sealed.is_empty(), "sealing never fails at these sizes");
    [nonce.as_slice(), &sealed].concat()
}

/// Opens what [`seal`] made under the same key and `aad`.
///
/// # Errors
/// [`OpenError`] for another key, another place, and changed or missing bytes; which of them it is cannot be told.
pub fn open(key: &[u8; 32], aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (nonce, msg) = sealed.split_first_chunk::<NONCE>().ok_or(OpenError)?;
    let cipher = XChaCha20Poly1305::new(key.into());
    cipher
        .decrypt(&XNonce::from(*nonce), Payload { msg, aad })
        .map(Zeroizing::new)
        .map_err(|_| OpenError)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    /// draft-irtf-cfrg-xchacha-03, appendix A.3.1.
    #[test]
    fn xchacha_vector() {
        let text = include_str!("../../tests/vectors/draft-irtf-cfrg-xchacha-03.txt");
        let value = |name: &str| {
            let lines = text.lines().filter_map(|line| line.split_once(": "));
            let mut values = lines.filter(|(found, _)| *found == name);
            hex::decode(values.next().unwrap().1).unwrap()
        };
        let key: [u8; 32] = value("key").try_into().unwrap();
        let sealed = [value("nonce"), value("ciphertext"), value("tag")].concat();
        let plaintext = open(&key, &value("aad"), &sealed).unwrap();
        assert_eq!(*plaintext, value("plaintext"));
        assert_eq!(
            seal(
                &key,
                &value("aad"),
                &plaintext,
                &mut Tape(value("nonce").into())
            ),
            sealed
        );
    }

    /// Randomness that was written down before.
    struct Tape(alloc::collections::VecDeque<u8>);

    impl rand_core::TryRng for Tape {
        type Error = core::convert::Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            unimplemented!("bytes only")
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            unimplemented!("bytes only")
        }

        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
            out.fill_with(|| self.0.pop_front().unwrap());
            Ok(())
        }
    }

    impl rand_core::TryCryptoRng for Tape {}

    #[test]
    fn opens_only_whole_and_in_place() {
        let sealed = seal(
            &[1; 32],
            b"here",
            b"secret",
            &mut ChaCha20Rng::seed_from_u64(1),
        );
        assert_eq!(sealed.len(), 40 + 6);
        assert_eq!(
            open(&[1; 32], b"here", &sealed).unwrap().as_slice(),
            b"secret"
        );
        assert!(open(&[2; 32], b"here", &sealed).is_err());
        assert!(open(&[1; 32], b"there", &sealed).is_err());
        for cut in 0..sealed.len() {
            assert!(open(&[1; 32], b"here", &sealed[..cut]).is_err());
            let mut flipped = sealed.clone();
            flipped[cut] ^= 1;
            assert!(open(&[1; 32], b"here", &flipped).is_err());
        }
    }
}
