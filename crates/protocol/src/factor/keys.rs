//! Section 2: the keys derived from a factor secret.

use core::fmt;

use trefoil_shares::SharedSecret;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::bytes::{AccountId, AuthKey, EnvelopeKey, Locator};
use crate::kdf::{Prk, label, lp, sha256};
use crate::seal::hpke::EnvelopePrivateKey;
use crate::secret::secret_bytes;
use crate::sign::AuthPrivateKey;
use crate::tenant::Tenant;

secret_bytes!(
    /// The 32 bytes that a factor yields, the same each time.
    FactorSecret
);

impl Locator {
    /// Where the account of the factor with this auth key is found.
    #[must_use]
    pub fn of(auth_key: &AuthKey) -> Self {
        Self::from_bytes(sha256(&[&label("locator", &[]), auth_key.as_bytes()]))
    }
}

/// All keys of a factor within one tenant.
#[derive(Clone)]
pub struct FactorKeys {
    pub(crate) auth: AuthPrivateKey,
    pub(crate) envelope: EnvelopePrivateKey,
    pub(crate) binding: Zeroizing<[u8; 32]>,
    pub(crate) nonce: Zeroizing<[u8; 32]>,
    scalar: Option<SharedSecret>,
    locator: Locator,
}

impl FactorKeys {
    /// Derives them; the same secret in another tenant gives unrelated keys.
    #[must_use]
    pub fn derive(tenant: &Tenant, secret: &FactorSecret) -> Self {
        let salt = sha256(&[&label("factor", &[]), &lp(tenant.as_str().as_bytes())]);
        let prk = Prk::extract(Some(&salt), secret.expose_secret());
        let auth = AuthPrivateKey::from_seed(&prk.expand(&label("factor/auth", &[])));
        let locator = Locator::of(&auth.auth_key());
        Self {
            auth,
            envelope: EnvelopePrivateKey::derive(&prk.expand(&label("factor/envelope", &[]))),
            binding: prk.expand(&label("factor/binding", &[])),
            nonce: prk.expand(&label("factor/nonce", &[])),
            scalar: prk.scalar(&label("factor/scalar", &[])),
            locator,
        }
    }

    /// The Ed25519 key that signs this factor's logins.
    #[must_use]
    pub fn auth_key(&self) -> AuthKey {
        self.auth.auth_key()
    }

    /// Where this factor's account is found.
    #[must_use]
    pub const fn locator(&self) -> Locator {
        self.locator
    }

    /// The key to which this factor's shares are sealed.
    #[must_use]
    pub const fn envelope_key(&self) -> EnvelopeKey {
        self.envelope.public()
    }

    /// The private half of [`Self::auth_key`].
    #[must_use]
    pub const fn auth(&self) -> &AuthPrivateKey {
        &self.auth
    }

    /// `x`, the half of a one-click key that comes from the factor; `None` would need a SHA-256 output of all zeros.
    pub(crate) const fn scalar(&self) -> Option<&SharedSecret> {
        self.scalar.as_ref()
    }

    /// Enrols this factor in an account: its public parts, binding and proof.
    #[must_use]
    pub fn enrol(&self, account_id: &AccountId, account_auth_key: &AuthKey) -> super::Enrolment {
        super::Enrolment::make(self, account_id, account_auth_key)
    }
}

// Every secret inside wipes itself.
impl ZeroizeOnDrop for FactorKeys {}

impl fmt::Debug for FactorKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FactorKeys(redacted, locator {})", self.locator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_give_unrelated_keys_and_debug_is_redacted() {
        let secret = FactorSecret::from_bytes([3; 32]);
        let here = FactorKeys::derive(&Tenant::new("acme").unwrap(), &secret);
        let there = FactorKeys::derive(&Tenant::new("other").unwrap(), &secret);
        assert_ne!(here.locator(), there.locator());
        assert_ne!(here.envelope_key(), there.envelope_key());
        assert_eq!(format!("{secret:?}"), "FactorSecret(redacted)");
        assert_eq!(
            format!("{here:?}"),
            format!("FactorKeys(redacted, locator {})", here.locator())
        );
    }

    #[test]
    fn the_secret_is_wiped() {
        use zeroize::Zeroize;
        let mut secret = FactorSecret::from_bytes([3; 32]);
        secret.zeroize();
        assert_eq!(secret.expose_secret(), &[0; 32]);
    }
}
