//! BIP-39 words to bytes and back, English list. What all factors that consist of words share.

use core::fmt;

use bip39::{Language, Mnemonic};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq as _;
use trefoil_protocol::factor::FactorSecret;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::recovery_phrase::DrillError;

/// Longer input than any 24 words is not even looked at: the longest English word has 8 letters.
const MAX_INPUT: usize = 4096;
/// Of the words near a mistyped one, this many are offered.
const MAX_SUGGESTIONS: usize = 4;

/// Why a text is not the phrase that was asked for. Never holds a word of the user's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PhraseError {
    /// There are too many or too few words.
    #[error(
        "the phrase has {found} words instead of {expected}: check that none is missing or written twice"
    )]
    WordCount {
        /// How many words were given.
        found: usize,
        /// What is accepted, in words.
        expected: &'static str,
    },
    /// A word is not in the BIP-39 English list.
    #[error("word {} of the phrase is not in the word list: check its spelling", .0.position)]
    UnknownWord(UnknownWord),
    /// Every word is in the list, but together they are no phrase: a word is wrong or two are swapped.
    #[error("the words do not belong together: one of them is wrong, or their order is")]
    Checksum,
    /// The text is far longer than a phrase can be.
    #[error("the text is far longer than a phrase can be: enter the words only")]
    TooLong,
}

/// Where a word that is not in the list stands, and which words of the list it may have been.
#[derive(Clone, PartialEq, Eq)]
pub struct UnknownWord {
    position: usize,
    suggestions: Vec<&'static str>,
}

impl UnknownWord {
    /// Position of the word, the first being 1.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.position
    }

    /// Up to four words of the list that differ from it by one or two letters, nearest first. Show them to the user and
    /// to nobody else: one of them is probably a word of the phrase, so `Debug` and `Display` leave them out.
    #[must_use]
    pub fn suggestions(&self) -> &[&'static str] {
        &self.suggestions
    }
}

impl fmt::Debug for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnknownWord")
            .field("position", &self.position)
            .field("suggestions", &"redacted")
            .finish()
    }
}

/// A share as 24 words. Wiped when dropped; compared in constant time.
#[derive(Clone)]
pub(crate) struct ShareWords {
    entropy: Zeroizing<[u8; 32]>,
}

impl ShareWords {
    pub(crate) fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut entropy = Zeroizing::new([0; 32]);
        rng.fill_bytes(entropy.as_mut_slice());
        Self { entropy }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, PhraseError> {
        let (entropy, _) = decode(text, |found| found == 24, "24")?;
        Ok(Self { entropy })
    }

    pub(crate) fn expose_words(&self) -> Zeroizing<String> {
        encode(self.entropy.as_slice()).unwrap_or_default()
    }

    pub(crate) fn factor_secret(&self) -> FactorSecret {
        FactorSecret::from_bytes(*self.entropy)
    }

    pub(crate) fn prove(&self, copied: &str) -> Result<(), DrillError> {
        if *self == Self::parse(copied)? {
            Ok(())
        } else {
            Err(DrillError::Different)
        }
    }
}

impl Zeroize for ShareWords {
    fn zeroize(&mut self) {
        self.entropy.zeroize();
    }
}

// The entropy wipes itself.
impl ZeroizeOnDrop for ShareWords {}

impl PartialEq for ShareWords {
    fn eq(&self, other: &Self) -> bool {
        self.entropy.ct_eq(other.entropy.as_ref()).into()
    }
}

impl Eq for ShareWords {}

/// The words of 16 or 32 bytes, separated by single blanks. `None` for another length.
pub(crate) fn encode(entropy: &[u8]) -> Option<Zeroizing<String>> {
    let mnemonic = match entropy.len() {
        16 | 32 => Mnemonic::from_entropy_in(Language::English, entropy).ok()?,
        _ => return None,
    };
    // Reserved ahead, so that growing leaves no copy of the words behind: 24 words of at most 8 letters and a blank.
    let mut text = Zeroizing::new(String::with_capacity(24 * 9));
    for word in mnemonic.words() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    Some(text)
}

