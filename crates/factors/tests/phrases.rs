//! Recovery phrase and dApp share: reference vectors, properties, bad input, secrecy.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use trefoil_factors::{DappShare, DrillError, PhraseError, RecoveryPhrase, WordCount};
use zeroize::{Zeroize as _, ZeroizeOnDrop};

/// Entropy and words, from the reference vectors of BIP-39 (python-mnemonic, `vectors.json`, English; the 12- and
/// 24-word ones). The seeds there are left out: Trefoil does not stretch phrases into seeds.
const VECTORS: &str = include_str!("vectors/bip39-english.txt");

fn vectors() -> impl Iterator<Item = (Vec<u8>, &'static str)> {
    VECTORS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (entropy, words) = line.split_once(": ").unwrap();
            (hex::decode(entropy).unwrap(), words)
        })
}

#[test]
fn reference_vectors() {
    let mut seen = [0, 0];
    for (entropy, words) in vectors() {
        let phrase = RecoveryPhrase::parse(words).unwrap();
        assert_eq!(*phrase.expose_words(), words);
        match phrase.word_count() {
            WordCount::TwentyFour => {
                assert_eq!(phrase.factor_secret().expose_secret(), &*entropy);
                let share = DappShare::parse(words).unwrap();
                assert_eq!(*share.expose_words(), words);
                assert_eq!(share.factor_secret(), phrase.factor_secret());
                seen[1] += 1;
            }
            WordCount::Twelve => {
                let expected = hkdf(&entropy, b"trefoil/v1/factor/phrase-12");
                assert_eq!(phrase.factor_secret().expose_secret(), &expected);
                seen[0] += 1;
            }
        }
    }
    assert_eq!(seen, [8, 8]);
}

/// RFC 5869 written out for one block and no salt, independently of the crate that the code uses.
fn hkdf(ikm: &[u8], info: &[u8]) -> [u8; 32] {
    use sha2::{Digest as _, Sha256};
    let hmac = |key: &[u8], message: &[u8]| -> [u8; 32] {
        let mut block = [0; 64];
        block[..key.len()].copy_from_slice(key);
        let inner = Sha256::digest([block.map(|b| b ^ 0x36).as_slice(), message].concat());
        Sha256::digest([block.map(|b| b ^ 0x5c).as_slice(), &inner].concat()).into()
    };
    hmac(&hmac(&[0; 32], ikm), &[info, &[1]].concat())
}

/// Pinned: a change here locks out everybody who wrote 12 words down.
#[test]
fn twelve_words_give_this_secret() {
    let phrase = RecoveryPhrase::parse(&format!("{}about", "abandon ".repeat(11))).unwrap();
    assert_eq!(
        hex::encode(phrase.factor_secret().expose_secret()),
        "b03b79e0263ded6c02bcd3623870554071e84bb9c4505d401040ae6ff8da6e66"
    );
}

#[test]
fn spelling_is_tolerant() {
    let words = "legal winner thank year wave sausage worth useful legal winner thank yellow";
    let phrase = RecoveryPhrase::parse(words).unwrap();
    let wide: String = words
        .chars()
        .map(|c| match c {
            // The same letters in their full-width form, which NFKD folds back.
            'a'..='z' => char::from_u32(u32::from(c) - u32::from('a') + 0xFF41).unwrap(),
            other => other,
        })
        .collect();
    for spelling in [
        words.to_uppercase(),
        words.replace(' ', "\n"),
        words.replace(' ', " \t\u{3000}\u{a0}  "),
        format!("  {words}\r\n"),
        words.replace("legal", "LeGaL"),
        wide,
    ] {
        assert_eq!(
            RecoveryPhrase::parse(&spelling),
            Ok(phrase.clone()),
            "{spelling:?}"
        );
    }
}

#[test]
fn wrong_counts_are_told() {
    for count in (0..=30).chain([1000]) {
        let text = vec!["abandon"; count].join(" ");
        let wrong = |found, expected| PhraseError::WordCount { found, expected };
        if count == 12 || count == 24 {
            assert_eq!(
                RecoveryPhrase::parse(&text).unwrap_err(),
                PhraseError::Checksum
            );
        } else if text.len() <= 4096 {
            assert_eq!(RecoveryPhrase::parse(&text), Err(wrong(count, "12 or 24")));
        } else {
            assert_eq!(RecoveryPhrase::parse(&text), Err(PhraseError::TooLong));
        }
        if count != 24 && text.len() <= 4096 {
            assert_eq!(DappShare::parse(&text), Err(wrong(count, "24")));
        }
    }
    // One character whose decomposition has 18.
    let long = "\u{fdfa}".repeat(1300);
    assert_eq!(RecoveryPhrase::parse(&long), Err(PhraseError::TooLong));
}

