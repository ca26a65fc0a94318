//! The recovery phrase: BIP-39 words that the user writes down.
//!
//! 24 words are the 32 bytes of the factor secret themselves. 12 words are 16 bytes; the factor secret is
//! HKDF-SHA256 (RFC 5869) of them, without salt, with info `trefoil/v1/factor/phrase-12`. No BIP-39 passphrase and no
//! PBKDF2: the secret is not a wallet seed, so the words open nothing in another wallet.

use core::fmt;

use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use trefoil_protocol::factor::FactorSecret;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::words::{self, PhraseError};

const LABEL_12: &[u8] = b"trefoil/v1/factor/phrase-12";

/// How long a phrase is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WordCount {
    /// 12 words, 128 bits.
    Twelve,
    /// 24 words, 256 bits.
    #[default]
    TwentyFour,
}

impl WordCount {
    /// The number of words.
    #[must_use]
    pub const fn words(self) -> usize {
        match self {
            Self::Twelve => 12,
            Self::TwentyFour => 24,
        }
    }

    const fn bytes(self) -> usize {
        match self {
            Self::Twelve => 16,
            Self::TwentyFour => 32,
        }
    }
}

/// What the user typed back is not the phrase that was shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DrillError {
    /// It is not a phrase at all.
    #[error(transparent)]
    Phrase(#[from] PhraseError),
    /// It is a phrase, but another one.
    #[error("this is a valid phrase, but not the one that was shown: look at what you wrote down")]
    Different,
}

/// A recovery phrase. Wiped when dropped; `Debug` shows only the number of words.
#[derive(Clone)]
pub struct RecoveryPhrase {
    /// The first [`WordCount::bytes`] bytes count, the others are zero.
    entropy: Zeroizing<[u8; 32]>,
    words: WordCount,
}

impl RecoveryPhrase {
    /// A fresh phrase.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRng, words: WordCount) -> Self {
        let mut entropy = Zeroizing::new([0; 32]);
        let (used, _) = entropy.split_at_mut(words.bytes());
        rng.fill_bytes(used);
        Self { entropy, words }
    }

    /// Reads 12 or 24 words, in any case and with any white space between them.
    ///
    /// # Errors
    /// [`PhraseError`] for another number of words, a word that is not in the English list (with its position) and a
    /// wrong checksum.
    ///
    /// ```
    /// use trefoil_factors::{PhraseError, RecoveryPhrase};
    ///
    /// let typed = "legal winner thank year wave sausage worth useful legal winner thank yellwo";
    /// let Err(PhraseError::UnknownWord(word)) = RecoveryPhrase::parse(typed) else { panic!("accepted") };
    /// assert_eq!(word.position(), 12);
    /// assert_eq!(word.suggestions(), ["yellow"]);
    /// assert!(RecoveryPhrase::parse(&typed.replace("yellwo", "yellow")).is_ok());
    /// ```
    pub fn parse(text: &str) -> Result<Self, PhraseError> {
        let (entropy, length) =
            words::decode(text, |found| found == 12 || found == 24, "12 or 24")?;
        let words = if length == 16 {
            WordCount::Twelve
        } else {
            WordCount::TwentyFour
        };
        Ok(Self { entropy, words })
    }

    /// How long the phrase is.
    #[must_use]
    pub const fn word_count(&self) -> WordCount {
        self.words
    }

    /// The words, separated by blanks, for the user's eyes only.
    #[must_use]
    pub fn expose_words(&self) -> Zeroizing<String> {
        words::encode(self.used()).unwrap_or_default()
    }

    /// The factor secret that the phrase stands for.
    #[must_use]
    pub fn factor_secret(&self) -> FactorSecret {
        match self.words {
            WordCount::TwentyFour => FactorSecret::from_bytes(*self.entropy),
            WordCount::Twelve => {
                let mut secret = Zeroizing::new([0; 32]);
                let expanded =
                    Hkdf::<Sha256>::new(None, self.used()).expand(LABEL_12, secret.as_mut_slice());
                debug_assert!(expanded.is_ok(), "HKDF-SHA256 gives up to 8160 bytes");
                FactorSecret::from_bytes(*secret)
            }
        }
    }

    /// The drill: checks in constant time that what the user typed back is this phrase.
    ///
    /// # Errors
    /// [`DrillError`] when it is no phrase, or another one.
    pub fn prove(&self, typed: &str) -> Result<(), DrillError> {
        if *self == Self::parse(typed)? {
            Ok(())
        } else {
            Err(DrillError::Different)
        }
    }

    fn used(&self) -> &[u8] {
        self.entropy.split_at(self.words.bytes()).0
    }
}

impl Zeroize for RecoveryPhrase {
    fn zeroize(&mut self) {
        self.entropy.zeroize();
    }
}

// The entropy wipes itself.
impl ZeroizeOnDrop for RecoveryPhrase {}

impl PartialEq for RecoveryPhrase {
    fn eq(&self, other: &Self) -> bool {
        // The length is public: it shows on the page.
        self.words == other.words && bool::from(self.entropy.ct_eq(other.entropy.as_ref()))
    }
}

impl Eq for RecoveryPhrase {}

impl fmt::Debug for RecoveryPhrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecoveryPhrase({} words, redacted)", self.words.words())
    }
}
