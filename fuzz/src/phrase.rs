//! Recovery phrases and dApp shares: any text, and phrases put together from the word list.
//!
//! Input: 0 and a text, or 1, the number of words, which word to spoil, and the words' numbers.

use bip39::{Language, Mnemonic};
use trefoil_factors::{DappShare, PhraseError, RecoveryPhrase};

use crate::Seed;
use crate::reader::Reader;

/// Panics where a phrase does not write itself again, or where blame is wrong.
pub fn check(data: &[u8]) {
    let mut reader = Reader::new(data);
    if reader.choice(2) == 0 {
        if let Ok(text) = std::str::from_utf8(reader.rest()) {
            check_text(text);
        }
    } else {
        check_words(reader);
    }
}

fn check_text(text: &str) {
    match RecoveryPhrase::parse(text) {
        Ok(phrase) => {
            let words = phrase.expose_words();
            assert_eq!(words.split(' ').count(), phrase.word_count().words());
            assert!(
                RecoveryPhrase::parse(&words).as_ref() == Ok(&phrase),
                "its own words are refused"
            );
            assert!(phrase.prove(text).is_ok());
            if text.is_ascii() {
                let typed: Vec<String> = text
                    .split_whitespace()
                    .map(str::to_ascii_lowercase)
                    .collect();
                assert!(typed.join(" ") == **words, "other words came back");
            }
        }
        Err(error) => check_blame(text, &error),
    }
    match DappShare::parse(text) {
        Ok(share) => {
            let words = share.expose_words();
            assert_eq!(words.split(' ').count(), 24);
            assert!(
                DappShare::parse(&words).as_ref() == Ok(&share),
                "its own words are refused"
            );
            // The same words are the same secret, whoever keeps them.
            assert!(RecoveryPhrase::parse(text).unwrap().factor_secret() == share.factor_secret());
        }
        Err(error) => check_blame(text, &error),
    }
}

fn check_blame(text: &str, error: &PhraseError) {
    // What becomes of letters outside ASCII is for the crate to say; it must only not panic.
    if !text.is_ascii() {
        return;
    }
    let words: Vec<String> = text
        .split_whitespace()
        .map(str::to_ascii_lowercase)
        .collect();
    let known = |word: &String| Language::English.find_word(word).is_some();
    match error {
        PhraseError::WordCount { found, .. } => assert_eq!(*found, words.len()),
        PhraseError::UnknownWord(word) => {
            let first = words.iter().position(|word| !known(word)).unwrap();
            assert_eq!(word.position(), first + 1, "the wrong word was named");
            assert!(
                word.suggestions()
                    .iter()
                    .all(|suggestion| known(&(*suggestion).to_owned()))
            );
        }
        PhraseError::Checksum => {
            assert!(words.iter().all(known));
            assert!(Mnemonic::parse_in_normalized(Language::English, &words.join(" ")).is_err());
        }
        PhraseError::TooLong => assert!(text.len() > 24 * 9),
        other => panic!("an error that nobody foretold: {other}"),
    }
}

fn check_words(mut reader: Reader<'_>) {
    let count = if reader.choice(2) == 0 { 12 } else { 24 };
    let spoiled = reader.choice(count);
    let list = Language::English.word_list();
    let entropy: [u8; 32] = reader.array();
    // The numbers are the entropy of a good phrase, so that most inputs get past the checksum.
    let good = Mnemonic::from_entropy_in(Language::English, &entropy[..count / 3 * 4]).unwrap();
    let mut words: Vec<&str> = good.words().collect();
    let phrase = RecoveryPhrase::parse(&words.join("\n  ").to_uppercase()).unwrap();
    assert_eq!(**phrase.expose_words(), words.join(" "));

    let replacement = list[usize::from(u16::from_be_bytes(reader.array())) % list.len()];
    let kept = std::mem::replace(&mut words[spoiled], replacement);
    let text = words.join(" ");
    let expected = Mnemonic::parse_in_normalized(Language::English, &text).is_ok();
    match RecoveryPhrase::parse(&text) {
        Ok(other) => assert!(expected && (kept == replacement) == (other == phrase)),
        Err(error) => assert!(!expected && error == PhraseError::Checksum),
    }

    let misspelt = format!("{kept}x");
    words[spoiled] = &misspelt;
    match RecoveryPhrase::parse(&words.join(" ")) {
        Err(PhraseError::UnknownWord(word)) => assert_eq!(word.position(), spoiled + 1),
        other => panic!("a word that is in no list gave {other:?}"),
    }
}

/// Good and spoiled phrases.
pub fn seeds() -> Vec<Seed> {
    // From the BIP-39 test vectors.
    let twelve = "legal winner thank year wave sausage worth useful legal winner thank yellow";
    let twenty_four = "hamster diagram private dutch cause delay private meat slide toddler razor book \
                       happy fancy gospel tennis maple dilemma loan word shrug inflict delay length";
    let text = |text: &str| [&[0], text.as_bytes()].concat();
    vec![
        ("empty", vec![]),
        ("twelve", text(twelve)),
        ("twenty-four", text(twenty_four)),
        (
            "upper-case-and-tabs",
            text(&twelve.to_uppercase().replace(' ', "\t\n")),
        ),
        ("wide-letters", text(&twelve.replace("year", "\u{ff59}ear"))),
        ("misspelt", text(&twelve.replace("yellow", "yelow"))),
        ("swapped", text(&twelve.replace("year wave", "wave year"))),
        ("one-missing", text(twelve.trim_end_matches(" yellow"))),
        ("from-the-list-12", [&[1, 0, 3], &[7; 34][..]].concat()),
        ("from-the-list-24", [&[1, 1, 23], &[0xa5; 34][..]].concat()),
    ]
}
