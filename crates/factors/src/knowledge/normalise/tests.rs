use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

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
    // Korean from a device that writes it decomposed.
    assert_eq!(
        password("\u{1112}\u{1161}\u{11ab} river").unwrap(),
        password("\u{d55c} river").unwrap()
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
    // U+1F916 came with Unicode 8, after the registry of RFC 8264; U+1F435 with 6.
    assert_eq!(password("robot \u{1f916}"), Err(NormaliseError::Unassigned));
    assert!(password("monkey \u{1f435}").is_ok());
    assert_eq!(password(""), Err(NormaliseError::Empty));
    assert_eq!(
        password(&"é".repeat(513)),
        Err(NormaliseError::TooLong(1024))
    );
    assert_eq!(check_rule(2), Err(NormaliseError::UnknownRule(2)));
}

/// Characters assigned in Unicode 14.0.
fn assigned_in_14() -> impl Iterator<Item = char> {
    let ranges = include_str!("../../../tests/vectors/unicode-14-assigned.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| line.split(' '));
    ranges.flat_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let of = |digits| char::from_u32(u32::from_str_radix(digits, 16).unwrap()).unwrap();
        of(first)..=of(last)
    })
}

/// Number and SHA-256 of all (u32 character, UTF-8 of what becomes of it, byte 0).
fn digest(of: impl Fn(char) -> String) -> (usize, String) {
    let mut hash = Sha256::new();
    let mut count = 0;
    for c in assigned_in_14() {
        count += 1;
        hash.update(u32::from(c).to_be_bytes());
        hash.update(of(c));
        hash.update([0]);
    }
    (count, hex::encode(hash.finalize()))
}

/// The digest was made from the property NFKC_Casefold of Unicode 14.0 as Perl 5 has it, with none of this code.
#[test]
fn every_character_becomes_what_unicode_says() {
    let expected = "c82f7e4d93da3f66a5128f0a480103bc01a64925e934ab45cdece2eccc6813ce";
    assert_eq!(
        digest(|c| nfkc_casefold(c.encode_utf8(&mut [0; 4])).to_string()),
        (144_762, expected.to_owned())
    );
}

/// Pinned: an update of a library that takes a password away, or changes it, is seen here.
#[test]
fn every_character_of_a_password_becomes_this() {
    let (_, found) = digest(|c| match password(c.encode_utf8(&mut [0; 4])) {
        Ok(normal) => normal.to_string(),
        Err(error) => format!("\u{1}{error:?}"),
    });
    assert_eq!(
        found,
        "73de76eb55f91c9bc36d3722dfe4298973d2be51b140442d0d2f8ce7d13c9623"
    );
}

type Rule = fn(&str) -> Result<Zeroizing<String>, NormaliseError>;

/// Texts of characters that have something to do with each other.
fn texts() -> impl Strategy<Value = String> {
    let odd = "aAeEiIıİßẞſKÅσςΣᾳ\u{301}\u{323}\u{302}\u{345}\u{308}\u{327}\u{ad}\u{200d}\u{200b} \u{a0}\u{3000}ﬁ①Ａ９가ᄀ\u{1161}\u{11a8}";
    let odd: Vec<char> = odd.chars().collect();
    let all: Vec<char> = assigned_in_14().collect();
    let one = prop_oneof![
        3 => proptest::sample::select(odd),
        1 => proptest::sample::select(all),
    ];
    proptest::collection::vec(one, 0..20).prop_map(|all| all.into_iter().collect())
}

fn nfd(text: &str) -> String {
    let normalizer = DecomposingNormalizer::new_nfd();
    normalizer.normalize(text).into_owned()
}

fn nfc(text: &str) -> String {
    ComposingNormalizer::new_nfc().normalize(text).into_owned()
}

proptest! {
    /// What is the same text to Unicode is the same here, and a second time changes nothing.
    #[test]
    fn one_text_has_one_form(text in texts()) {
        let rules: [Rule; 3] = [answer, pin, password];
        for rule in rules {
            let Ok(normal) = rule(&text) else { continue };
            prop_assert_eq!(&*rule(&normal).unwrap(), &*normal);
            for other in [nfd(&text), nfc(&text)] {
                // A decomposed text may be too long.
                match rule(&other) {
                    Ok(same) => prop_assert_eq!(&*same, &*normal),
                    Err(error) => prop_assert!(matches!(error, NormaliseError::TooLong(_)), "{:?}", error),
                }
            }
        }
        if let Ok(normal) = answer(&text) {
            // In blanks, capitals and invisible characters, too.
            let odd = format!("\u{3000} {}\u{200b}\t", text.replace(' ', " \u{a0} "));
            prop_assert_eq!(&*answer(&odd).unwrap(), &*normal);
        }
    }

    /// The standard's definition, character by character, over the ordered text.
    #[test]
    fn nfkc_casefold_is_a_mapping_then_nfc(text in texts()) {
        let mapped: String = nfd(&text)
            .chars()
            .map(|c| nfkc_casefold(c.encode_utf8(&mut [0; 4])).to_string())
            .collect();
        prop_assert_eq!(&*nfkc_casefold(&text), &nfc(&mapped));
    }

    /// The crate's own rule, of which this one is made.
    #[test]
    fn passwords_as_the_crate_does_them(text in texts()) {
        prop_assume!(!text.is_empty() && text.chars().all(|c| assigned(c.encode_utf8(&mut [0; 4])).is_ok()));
        let expected = OpaqueString::enforce(text.as_str());
        match password(&text) {
            Ok(normal) => {
                let expected = expected.or_else(|_| OpaqueString::enforce(nfc(&text)));
                prop_assert_eq!(expected.as_deref(), Ok(normal.as_str()));
            }
            Err(_) => prop_assert!(expected.is_err()),
        }
    }
}
