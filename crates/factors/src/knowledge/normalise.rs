//! One form for whatever keyboard, platform and mood a text is typed with. The rule's number is stored with the slot.

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizer, DecomposingNormalizer};
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};
use precis_profiles::OpaqueString;
use precis_profiles::precis_core::profile::PrecisFastInvocation;
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

/// RFC 8265 section 4.2.
pub(super) fn password(text: &str) -> Result<Zeroizing<String>, NormaliseError> {
    bounds(text, MAX_PASSWORD)?;
    assigned(text)?;
    let enforced = OpaqueString::enforce(text).map_err(|_| NormaliseError::Disallowed)?;
    bounds(&enforced, MAX_PASSWORD)?;
    Ok(Zeroizing::new(enforced.into_owned()))
}

/// NFKC, so that full-width digits are digits; blanks at the ends are not the user's.
pub(super) fn pin(text: &str) -> Result<Zeroizing<String>, NormaliseError> {
    bounds(text, MAX_ANSWER)?;
    assigned(text)?;
    let normal = Zeroizing::new(nfkc(text));
    let trimmed = Zeroizing::new(normal.trim().to_owned());
    bounds(&trimmed, MAX_ANSWER)?;
    Ok(trimmed)
}

/// NFKC_Casefold (Unicode Standard section 3.13, D146), then blanks trimmed and collapsed.
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

fn nfkc(text: &str) -> String {
    ComposingNormalizer::new_nfkc().normalize(text).into_owned()
}

/// The mapping is the fixed point of dropping default ignorables, full case folding and NFKC; the first decomposition brings
/// marks into their order.
fn nfkc_casefold(text: &str) -> Zeroizing<String> {
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let mapper = CaseMapper::new();
    let mut folded = Zeroizing::new(
        DecomposingNormalizer::new_nfd()
            .normalize(text)
            .into_owned(),
    );
    // Three rounds settle every character; the bound is for texts yet to be thought of.
    for _ in 0..8 {
        let mut kept = Zeroizing::new(String::with_capacity(folded.len()));
        kept.extend(folded.chars().filter(|c| !ignorable.contains(*c)));
        let next = Zeroizing::new(nfkc(&mapper.fold_string(&kept)));
        if *next == *folded {
            break;
        }
        folded = next;
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) {
        assert_eq!(answer(a).unwrap(), answer(b).unwrap(), "{a:?} {b:?}");
    }

    #[test]
    fn answers_are_the_same_however_they_are_typed() {
        same("Straße", "STRASSE");
        same("  Saint \u{a0} Étienne\t", "saint étienne");
        same("e\u{301}", "\u{e9}");
        // Marks in another order, full width, ligature, soft hyphen, zero-width joiner, Kelvin, final sigma.
        same("a\u{323}\u{302}", "a\u{302}\u{323}");
        same("ＢＬＵＥ ４２", "blue 42");
        same("ﬁsh", "FISH");
        same("Rei\u{ad}se\u{200d}", "reise");
        same("\u{212a}elvin", "kelvin");
        same("ΟΔΥΣΣΕΥΣ", "οδυσσευς");
        // U+0345 folds to iota.
        same("\u{1fb3}", "αι");
    }

    #[test]
    fn what_differs_stays_apart() {
        // A dotless i is another letter (Unicode's default folding is not Turkish).
        assert_ne!(answer("ısparta").unwrap(), answer("isparta").unwrap());
        assert_ne!(answer("rose").unwrap(), answer("rosé").unwrap());
        assert_ne!(password("Secret").unwrap(), password("secret").unwrap());
    }

    #[test]
    fn vectors_that_nobody_changes_unawares() {
        assert_eq!(
            answer("  Æsop’S  Fable№ ").unwrap().as_str(),
            "æsop’s fableno"
        );
        assert_eq!(answer("İstanbul").unwrap().as_str(), "i\u{307}stanbul");
        // RFC 8265 section 4.3: other spaces become U+0020, everything else is kept.
        assert_eq!(
            password("correct\u{2003}Horse battery staple")
                .unwrap()
                .as_str(),
            "correct Horse battery staple"
        );
        assert_eq!(
            password("pi\u{f1}a").unwrap(),
            password("pin\u{303}a").unwrap()
        );
        assert_eq!(pin(" １２Ａ４５６ ").unwrap().as_str(), "12A456");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        assert_eq!(answer(""), Err(NormaliseError::Empty));
        assert_eq!(answer(" \u{200b}\u{ad} "), Err(NormaliseError::Empty));
        assert_eq!(answer(&"x".repeat(257)), Err(NormaliseError::TooLong(256)));
        assert_eq!(answer("a\u{378}"), Err(NormaliseError::Unassigned));
        assert_eq!(password("a\u{e000}"), Err(NormaliseError::Unassigned));
        assert_eq!(password("tab\there"), Err(NormaliseError::Disallowed));
        assert_eq!(password(""), Err(NormaliseError::Empty));
        assert_eq!(
            password(&"é".repeat(513)),
            Err(NormaliseError::TooLong(1024))
        );
        assert_eq!(check_rule(2), Err(NormaliseError::UnknownRule(2)));
    }
}
