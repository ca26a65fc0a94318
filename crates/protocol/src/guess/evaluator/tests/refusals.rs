//! Guesses, unlockings and deletions that are refused, each with its reason; nothing is counted.

use super::*;
use crate::guess::SignedError;
use crate::statement::WINDOW;

const BAD_SIGNATURE: SlotError = SlotError::Signed(SignedError::BadSignature);
const MALFORMED: SlotError = SlotError::Signed(SignedError::Malformed);

fn refused(record: &SlotRecord, request: &GuessRequest) -> SlotError {
    let refused = record.guess(request, &me(), NOW, &mut rng(1));
    refused.expect_err("refused")
}

#[test]
fn guesses() {
    let record = enrolled(10);
    let good = guess(1, 1);
    let refusal = |guess: &Guess| refused(&record, &guess_request(1, guess));
    assert!(ask(&record, 1, 1, 1).is_ok());
    for evaluator in [
        EvaluatorName::Node(public(1)),
        EvaluatorName::Server(String::from("https://meta.example")),
    ] {
        let other = Guess {
            evaluator,
            ..good.clone()
        };
        assert_eq!(refusal(&other), SlotError::OtherEvaluator);
    }
    let other_slot = Guess {
        slot: SlotId::from_bytes([1; 16]),
        ..good.clone()
    };
    assert_eq!(refusal(&other_slot), SlotError::NoSlot);
    let at = |time| Guess {
        time,
        ..good.clone()
    };
    for time in [NOW - WINDOW - 1, NOW + WINDOW + 1, 0, u64::MAX] {
        assert_eq!(refusal(&at(time)), SlotError::Expired { server_time: NOW });
    }
    for time in [NOW - WINDOW, NOW + WINDOW] {
        let request = guess_request(1, &at(time));
        assert!(record.guess(&request, &me(), NOW, &mut rng(1)).is_ok());
    }
    assert_eq!(
        refused(&record, &guess_request(3, &good)),
        SlotError::UnknownKey
    );
    // The identity, and encodings that are not canonical: the field's order and a negative number.
    let order = {
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[31]) = (0xed, 0x7f);
        bytes
    };
    let negative = {
        let mut bytes = [0; 32];
        bytes[0] = 1;
        bytes
    };
    for bad in [[0; 32], order, negative, [0xff; 32]] {
        let bad = Guess {
            blinded: GroupElement::from_bytes(bad),
            ..good.clone()
        };
        assert_eq!(refusal(&bad), SlotError::BadElement, "{bad:?}");
    }
}

#[test]
fn forms_and_signatures_of_guesses() {
    let record = enrolled(10);
    let good = guess(1, 1);
    let signed = |json: &serde_json::Value| {
        let request = GuessRequest {
            guess: signed_json(json, &private(1)),
            ..guess_request(1, &good)
        };
        record.guess(&request, &me(), NOW, &mut rng(1)).err()
    };
    assert_eq!(signed(&serde_json::to_value(&good).unwrap()), None);
    assert_eq!(
        signed(&with(&good, "version", 2)),
        Some(SlotError::Signed(SignedError::UnknownVersion(2)))
    );
    for (field, value) in [
        ("more", serde_json::json!(true)),
        ("slot", "AAAA".into()),
        ("evaluator", serde_json::json!({ "other": "x" })),
        ("attempt", "=".into()),
        ("blinded", "AAAA".into()),
        ("time", (-1).into()),
        ("time", "1".into()),
        ("more", "a".repeat(Guess::MAX).into()),
    ] {
        assert_eq!(
            signed(&with(&good, field, value)),
            Some(MALFORMED),
            "{field}"
        );
    }
    let bytes = serde_json::to_vec(&good).unwrap();
    for cut in 0..bytes.len() {
        let request = GuessRequest {
            guess: signed_bytes(Vec::from(&bytes[..cut]), &private(1)),
            ..guess_request(1, &good)
        };
        assert_eq!(refused(&record, &request), MALFORMED, "{cut}");
    }
    // Signed by another key of the list, by the admin key, or as something else.
    for key in [private(2), admin()] {
        let request = GuessRequest {
            guess: Signed::sign(&good, &key),
            ..guess_request(1, &good)
        };
        assert_eq!(refused(&record, &request), BAD_SIGNATURE);
    }
    let as_unlock: Signed<Unlock> = signed_json(&serde_json::to_value(&good).unwrap(), &private(1));
    let request = GuessRequest {
        guess: serde_json::from_value(serde_json::to_value(as_unlock).unwrap()).unwrap(),
        ..guess_request(1, &good)
    };
    assert_eq!(refused(&record, &request), BAD_SIGNATURE);
    // Every flipped bit of the form is noticed.
    let honest = serde_json::to_value(guess_request(1, &good)).unwrap();
    let body = honest["guess"]["body"].as_str().unwrap();
    for place in (0..body.len() - 2).step_by(7) {
        let mut changed = Vec::from(body.as_bytes());
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        let mut request = honest.clone();
        request["guess"]["body"] = String::from_utf8(changed).unwrap().into();
        let request: GuessRequest = serde_json::from_value(request).unwrap();
        assert_eq!(refused(&record, &request), BAD_SIGNATURE, "{place}");
    }
}

