//! What is taken in, and what never.

use std::vec;

use super::*;
use crate::guess::{MAX_ALLOWED, SignedError};
use crate::record::MAX_FACTORS;

#[test]
fn a_new_slot_has_no_guesses_counted() {
    let record = enrolled(10);
    assert_eq!((record.slot(), record.is_held()), (slot(), true));
    assert_eq!(record.tenant().as_str(), "acme");
    assert_eq!(
        used(&record),
        BTreeMap::from([(public(1), 0), (public(2), 0)])
    );
    assert_eq!(*record.list(), list(1, &[1, 2]));
}

#[test]
fn what_is_no_enrolment_for_this_evaluator() {
    let good = enrolment(10);
    let refusal = |content: &SlotEnrolment| enrol_request(content).open(&me()).unwrap_err();
    let server = EvaluatorName::Server(String::from("https://meta.example"));
    let bad_slot = |content: &SlotEnrolment| {
        assert!(
            matches!(refusal(content), SlotError::BadSlot(_)),
            "{content:?}"
        );
    };
    for other in [server.clone(), EvaluatorName::Node(public(1))] {
        let content = SlotEnrolment {
            evaluator: other,
            ..good.clone()
        };
        assert_eq!(refusal(&content), SlotError::OtherEvaluator);
    }
    bad_slot(&SlotEnrolment {
        index: 0,
        ..good.clone()
    });
    let at_server = SlotEnrolment {
        evaluator: server.clone(),
        ..good.clone()
    };
    assert!(matches!(
        enrol_request(&at_server).open(&server),
        Err(SlotError::BadSlot(_))
    ));
    for allowed in [0, MAX_ALLOWED + 1, u8::MAX] {
        bad_slot(&enrolment(allowed));
    }
    let many: vec::Vec<u8> = (0..=u8::try_from(MAX_FACTORS).unwrap()).collect();
    for bad in [
        signed_list(SlotId::from_bytes([1; 16]), 1, &[1, 2], &admin()),
        list(0, &[1, 2]),
        list(1, &[1, 2, 1]),
        list(1, &many),
    ] {
        bad_slot(&SlotEnrolment {
            list: bad,
            ..good.clone()
        });
    }
    let foreign = SlotEnrolment {
        list: signed_list(slot(), 1, &[1], &private(1)),
        ..good.clone()
    };
    assert_eq!(
        refusal(&foreign),
        SlotError::Signed(SignedError::BadSignature)
    );
    // The most that is taken.
    let full = SlotEnrolment {
        allowed: MAX_ALLOWED,
        list: list(u64::MAX, &many[1..]),
        ..good
    };
    let opened = enrol_request(&full).open(&me()).unwrap();
    let record = opened.enrol(None, &SHARE).unwrap().record.unwrap();
    assert_eq!(used(&record).len(), MAX_FACTORS);
}

#[test]
fn forms_and_signatures() {
    let good = enrolment(10);
    let open = |enrolment: Signed<SlotEnrolment>| {
        let request = EnrolRequest {
            enrolment,
            ..enrol_request(&good)
        };
        request.open(&me()).err()
    };
    let signed = |json: &serde_json::Value| open(signed_json(json, &admin()));
    let malformed = Some(SlotError::Signed(SignedError::Malformed));
    assert_eq!(signed(&serde_json::to_value(&good).unwrap()), None);
    assert_eq!(
        signed(&with(&good, "version", 2)),
        Some(SlotError::Signed(SignedError::UnknownVersion(2)))
    );
    for (field, value) in [
        ("more", serde_json::json!(1)),
        ("tenant", "Acme".into()),
        ("slot", "AAAA".into()),
        ("evaluator", "me".into()),
        ("index", (-1).into()),
        ("index", 65_536.into()),
        ("share", "=".into()),
        ("unlock_hash", "AAAA".into()),
        ("allowed", 256.into()),
        ("list", "".into()),
    ] {
        assert_eq!(signed(&with(&good, field, value)), malformed, "{field}");
    }
    for field in serde_json::to_value(&good)
        .unwrap()
        .as_object()
        .unwrap()
        .keys()
    {
        let mut less = serde_json::to_value(&good).unwrap();
        less.as_object_mut().unwrap().remove(field);
        assert_eq!(signed(&less), malformed, "{field}");
    }
    let large = with(&good, "share", "A".repeat(SlotEnrolment::MAX));
    assert_eq!(signed(&large), malformed);
    let other_key = Signed::sign(&good, &private(1));
    assert_eq!(
        open(other_key),
        Some(SlotError::Signed(SignedError::BadSignature))
    );
    let other_admin = EnrolRequest {
        admin_key: public(1),
        ..enrol_request(&good)
    };
    assert_eq!(
        other_admin.open(&me()).err(),
        Some(SlotError::Signed(SignedError::BadSignature))
    );
}

#[test]
fn a_part_of_a_key_that_is_none() {
    let opened = enrol_request(&enrolment(10)).open(&me()).unwrap();
    for bad in [
        &[][..],
        &SHARE[..31],
        &[&SHARE[..], &[0]].concat(),
        &[0; 32],
        &[0xff; 32],
    ] {
        assert!(
            matches!(opened.enrol(None, bad), Err(SlotError::BadSlot(_))),
            "{bad:?}"
        );
    }
}

#[test]
fn a_slot_id_is_enrolled_once() {
    let opened = |content: &SlotEnrolment| enrol_request(content).open(&me()).unwrap();
    let (same, others) = (
        enrolment(10),
        [
            enrolment(9),
            SlotEnrolment {
                share: Blob::new(vec![3, 2, 1]),
                ..enrolment(10)
            },
            SlotEnrolment {
                list: list(2, &[1, 2]),
                ..enrolment(10)
            },
        ],
    );
    let mut record = enrolled(10);
    counted(&mut record, 1, 1);
    record = record.take_list(&list(5, &[1, 3])).unwrap().record.unwrap();
    assert!(no_change(
        &opened(&same).enrol(Some(&record), &SHARE).unwrap()
    ));
    for other in &others {
        let refused = opened(other).enrol(Some(&record), &SHARE);
        assert_eq!(refused.unwrap_err(), SlotError::Taken);
    }

    let deleted = record.ended();
    let mut destroyed = enrolled(1);
    counted(&mut destroyed, 1, 1);
    counted(&mut destroyed, 2, 2);
    for (over, same, others) in [
        (deleted.clone(), enrolment(10), &others[..]),
        (destroyed.clone(), enrolment(1), &[enrolment(10)]),
        (destroyed.ended(), enrolment(1), &[enrolment(10)]),
    ] {
        let stored = SlotRecord::from_bytes(&over.expose_bytes()).unwrap();
        for over in [over, stored] {
            let again = opened(&same).enrol(Some(&over), &SHARE);
            assert_eq!(again.unwrap_err(), SlotError::Gone);
            for other in others {
                let refused = opened(other).enrol(Some(&over), &SHARE);
                assert_eq!(refused.unwrap_err(), SlotError::Taken);
            }
        }
    }
}
