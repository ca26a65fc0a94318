//! Records as bytes, and what is left in them.

use super::*;
use crate::guess::RecordError;

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Raw, in hex and in base64url: nowhere.
fn assert_no_share(bytes: &[u8]) {
    let encoded = crate::bytes::encode(&SHARE);
    for form in [
        &SHARE[..],
        hex::encode(SHARE).as_bytes(),
        encoded.as_bytes(),
    ] {
        assert!(!contains(bytes, form));
    }
}

/// New, guessed at, unlocked, destroyed, deleted.
fn records() -> [SlotRecord; 5] {
    let new = enrolled(2);
    let mut guessed = new.clone();
    counted(&mut guessed, 1, 1);
    counted(&mut guessed, 2, 2);
    counted(&mut guessed, 2, 3);
    let unlocked = guessed.unlock(&unlock_request(1, &unlock(1)), &me(), NOW);
    let unlocked = unlocked.unwrap().record.unwrap();
    let mut destroyed = guessed.clone();
    counted(&mut destroyed, 1, 4);
    let deleted = guessed.ended();
    [new, guessed, unlocked, destroyed, deleted]
}

#[test]
fn what_is_stored_comes_back() {
    for record in records() {
        let bytes = record.expose_bytes();
        let read = SlotRecord::from_bytes(&bytes).unwrap();
        assert_eq!(read, record);
        assert_eq!(*read.expose_bytes(), *bytes);
        assert!(bytes.len() <= bytes.capacity());
    }
}

#[test]
fn damage_is_an_error() {
    for record in records() {
        let bytes = record.expose_bytes();
        for cut in 0..bytes.len() {
            assert_eq!(
                SlotRecord::from_bytes(&bytes[..cut]).unwrap_err(),
                RecordError::Malformed,
                "{cut}"
            );
        }
        let longer = [&bytes[..], b"}"].concat();
        assert_eq!(
            SlotRecord::from_bytes(&longer).unwrap_err(),
            RecordError::Malformed
        );
        let json: serde_json::Value = serde_json::from_slice(&bytes[32..]).unwrap();
        let read = |field: &str, value: serde_json::Value| {
            let mut json = json.clone();
            json[field] = value;
            let bytes = [&bytes[..32], &serde_json::to_vec(&json).unwrap()].concat();
            SlotRecord::from_bytes(&bytes).unwrap_err()
        };
        for version in [0, 2, 255] {
            assert_eq!(
                read("version", version.into()),
                RecordError::UnknownVersion(version)
            );
        }
        assert_eq!(read("status", "alive".into()), RecordError::Malformed);
        assert_eq!(read("more", 1.into()), RecordError::Malformed);
        assert_eq!(read("share", 1.into()), RecordError::Malformed);
    }
}

#[test]
fn no_share_is_shown_and_none_is_left() {
    let [new, guessed, unlocked, destroyed, deleted] = records();
    for record in [&new, &guessed, &unlocked] {
        assert!(contains(&record.expose_bytes(), &SHARE));
        let shown = text(record);
        assert!(shown.contains("StoredShare(redacted)"));
        assert_no_share(shown.as_bytes());
        // As a list of numbers neither.
        assert!(!shown.contains("167, 167"));
        assert_no_share(&record.expose_bytes()[32..]);
    }
    for record in [&destroyed, &deleted, &destroyed.ended()] {
        assert_no_share(&record.expose_bytes());
        assert_eq!(record.expose_bytes()[..32], [0; 32]);
    }
    // Whatever a faulty store puts in front of a record that has no key, it is none.
    let mut tampered = destroyed.expose_bytes();
    tampered[..32].copy_from_slice(&SHARE);
    let read = SlotRecord::from_bytes(&tampered).unwrap();
    assert_eq!(read, destroyed);
    assert_no_share(&read.expose_bytes());
    // Nor is an answer of a deleted slot kept.
    let answered = serde_json::to_string(&evaluated(&element(1))).unwrap();
    assert!(contains(&guessed.expose_bytes(), answered.as_bytes()));
    assert!(!contains(&deleted.expose_bytes(), answered.as_bytes()));
}
