//! Nonce arithmetic: `key = shared secret + nonce` modulo the group order.

use k256::Scalar;
use zeroize::Zeroizing;

use crate::secret::{KeyScalar, Nonce, SharedSecret};

/// A sum or difference came out as zero. Not by chance: the inputs belong together by mistake or by malice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NonceError {
    /// `shared secret + nonce = 0`.
    #[error("this nonce cancels the shared secret and would give no wallet key; refuse the nonce")]
    ZeroKey,
    /// `key - shared secret = 0`.
    #[error(
        "the wallet key equals the shared secret, so the nonce would be zero; use another shared secret"
    )]
    ZeroNonce,
    /// `key - nonce = 0`.
    #[error(
        "the wallet key equals the nonce, so nothing would be left to share; use another nonce"
    )]
    ZeroSecret,
}

impl KeyScalar {
    /// `key = secret + nonce`.
    ///
    /// # Errors
    /// [`NonceError::ZeroKey`] where they cancel.
    pub fn from_parts(secret: &SharedSecret, nonce: &Nonce) -> Result<Self, NonceError> {
        let sum = Zeroizing::new(Scalar::add(secret.as_scalar(), nonce.as_scalar()));
        Self::from_scalar(&sum).map_err(|_| NonceError::ZeroKey)
    }

    /// `nonce = key - secret`: what must be held back so that `secret` stands for this key.
    ///
    /// # Errors
    /// [`NonceError::ZeroNonce`] where both are equal.
    pub fn nonce_for(&self, secret: &SharedSecret) -> Result<Nonce, NonceError> {
        let difference = Zeroizing::new(Scalar::sub(self.as_scalar(), secret.as_scalar()));
        Nonce::from_scalar(&difference).map_err(|_| NonceError::ZeroNonce)
    }

    /// `secret = key - nonce`: what is shared when the nonce is held back.
    ///
    /// # Errors
    /// [`NonceError::ZeroSecret`] where both are equal.
    pub fn secret_for(&self, nonce: &Nonce) -> Result<SharedSecret, NonceError> {
        let difference = Zeroizing::new(Scalar::sub(self.as_scalar(), nonce.as_scalar()));
        SharedSecret::from_scalar(&difference).map_err(|_| NonceError::ZeroSecret)
    }
}
