//! The dApp share: 24 words that are handed to the app instead of to the user, to be kept where the app keeps secrets.
//!
//! The SDK offers it only for custom verifiers and only once MFA is on: whoever runs the app then holds one factor, and
//! with its own login a second one. A type of its own keeps it from being shown as the user's recovery phrase.

use core::fmt;

use rand_core::CryptoRng;
use trefoil_protocol::factor::FactorSecret;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::recovery_phrase::DrillError;
use crate::words::{PhraseError, ShareWords};

/// A dApp share. Wiped when dropped; `Debug` is redacted.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct DappShare(ShareWords);

impl DappShare {
    /// A fresh share.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(ShareWords::generate(rng))
    }

    /// Reads the 24 words, in any case and with any white space between them.
    ///
    /// # Errors
    /// [`PhraseError`] for another number of words, a word that is not in the English list (with its position) and a
    /// wrong checksum.
    pub fn parse(text: &str) -> Result<Self, PhraseError> {
        ShareWords::parse(text).map(Self)
    }

    /// The words, separated by blanks, for the app's secret storage.
    #[must_use]
    pub fn expose_words(&self) -> Zeroizing<String> {
        self.0.expose_words()
    }

    /// The factor secret: the 32 bytes behind the words.
    #[must_use]
    pub fn factor_secret(&self) -> FactorSecret {
        self.0.factor_secret()
    }

    /// The drill: checks in constant time that what the app stored is this share.
    ///
    /// # Errors
    /// [`DrillError`] when it is no phrase, or another one.
    pub fn prove(&self, stored: &str) -> Result<(), DrillError> {
        self.0.prove(stored)
    }
}

impl fmt::Debug for DappShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DappShare(redacted)")
    }
}
