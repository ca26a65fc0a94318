//! The dApp share: 24 words that are handed to the app instead of to the user, to be kept where the app keeps secrets.
//!
//! The SDK offers it only for custom verifiers and only once MFA is on: whoever runs the app then holds one factor, and
//! with its own login a second one. A type of its own keeps it from being shown as the user's recovery phrase.

use core::fmt;

use rand_core::CryptoRng;
use subtle::ConstantTimeEq as _;
use trefoil_protocol::factor::FactorSecret;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::recovery_phrase::DrillError;
use crate::words::{self, PhraseError};

/// A dApp share. Wiped when dropped; `Debug` is redacted.
#[derive(Clone)]
pub struct DappShare {
    entropy: Zeroizing<[u8; 32]>,
}

impl DappShare {
    /// A fresh share.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut entropy = Zeroizing::new([0; 32]);
        rng.fill_bytes(entropy.as_mut_slice());
        Self { entropy }
    }

    /// Reads the 24 words, in any case and with any white space between them.
    ///
    /// # Errors
    /// [`PhraseError`] for another number of words, a word that is not in the English list (with its position) and a
    /// wrong checksum.
    pub fn parse(text: &str) -> Result<Self, PhraseError> {
        let (entropy, _) = words::decode(text, |found| found == 24, "24")?;
        Ok(Self { entropy })
    }

    /// The words, separated by blanks, for the app's secret storage.
    #[must_use]
    pub fn expose_words(&self) -> Zeroizing<String> {
        words::encode(self.entropy.as_slice()).unwrap_or_default()
    }

    /// The factor secret: the 32 bytes behind the words.
    #[must_use]
    pub fn factor_secret(&self) -> FactorSecret {
        FactorSecret::from_bytes(*self.entropy)
    }

    /// The drill: checks in constant time that what the app stored is this share.
    ///
    /// # Errors
    /// [`DrillError`] when it is no phrase, or another one.
    pub fn prove(&self, stored: &str) -> Result<(), DrillError> {
        if *self == Self::parse(stored)? {
            Ok(())
        } else {
            Err(DrillError::Different)
        }
    }
}

impl Zeroize for DappShare {
    fn zeroize(&mut self) {
        self.entropy.zeroize();
    }
}

// The entropy wipes itself.
impl ZeroizeOnDrop for DappShare {}

impl PartialEq for DappShare {
    fn eq(&self, other: &Self) -> bool {
        self.entropy.ct_eq(other.entropy.as_ref()).into()
    }
}

impl Eq for DappShare {}

impl fmt::Debug for DappShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DappShare(redacted)")
    }
}
