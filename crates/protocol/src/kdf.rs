//! Hashing and key derivation: SHA-256 and HKDF-SHA256 (RFC 5869) under labels that start with `trefoil/v1/`.

use alloc::vec::Vec;

use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use trefoil_shares::{SharedSecret, scalar_from_wide};
use zeroize::Zeroizing;

use crate::bytes::AccountId;
use crate::tenant::Tenant;

/// What every label starts with.
pub(crate) const PREFIX: &str = "trefoil/v1/";

/// SHA-256 over the parts, one after the other.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// `LP(x)`: a 2-byte big-endian length, then `x`. Callers bound `x` far below 64 KiB.
pub(crate) fn lp(x: &[u8]) -> Vec<u8> {
    debug_assert!(
        u16::try_from(x.len()).is_ok(),
        "LP takes at most 65,535 bytes"
    );
    let len = u16::try_from(x.len()).unwrap_or(u16::MAX);
    let mut out = Vec::with_capacity(2 + x.len());
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(x);
    out
}

/// `trefoil/v1/` followed by the parts.
pub(crate) fn label(name: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(PREFIX.len() + name.len() + 32);
    out.extend_from_slice(PREFIX.as_bytes());
    out.extend_from_slice(name.as_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// Associated data of what is made anew in each epoch.
pub(crate) fn epoch_context(name: &str, account: &AccountId, epoch: u32, index: u32) -> Vec<u8> {
    label(
        name,
        &[
            account.as_bytes(),
            &epoch.to_be_bytes(),
            &index.to_be_bytes(),
        ],
    )
}

/// Associated data of what is carried across epochs.
pub(crate) fn account_context(name: &str, account: &AccountId) -> Vec<u8> {
    label(name, &[account.as_bytes()])
}

/// An extracted key from which labelled keys are expanded.
pub(crate) struct Prk(Hkdf<Sha256>);

impl Prk {
    pub(crate) fn extract(salt: Option<&[u8]>, ikm: &[u8]) -> Self {
        Self(Hkdf::new(salt, ikm))
    }

    /// For what hangs on the account's own key: `salt = SHA-256(LP(tenant))`.
    pub(crate) fn of_account(tenant: &Tenant, ikm: &[u8]) -> Self {
        Self::extract(Some(&sha256(&[&lp(tenant.as_str().as_bytes())])), ikm)
    }

    pub(crate) fn expand<const N: usize>(&self, info: &[u8]) -> Zeroizing<[u8; N]> {
        let mut out = Zeroizing::new([0; N]);
        // HKDF-SHA256 fails only above 255 * 32 bytes; every caller asks for at most 48.
        let expanded = self.0.expand(info, out.as_mut());
        debug_assert!(expanded.is_ok(), "HKDF output within bounds");
        out
    }

    /// `H2S`: 48 bytes read as a big-endian integer mod `n`; zero, which no one will ever see, is `None`.
    pub(crate) fn scalar(&self, info: &[u8]) -> Option<SharedSecret> {
        scalar_from_wide(&self.expand::<48>(info)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The extracted key lives on in the inner and outer hash states of HMAC: they must be wiped when a [`Prk`] goes.
    #[test]
    fn hash_states_are_wiped() {
        fn wiped<T: zeroize::ZeroizeOnDrop>() {
            assert!(core::mem::needs_drop::<T>());
        }
        wiped::<Sha256>();
        assert!(core::mem::needs_drop::<Prk>());
    }

    #[test]
    fn length_prefix_is_two_bytes_big_endian() {
        assert_eq!(lp(b"abc"), b"\x00\x03abc");
        assert_eq!(lp(b""), b"\x00\x00");
        assert_eq!(lp(&[7; 300])[..2], [1, 44]);
    }

    /// RFC 5869, appendix A.1.
    #[test]
    fn hkdf_vector() {
        let prk = Prk::extract(
            Some(&hex::decode("000102030405060708090a0b0c").unwrap()),
            &[0x0b; 22],
        );
        let okm = prk.expand::<42>(&hex::decode("f0f1f2f3f4f5f6f7f8f9").unwrap());
        assert_eq!(
            hex::encode(okm.as_slice()),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        );
    }
}