/// The bytes behind a phrase: the first 16 of them for 12 words, all 32 for 24. Checks that `accepts(word count)`;
/// `expected` says in words what is accepted. Upper case, other forms of a letter (NFKD) and any white space are accepted.
pub(crate) fn decode(
    text: &str,
    accepts: impl Fn(usize) -> bool,
    expected: &'static str,
) -> Result<(Zeroizing<[u8; 32]>, usize), PhraseError> {
    let text = normalise(text)?;
    let found = text.split_whitespace().count();
    if !accepts(found) {
        return Err(PhraseError::WordCount { found, expected });
    }
    // Words first, in our own loop: the user learns which word is wrong and what it may have been.
    for (index, word) in text.split_whitespace().enumerate() {
        if Language::English.find_word(word).is_none() {
            return Err(PhraseError::UnknownWord(UnknownWord {
                position: index + 1,
                suggestions: near(word),
            }));
        }
    }
    let mnemonic = Mnemonic::parse_in_normalized(Language::English, &text)
        .map_err(|_| PhraseError::Checksum)?;
    let (mut padded, length) = mnemonic.to_entropy_array();
    let mut entropy = Zeroizing::new([0; 32]);
    entropy
        .iter_mut()
        .zip(padded.iter().take(length))
        .for_each(|(to, from)| *to = *from);
    padded.zeroize();
    Ok((entropy, length))
}

fn normalise(text: &str) -> Result<Zeroizing<String>, PhraseError> {
    if text.len() > MAX_INPUT {
        return Err(PhraseError::TooLong);
    }
    // One character can grow to 18 (NFKD) and those to two each; what does not fit cannot be a phrase.
    let mut out = Zeroizing::new(String::with_capacity(MAX_INPUT));
    for c in text.nfkd().flat_map(char::to_lowercase) {
        if out.len() + c.len_utf8() > MAX_INPUT {
            return Err(PhraseError::TooLong);
        }
        out.push(c);
    }
    Ok(out)
}

/// Words of the list within two edits of `word`, nearest first.
fn near(word: &str) -> Vec<&'static str> {
    let word: Zeroizing<Vec<char>> = Zeroizing::new(word.chars().collect());
    if word.len() > 12 {
        return Vec::new();
    }
    let mut found: Vec<(usize, &'static str)> = Language::English
        .word_list()
        .iter()
        .map(|candidate| (distance(&word, candidate), *candidate))
        .filter(|(distance, _)| *distance <= 2)
        .collect();
    found.sort_unstable();
    // A word that is one letter away makes those two away noise.
    let best = found.first().map_or(0, |(distance, _)| *distance);
    found
        .into_iter()
        .filter(|(distance, _)| *distance == best)
        .map(|(_, word)| word)
        .take(MAX_SUGGESTIONS)
        .collect()
}

/// Edits (insert, delete, change, swap of neighbours) between two words: optimal string alignment, three rows.
fn distance(a: &[char], b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Zeroizing<Vec<usize>> = Zeroizing::new(vec![0; b.len() + 1]);
    let mut previous: Zeroizing<Vec<usize>> = Zeroizing::new((0..=b.len()).collect());
    let mut last_a = None;
    for (i, &from) in a.iter().enumerate() {
        let mut row: Zeroizing<Vec<usize>> = Zeroizing::new(Vec::with_capacity(b.len() + 1));
        row.push(i + 1);
        let mut last_b = None;
        for (j, &to) in b.iter().enumerate() {
            let at =
                |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX / 2);
            let mut cost = (at(&previous, j) + usize::from(from != to))
                .min(at(&previous, j + 1) + 1)
                .min(at(&row, j) + 1);
            if j > 0 && last_a == Some(to) && last_b == Some(from) {
                cost = cost.min(at(&before, j - 1) + 1);
            }
            row.push(cost);
            last_b = Some(to);
        }
        last_a = Some(from);
        before = core::mem::replace(&mut previous, row);
    }
    previous.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        let of = |a: &str, b: &str| distance(&a.chars().collect::<Vec<_>>(), b);
        assert_eq!(of("", "zoo"), 3);
        assert_eq!(of("zoo", "zoo"), 0);
        assert_eq!(of("zo", "zoo"), 1);
        assert_eq!(of("ozo", "zoo"), 1);
        assert_eq!(of("abandno", "abandon"), 1);
        assert_eq!(of("kitten", "sitting"), 3);
    }

    #[test]
    fn near_prefers_the_nearest() {
        assert_eq!(near("abandno"), ["abandon"]);
        assert!(near("xyzzyplugh").is_empty());
        assert!(near("averyveryverylongword").is_empty());
        assert!(near("wor").contains(&"word"));
        assert!(near("wor").len() <= MAX_SUGGESTIONS);
    }

    #[test]
    fn only_the_two_lengths_are_encoded() {
        for length in 0..=40 {
            assert_eq!(
                encode(&vec![7; length]).is_some(),
                length == 16 || length == 32
            );
        }
    }
}