#[test]
fn spent_reused_gone() {
    let mut record = enrolled(2);
    let first = counted(&mut record, 1, 1);
    assert_eq!((first.count.used, first.count.spent), (1, false));
    assert_eq!(first.evaluation, evaluated(&element(1)));
    assert_eq!(ask(&record, 1, 1, 2).unwrap_err(), SlotError::AttemptReused);
    let second = counted(&mut record, 1, 2);
    assert_eq!((second.count.used, second.count.spent), (2, true));
    assert!(second.count.live);
    assert_eq!(ask(&record, 1, 3, 3).unwrap_err(), SlotError::Spent);
    // What was counted is answered again, with what the count is now.
    let again = ask(&record, 1, 1, 1).unwrap();
    assert!(no_change(&again));
    assert_eq!(
        (again.answer.evaluation, again.answer.proof),
        (first.evaluation, first.proof)
    );
    assert_eq!(again.answer.count.used, 2);
    assert_eq!(ask(&record, 1, 2, 1).unwrap_err(), SlotError::AttemptReused);
    // The same attempt of another key is that key's own.
    let other = counted(&mut record, 2, 1);
    assert_eq!(other.count.used, 1);
    assert!(other.count.spent);

    let last = counted(&mut record, 2, 2);
    assert!(!last.count.live);
    assert_eq!(last.evaluation, evaluated(&element(2)));
    assert_eq!((record.status, record.is_held()), (Status::Destroyed, true));
    for key in [1, 2] {
        assert_eq!(ask(&record, key, 9, 9).unwrap_err(), SlotError::Gone);
        // Who lost the last answer gets it again.
        let again = ask(&record, key, 2, 2).unwrap();
        assert!(no_change(&again) && !again.answer.count.live);
        assert_eq!(again.answer.evaluation, last.evaluation);
    }
    let deleted = record.ended();
    for key in [1, 2] {
        assert_eq!(ask(&deleted, key, 2, 2).unwrap_err(), SlotError::Gone);
        let request = unlock_request(key, &unlock(2));
        assert_eq!(
            deleted.unlock(&request, &me(), NOW).unwrap_err(),
            SlotError::Gone
        );
    }
    assert_eq!(
        deleted.take_list(&list(9, &[1])).unwrap_err(),
        SlotError::Gone
    );
}

#[test]
fn unlockings() {
    let mut record = enrolled(3);
    counted(&mut record, 1, 1);
    counted(&mut record, 1, 2);
    counted(&mut record, 2, 3);
    let refusal = |key: u8, unlock: &Unlock| {
        let request = unlock_request(key, unlock);
        record.unlock(&request, &me(), NOW).unwrap_err()
    };
    let wrong_tags = [
        UnlockTag::of(&SECRET, &slot(), INDEX + 1),
        UnlockTag::of(&SECRET, &SlotId::from_bytes([1; 16]), INDEX),
        UnlockTag::of(&FactorSecret::from_bytes([22; 32]), &slot(), INDEX),
        // What the evaluator keeps is no tag.
        UnlockTag::from_bytes(*record.unlock_hash.as_bytes()),
        UnlockTag::from_bytes([0; 32]),
    ];
    for tag in wrong_tags {
        let wrong = Unlock { tag, ..unlock(1) };
        assert_eq!(refusal(1, &wrong), SlotError::WrongUnlock);
    }
    // An attempt that was never made, and that of another key.
    assert_eq!(refusal(1, &unlock(9)), SlotError::WrongUnlock);
    assert_eq!(refusal(1, &unlock(3)), SlotError::WrongUnlock);
    assert_eq!(refusal(2, &unlock(1)), SlotError::WrongUnlock);
    assert_eq!(refusal(3, &unlock(1)), SlotError::UnknownKey);
    let other = Unlock {
        evaluator: EvaluatorName::Node(public(1)),
        ..unlock(1)
    };
    assert_eq!(refusal(1, &other), SlotError::OtherEvaluator);
    let other = Unlock {
        slot: SlotId::from_bytes([1; 16]),
        ..unlock(1)
    };
    assert_eq!(refusal(1, &other), SlotError::NoSlot);
    for time in [NOW - WINDOW - 1, NOW + WINDOW + 1, 0, u64::MAX] {
        let late = Unlock { time, ..unlock(1) };
        assert_eq!(refusal(1, &late), SlotError::Expired { server_time: NOW });
    }
    for (signed, expected) in [
        (Signed::sign(&unlock(1), &private(2)), BAD_SIGNATURE),
        (
            signed_json(&with(&unlock(1), "more", 1), &private(1)),
            MALFORMED,
        ),
        (
            signed_json(&with(&unlock(1), "tag", "AAAA"), &private(1)),
            MALFORMED,
        ),
        (
            signed_json(&with(&unlock(1), "version", 3), &private(1)),
            SlotError::Signed(SignedError::UnknownVersion(3)),
        ),
    ] {
        let request = UnlockRequest {
            unlock: signed,
            ..unlock_request(1, &unlock(1))
        };
        assert_eq!(record.unlock(&request, &me(), NOW).unwrap_err(), expected);
    }

    // The right one, of any attempt that was counted; twice it sets nothing back twice.
    let request = unlock_request(1, &unlock(1));
    let unlocked = record.unlock(&request, &me(), NOW).unwrap();
    assert_eq!((unlocked.answer.used, unlocked.answer.allowed), (0, 3));
    record = unlocked.record.unwrap();
    assert_eq!(
        used(&record),
        BTreeMap::from([(public(1), 0), (public(2), 1)])
    );
    counted(&mut record, 1, 4);
    let again = record.unlock(&request, &me(), NOW).unwrap();
    assert!(no_change(&again));
    assert_eq!(again.answer.used, 1);
    // The attempt that was right is answered again, not counted.
    let again = ask(&record, 1, 1, 1).unwrap();
    assert!(no_change(&again));
    assert_eq!(again.answer.evaluation, evaluated(&element(1)));
    // What the other attempts were answered is gone.
    let late = unlock_request(1, &unlock(2));
    assert_eq!(
        record.unlock(&late, &me(), NOW).unwrap_err(),
        SlotError::WrongUnlock
    );
}

