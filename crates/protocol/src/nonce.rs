//! Section 7: sealing the nonce. One-click seals it under the social factor's nonce key, guarded under a key of the shared secret.

use rand_core::CryptoRng;
use trefoil_shares::{Nonce, SharedSecret};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::account::guarded_nonce_key;
use crate::bytes::{AccountId, SealedNonce};
use crate::factor::FactorKeys;
use crate::kdf::account_context;
use crate::seal::aead;
use crate::tenant::Tenant;

/// What a nonce is sealed under.
pub struct NonceKey(Zeroizing<[u8; 32]>);

/// The sealed nonce does not open: another factor or account, or changed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server's nonce does not open with this factor for this account")]
pub struct NonceOpenError;

impl NonceKey {
    /// One-click: the social factor's.
    #[must_use]
    pub fn one_click(keys: &FactorKeys) -> Self {
        Self(keys.nonce.clone())
    }

    /// Guarded: from the secret that `t` factors share.
    #[must_use]
    pub fn guarded(tenant: &Tenant, secret: &SharedSecret) -> Self {
        Self(guarded_nonce_key(tenant, secret))
    }

    /// Seals a nonce for an account.
    #[must_use]
    pub fn seal(
        &self,
        nonce: &Nonce,
        account: &AccountId,
        rng: &mut impl CryptoRng,
    ) -> SealedNonce {
        let plaintext = nonce.expose_secret();
        SealedNonce::new(aead::seal(
            &self.0,
            &account_context("nonce", account),
            plaintext.as_slice(),
            rng,
        ))
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`NonceOpenError`].
    pub fn open(&self, sealed: &SealedNonce, account: &AccountId) -> Result<Nonce, NonceOpenError> {
        let plaintext = aead::open(
            &self.0,
            &account_context("nonce", account),
            sealed.as_bytes(),
        );
        let plaintext = plaintext.map_err(|_| NonceOpenError)?;
        let bytes = <&[u8; 32]>::try_from(plaintext.as_slice()).map_err(|_| NonceOpenError)?;
        Nonce::from_bytes(bytes).map_err(|_| NonceOpenError)
    }
}

// Its bytes wipe themselves.
impl ZeroizeOnDrop for NonceKey {}

impl core::fmt::Debug for NonceKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("NonceKey(redacted)")
    }
}
