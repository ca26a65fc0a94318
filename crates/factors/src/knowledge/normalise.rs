//! One form for whatever keyboard, platform and mood a text is typed with. The rule's number is stored with the slot.

use std::borrow::Cow;

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizer, DecomposingNormalizer};
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};
use precis_profiles::OpaqueString;
use precis_profiles::precis_core::profile::PrecisFastInvocation;
use precis_profiles::precis_core::{DerivedPropertyValue, Error};
use zeroize::Zeroizing;

/// The rules of this version: passwords by RFC 8265 OpaqueString, PINs by NFKC, answers by NFKC_Casefold with blanks trimmed
/// and collapsed.
pub const RULE: u8 = 1;

/// Bytes of a password at most.
const MAX_PASSWORD: usize = 1024;
/// Bytes of an answer at most.
const MAX_ANSWER: usize = 256;

/// The text cannot be used. Says nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NormaliseError {
    /// Nothing is left.
    #[error("nothing was entered")]
    Empty,
    /// More bytes than allowed.
    #[error("at most {0} bytes are allowed")]
    TooLong(usize),
    /// A character that no known version of Unicode has: a later one might treat it differently.
    #[error("it contains a character that not every device writes the same way; leave it out")]
    Unassigned,
    /// A control or another character that passwords may not have.
    #[error("it contains a control or another character that cannot be used")]
    Disallowed,
    /// Normalised by a rule that this software does not know.
    #[error(
        "it was set up by a rule with number {0}, which this software does not know: update it"
    )]
    UnknownRule(u8),
}

/// Refuses a rule that this version does not know.
pub(super) fn check_rule(rule: u8) -> Result<(), NormaliseError> {
    if rule == RULE {
        Ok(())
    } else {
        Err(NormaliseError::UnknownRule(rule))
    }
}

/// RFC 8265 section 4.2: every space is U+0020, then NFC. The crate's own `enforce` leaves copies behind, and looks at the
/// characters before NFC, which refuses Korean from devices that write it decomposed.
pub(super) fn password(text: &str) -> Result<Zeroizing<String>, NormaliseError> {
    bounds(text, MAX_PASSWORD)?;
    assigned(text)?;
    let category = CodePointMapData::<GeneralCategory>::new();
    let spaced = text.chars().map(|c| match category.get(c) {
        GeneralCategory::SpaceSeparator => ' ',
        _ => c,
    });
    // One character grows to three at most (NFC, UTF-8).
    let normal = ComposingNormalizer::new_nfc().normalize_iter(spaced);
    let normal = collect(3 * text.len(), normal);
    bounds(&normal, MAX_PASSWORD)?;
    OpaqueString::prepare(normal.as_str()).map_err(|error| match error {
        // The registry of RFC 8264 stands at Unicode 6.3: newer emoji are among these.
        Error::BadCodepoint(found) if found.property == DerivedPropertyValue::Unassigned => {
            NormaliseError::Unassigned
        }
        _ => NormaliseError::Disallowed,
    })?;
    Ok(normal)
}

/// NFKC, so that full-width digits are digits; blanks at the ends are not the user's.
pub(super) fn pin(text: &str) -> Result<Zeroizing<String>, NormaliseError> {
    bounds(text, MAX_ANSWER)?;
    assigned(text)?;
    let normal = nfkc(text);
    let trimmed = Zeroizing::new(normal.trim().to_owned());
    bounds(&trimmed, MAX_ANSWER)?;
    Ok(trimmed)
}

/// NFKC_Casefold of NFD (Unicode Standard section 3.13, identifier caseless matching), then blanks trimmed and collapsed.
pub(super) fn answer(text: &str) -> Result<Zeroizing<String>, NormaliseError> {
    bounds(text, MAX_ANSWER)?;
    assigned(text)?;
    let folded = nfkc_casefold(text);
    let words: Vec<&str> = folded.split_whitespace().collect();
    let collapsed = Zeroizing::new(words.join(" "));
    bounds(&collapsed, MAX_ANSWER)?;
    Ok(collapsed)
}

fn bounds(text: &str, most: usize) -> Result<(), NormaliseError> {
    match text.len() {
        0 => Err(NormaliseError::Empty),
        len if len > most => Err(NormaliseError::TooLong(most)),
        _ => Ok(()),
    }
}

fn assigned(text: &str) -> Result<(), NormaliseError> {
    let category = CodePointMapData::<GeneralCategory>::new();
    let known = |c: char| {
        !matches!(
            category.get(c),
            GeneralCategory::Unassigned | GeneralCategory::PrivateUse
        )
    };
    if text.chars().all(known) {
        Ok(())
    } else {
        Err(NormaliseError::Unassigned)
    }
}

/// Reserved ahead, so that growing leaves no copy behind.
fn collect(room: usize, text: impl Iterator<Item = char>) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(room));
    out.extend(text);
    out
}

fn nfkc(text: &str) -> Zeroizing<String> {
    // The longest (U+FDFA) grows from 3 bytes to 33.
    let normal = ComposingNormalizer::new_nfkc().normalize_iter(text.chars());
    collect(11 * text.len(), normal)
}

/// Full case folding; it looks at single characters only.
fn fold(text: &str) -> Zeroizing<String> {
    let mapper = CaseMapper::new();
    // One character grows to three at most.
    let mut out = Zeroizing::new(String::with_capacity(3 * text.len()));
    for c in text.chars() {
        match mapper.fold_string(c.encode_utf8(&mut [0; 4])) {
            Cow::Borrowed(same) => out.push_str(same),
            Cow::Owned(folded) => out.push_str(&Zeroizing::new(folded)),
        }
    }
    out
}

/// The mapping is the fixed point of dropping default ignorables, full case folding and NFKC; the first decomposition brings
/// marks into their order.
fn nfkc_casefold(text: &str) -> Zeroizing<String> {
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let ordered = DecomposingNormalizer::new_nfd().normalize_iter(text.chars());
    let mut folded = collect(12 * text.len(), ordered);
    // Three rounds settle every character; the bound is for texts yet to be thought of.
    for _ in 0..8 {
        let kept = folded.chars().filter(|c| !ignorable.contains(*c));
        let next = nfkc(&fold(&collect(folded.len(), kept)));
        if *next == *folded {
            break;
        }
        folded = next;
    }
    folded
}

#[cfg(test)]
mod tests;