#[test]
fn a_destroyed_key_does_not_come_back() {
    let mut record = enrolled(1);
    counted(&mut record, 1, 1);
    counted(&mut record, 2, 2);
    let unlocked = record
        .unlock(&unlock_request(2, &unlock(2)), &me(), NOW)
        .unwrap();
    assert!(!unlocked.answer.live);
    let record = unlocked.record.unwrap();
    assert_eq!(ask(&record, 2, 3, 3).unwrap_err(), SlotError::Gone);
    let listed = record.take_list(&list(2, &[3])).unwrap().record.unwrap();
    assert_eq!(ask(&listed, 3, 3, 3).unwrap_err(), SlotError::Gone);
    for record in [record, listed] {
        let stored = SlotRecord::from_bytes(&record.expose_bytes()).unwrap();
        assert_eq!((stored.status, &stored.share), (Status::Destroyed, &None));
    }
}

#[test]
fn deletions() {
    let mut record = enrolled(3);
    counted(&mut record, 1, 1);
    let refusal = |deletion: &Signed<SlotDeletion>| record.delete(deletion).unwrap_err();
    let content = SlotDeletion {
        version: VERSION,
        slot: slot(),
    };
    assert_eq!(refusal(&deletion(slot(), &private(1))), BAD_SIGNATURE);
    assert_eq!(
        refusal(&deletion(SlotId::from_bytes([1; 16]), &admin())),
        SlotError::NoSlot
    );
    assert_eq!(
        refusal(&signed_json(&with(&content, "more", 1), &admin())),
        MALFORMED
    );
    assert_eq!(
        refusal(&signed_json(&with(&content, "version", 2), &admin())),
        SlotError::Signed(SignedError::UnknownVersion(2))
    );
    // A list is no deletion.
    let list_as_deletion = serde_json::to_value(list(2, &[])).unwrap();
    assert_eq!(
        refusal(&serde_json::from_value(list_as_deletion).unwrap()),
        BAD_SIGNATURE
    );
    let deleted = record.delete(&deletion(slot(), &admin())).unwrap();
    let deleted = deleted.record.unwrap();
    assert!(!deleted.is_held());
    assert!(no_change(
        &deleted.delete(&deletion(slot(), &admin())).unwrap()
    ));
    assert_eq!(
        deleted.delete(&deletion(slot(), &private(1))).unwrap_err(),
        BAD_SIGNATURE
    );
}

/// An attempt that has unlocked is no guess of the next round.
#[test]
fn after_an_unlocking_there_are_as_many_guesses_as_at_first() {
    let mut record = enrolled(3);
    for attempt in 0..3 {
        counted(&mut record, 1, attempt);
    }
    let unlocked = record.unlock(&unlock_request(1, &unlock(2)), &me(), NOW);
    record = unlocked.unwrap().record.unwrap();
    for attempt in 3..6 {
        counted(&mut record, 1, attempt);
    }
    // Attempts from before the unlocking would be new guesses.
    for attempt in [9, 0, 1] {
        let refused = ask(&record, 1, attempt, attempt);
        assert_eq!(refused.unwrap_err(), SlotError::Spent);
    }
    assert!(no_change(&ask(&record, 1, 2, 2).unwrap()));
}