#[test]
fn an_unknown_word_is_told_by_position_and_never_repeated() {
    let (_, words) = vectors().last().unwrap();
    let words: Vec<&str> = words.split(' ').collect();
    for position in 1..=24 {
        let mut typed = words.clone();
        typed[position - 1] = "hunter2";
        let error = RecoveryPhrase::parse(&typed.join(" ")).unwrap_err();
        let PhraseError::UnknownWord(word) = &error else {
            panic!("{error:?}")
        };
        assert_eq!(word.position(), position);
        assert!(
            error.to_string().contains(&format!("word {position} ")),
            "{error}"
        );
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(!shown.contains("hunter2"), "{shown}");
            for near in word.suggestions() {
                assert!(!shown.contains(near), "{shown}");
            }
        }
    }
    // The first of several is named.
    let error = RecoveryPhrase::parse(&["foo"; 12].join(" ")).unwrap_err();
    assert!(matches!(error, PhraseError::UnknownWord(word) if word.position() == 1));
}

#[test]
fn the_drill_wants_the_same_phrase() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for words in [WordCount::Twelve, WordCount::TwentyFour] {
        let shown = RecoveryPhrase::generate(&mut rng, words);
        let other = RecoveryPhrase::generate(&mut rng, words);
        assert_eq!(shown.prove(&shown.expose_words().to_uppercase()), Ok(()));
        assert_eq!(
            shown.prove(&other.expose_words()),
            Err(DrillError::Different)
        );
        assert_eq!(
            shown.prove("").unwrap_err().to_string(),
            RecoveryPhrase::parse("").unwrap_err().to_string()
        );
    }
    let shown = DappShare::generate(&mut rng);
    assert_eq!(shown.prove(&shown.expose_words()), Ok(()));
    assert_eq!(
        shown.prove(&DappShare::generate(&mut rng).expose_words()),
        Err(DrillError::Different)
    );
    // 12 words of zeros are not 24 words of zeros.
    let twelve = RecoveryPhrase::parse(&format!("{}about", "abandon ".repeat(11))).unwrap();
    let all = RecoveryPhrase::parse(&format!("{}art", "abandon ".repeat(23))).unwrap();
    assert_ne!(twelve, all);
    assert_eq!(
        twelve.prove(&all.expose_words()),
        Err(DrillError::Different)
    );
}

#[test]
fn secrets_are_redacted_and_wiped() {
    fn wiped_on_drop<T: ZeroizeOnDrop>(_: &T) {}
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let mut phrase = RecoveryPhrase::generate(&mut rng, WordCount::TwentyFour);
    let mut share = DappShare::generate(&mut rng);
    assert_eq!(format!("{phrase:?}"), "RecoveryPhrase(24 words, redacted)");
    assert_eq!(
        format!(
            "{:?}",
            RecoveryPhrase::generate(&mut rng, WordCount::Twelve)
        ),
        "RecoveryPhrase(12 words, redacted)"
    );
    assert_eq!(format!("{share:?}"), "DappShare(redacted)");
    wiped_on_drop(&phrase);
    wiped_on_drop(&share);
    wiped_on_drop(&phrase.expose_words());
    wiped_on_drop(&phrase.factor_secret());
    phrase.zeroize();
    share.zeroize();
    assert_eq!(phrase.factor_secret().expose_secret(), &[0; 32]);
    assert_eq!(share.factor_secret().expose_secret(), &[0; 32]);
}

proptest! {
    #[test]
    fn generated_phrases_come_back(seed: u64, long: bool) {
        let words = if long { WordCount::TwentyFour } else { WordCount::Twelve };
        let phrase = RecoveryPhrase::generate(&mut ChaCha20Rng::seed_from_u64(seed), words);
        let shown = phrase.expose_words();
        prop_assert_eq!(shown.split(' ').count(), words.words());
        let again = RecoveryPhrase::parse(&shown).unwrap();
        prop_assert_eq!(again.factor_secret(), phrase.factor_secret());
        prop_assert_eq!(again, phrase);
    }

    #[test]
    fn a_replaced_word_never_gives_the_same_phrase(seed: u64, at in 0_usize..24, with in 0_usize..2048) {
        let phrase = RecoveryPhrase::generate(&mut ChaCha20Rng::seed_from_u64(seed), WordCount::TwentyFour);
        let shown = phrase.expose_words();
        let mut words: Vec<&str> = shown.split(' ').collect();
        let replacement = bip39::Language::English.word_list()[with];
        prop_assume!(words[at] != replacement);
        words[at] = replacement;
        // One in 256 passes the checksum; it must then be another phrase.
        match RecoveryPhrase::parse(&words.join(" ")) {
            Ok(other) => prop_assert_ne!(other, phrase),
            Err(error) => prop_assert_eq!(error, PhraseError::Checksum),
        }
    }

    #[test]
    fn any_text_gives_a_phrase_or_an_error(text in "\\PC*") {
        if let Ok(phrase) = RecoveryPhrase::parse(&text) {
            prop_assert_eq!(RecoveryPhrase::parse(&phrase.expose_words()), Ok(phrase));
        }
    }
}
