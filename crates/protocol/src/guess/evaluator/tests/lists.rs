//! Lists of guess keys: only a higher number is in force, and none gives guesses back or ends a key.

use super::*;
use crate::guess::SignedError;

#[test]
fn lower_and_equal_numbers_change_nothing() {
    let record = enrolled(3);
    let record = record.take_list(&list(5, &[1, 3])).unwrap().record.unwrap();
    for (number, keys) in [(1, &[1, 2][..]), (4, &[1, 2]), (5, &[2]), (5, &[1, 3])] {
        let taken = record.take_list(&list(number, keys)).unwrap();
        assert!(no_change(&taken), "{number}");
        assert_eq!(taken.answer.list, 5);
    }
    let taken = record.take_list(&list(u64::MAX, &[])).unwrap();
    assert_eq!(taken.answer.list, u64::MAX);
    assert!(used(&taken.record.unwrap()).is_empty());
}

#[test]
fn kept_keys_keep_their_counts_and_dropped_ones_cannot_guess() {
    let mut record = enrolled(2);
    let first = counted(&mut record, 1, 1);
    counted(&mut record, 2, 2);
    record = record.take_list(&list(2, &[3, 1])).unwrap().record.unwrap();
    assert_eq!(
        used(&record),
        BTreeMap::from([(public(1), 1), (public(3), 0)])
    );
    let again = ask(&record, 1, 1, 1).unwrap();
    assert!(no_change(&again));
    assert_eq!(again.answer.proof, first.proof);
    assert_eq!(again.answer.count.list, 2);
    assert_eq!(ask(&record, 2, 2, 2).unwrap_err(), SlotError::UnknownKey);
    let dropped = unlock_request(2, &unlock(2));
    assert_eq!(
        record.unlock(&dropped, &me(), NOW).unwrap_err(),
        SlotError::UnknownKey
    );
    assert_eq!(counted(&mut record, 3, 3).count.used, 1);
}

#[test]
fn a_list_alone_destroys_nothing() {
    let mut record = enrolled(1);
    counted(&mut record, 1, 1);
    // Of the keys that are left all are spent.
    let record = record.take_list(&list(2, &[1])).unwrap().record.unwrap();
    assert_eq!(record.status, Status::Live);
    assert_eq!(ask(&record, 1, 2, 2).unwrap_err(), SlotError::Spent);
    let record = record.take_list(&list(3, &[])).unwrap().record.unwrap();
    assert_eq!(record.status, Status::Live);
    let record = record.take_list(&list(4, &[4])).unwrap().record.unwrap();
    let last = ask(&record, 4, 1, 1).unwrap();
    assert!(!last.answer.count.live);
    assert_eq!(last.record.unwrap().status, Status::Destroyed);
}

#[test]
fn lists_that_are_none_for_the_slot() {
    let record = enrolled(3);
    let refusal = |list: &Signed<GuessList>| record.take_list(list).unwrap_err();
    for bad in [
        signed_list(SlotId::from_bytes([1; 16]), 2, &[1], &admin()),
        list(2, &[1, 1]),
        list(0, &[1]),
        list(2, &(0..=255).collect::<Vec<u8>>()),
    ] {
        assert!(matches!(refusal(&bad), SlotError::BadSlot(_)));
    }
    for key in [private(1), private(2)] {
        assert_eq!(
            refusal(&signed_list(slot(), 2, &[1], &key)),
            SlotError::Signed(SignedError::BadSignature)
        );
    }
    let content = GuessList {
        version: VERSION,
        slot: slot(),
        number: 2,
        keys: Vec::from([public(1)]),
    };
    assert_eq!(
        refusal(&signed_json(&with(&content, "version", 0), &admin())),
        SlotError::Signed(SignedError::UnknownVersion(0))
    );
    for (field, value) in [
        ("more", serde_json::json!(1)),
        ("number", (-1).into()),
        ("keys", serde_json::json!(["AAAA"])),
        ("more", "a".repeat(GuessList::MAX).into()),
    ] {
        assert_eq!(
            refusal(&signed_json(&with(&content, field, value), &admin())),
            SlotError::Signed(SignedError::Malformed),
            "{field}"
        );
    }
}
