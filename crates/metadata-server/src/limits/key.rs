//! Under which key buckets are named.

use std::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use trefoil_store::LimitSubject;
use zeroize::Zeroizing;

const INFO: &[u8] = b"trefoil/v1/limit-key";

/// Names buckets by a keyed hash: the store holds no address and no locator, and nobody can choose names that collide. All
/// processes of a deployment must have the same one.
#[derive(Clone)]
pub struct LimitKey(Zeroizing<[u8; 32]>);

impl LimitKey {
    /// HKDF-SHA256 (RFC 5869) of a secret that every process of the deployment has, such as the permit key's seed.
    #[must_use]
    pub fn derive(secret: &[u8; 32]) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        let expanded = Hkdf::<Sha256>::new(None, secret).expand(INFO, key.as_mut_slice());
        debug_assert!(expanded.is_ok(), "32 bytes are within bounds");
        Self(key)
    }

    /// The bucket of this kind and these parts.
    pub(super) fn subject(&self, kind: &str, parts: &[&[u8]]) -> LimitSubject {
        // HMAC takes keys of any length.
        let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(self.0.as_slice()) else {
            return LimitSubject::from_bytes([0; 32]);
        };
        for part in [kind.as_bytes()].iter().chain(parts) {
            hmac.update(&(part.len() as u64).to_be_bytes());
            hmac.update(part);
        }
        LimitSubject::from_bytes(hmac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for LimitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LimitKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_depends_on_key_kind_and_every_part() {
        let key = LimitKey::derive(&[1; 32]);
        let name = key.subject("slot", &[b"ab", b"c"]);
        assert_eq!(
            name,
            LimitKey::derive(&[1; 32]).subject("slot", &[b"ab", b"c"])
        );
        for other in [
            LimitKey::derive(&[2; 32]).subject("slot", &[b"ab", b"c"]),
            key.subject("locator", &[b"ab", b"c"]),
            key.subject("slot", &[b"a", b"bc"]),
            key.subject("slot", &[b"ab"]),
        ] {
            assert_ne!(name, other);
        }
        assert_eq!(format!("{key:?}"), "LimitKey(redacted)");
    }
}
