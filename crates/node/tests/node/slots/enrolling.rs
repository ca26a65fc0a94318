use std::sync::atomic::Ordering;

use serde_json::Value;
use trefoil_protocol::bytes::{Blob, SlotId, UnlockHash};
use trefoil_protocol::guess::{
    EnrolRequest, EvaluatorName, GuessList, MAX_ALLOWED, MAX_REQUEST, PERMIT_SECONDS, Permit,
    Signed, SlotEnrolment, share_info,
};
use trefoil_protocol::problem::ProblemCode;
use trefoil_protocol::seal::hpke::EnvelopePrivateKey;
use trefoil_protocol::sign::AuthPrivateKey;

use super::fixture::{Owner, Place, SERVER, other_node, permit_key, stranger};
use crate::world::{rng, tenant};

/// Without a permit for just this, nobody fills a node.
#[tokio::test]
async fn a_slot_needs_a_permit() {
    let place = Place::new();
    let owner = Owner::new(&place);
    let good = owner.permit(&place);
    let other_slot = SlotId::try_from([8; 16].as_slice()).unwrap();
    let key = permit_key();
    let of_other = AuthPrivateKey::from_seed(&[72; 32]);
    let now = place.now();
    let changed = |change: &dyn Fn(&mut Permit), key: &AuthPrivateKey| {
        let mut permit = good.clone();
        change(&mut permit);
        Some(Signed::sign(&permit, key))
    };
    let refused = [
        ("none", None),
        ("by a stranger", changed(&|_| {}, &stranger())),
        ("by another tenant's server", changed(&|_| {}, &of_other)),
        (
            "for another tenant",
            changed(&|permit| permit.tenant = tenant("other"), &key),
        ),
        (
            "for another tenant by its server",
            changed(&|permit| permit.tenant = tenant("other"), &of_other),
        ),
        (
            "for another slot",
            changed(&|permit| permit.slot = other_slot, &key),
        ),
        (
            "for another admin key",
            changed(&|permit| permit.admin_key = stranger().auth_key(), &key),
        ),
        ("expired", changed(&|permit| permit.expires = now - 1, &key)),
        (
            "good for ever",
            changed(&|permit| permit.expires = u64::MAX, &key),
        ),
        (
            "of an unknown version",
            changed(&|permit| permit.version = 2, &key),
        ),
    ];
    for (what, permit) in refused {
        let request = EnrolRequest {
            permit,
            ..owner.request(&place)
        };
        let code = ProblemCode::BadPermit;
        place.refuses(owner.id, "enrol", &request, code).await;
        assert_eq!(place.stored(owner.id).await, None, "{what}");
    }
    // A tenant of which no server is known, with a permit that would be its.
    let mut enrolment = owner.enrolment();
    enrolment.tenant = tenant("nobody");
    let request = EnrolRequest {
        permit: changed(&|permit| permit.tenant = tenant("nobody"), &key),
        ..owner.signed(&place, &enrolment)
    };
    place
        .refuses(owner.id, "enrol", &request, ProblemCode::BadPermit)
        .await;
    // The other key of its tenant is as good, to the last second.
    place.time.fetch_add(PERMIT_SECONDS, Ordering::SeqCst);
    let request = EnrolRequest {
        permit: changed(&|_| {}, &AuthPrivateKey::from_seed(&[70; 32])),
        ..owner.request(&place)
    };
    place.post::<Value>("enrol", &request).await.unwrap();
}

#[tokio::test]
async fn every_field_of_an_enrolment_is_checked() {
    let place = Place::new();
    let owner = Owner::new(&place);
    let good = owner.enrolment();
    let list = |number: u64, slot: SlotId, keys: Vec<_>, key: &AuthPrivateKey| {
        let list = GuessList {
            version: 1,
            slot,
            number,
            keys,
        };
        Signed::sign(&list, key)
    };
    let (one, admin) = (owner.guess_key(1).auth_key(), owner.admin());
    let other_slot = SlotId::try_from([8; 16].as_slice()).unwrap();
    type Change<'a> = &'a dyn Fn(&mut SlotEnrolment);
    let changes: [(&str, ProblemCode, Change<'_>); 13] = [
        ("version", ProblemCode::UnknownVersion, &|it| it.version = 2),
        ("evaluator", ProblemCode::WrongEvaluator, &|it| {
            it.evaluator = other_node();
        }),
        ("server", ProblemCode::WrongEvaluator, &|it| {
            it.evaluator = EvaluatorName::Server(SERVER.to_owned());
        }),
        ("the server's place", ProblemCode::BadSlot, &|it| {
            it.index = 0
        }),
        ("another place", ProblemCode::OtherEpoch, &|it| it.index = 2),
        ("no guesses", ProblemCode::BadSlot, &|it| it.allowed = 0),
        ("too many", ProblemCode::BadSlot, &|it| {
            it.allowed = MAX_ALLOWED + 1;
        }),
        ("another slot", ProblemCode::BadSlot, &|it| {
            it.slot = other_slot
        }),
        ("list of another", ProblemCode::BadSlot, &|it| {
            it.list = list(1, other_slot, vec![one], &admin);
        }),
        ("list by another", ProblemCode::BadSignature, &|it| {
            it.list = list(1, it.slot, vec![one], &stranger());
        }),
        ("a key twice", ProblemCode::BadSlot, &|it| {
            it.list = list(1, it.slot, vec![one, one], &admin);
        }),
        ("list number 0", ProblemCode::BadSlot, &|it| {
            it.list = list(0, it.slot, vec![one], &admin);
        }),
        ("share", ProblemCode::OtherEpoch, &|it| {
            it.share = Blob::new(vec![1; 80]);
        }),
    ];
    for (what, code, change) in changes {
        let mut enrolment = good.clone();
        change(&mut enrolment);
        let request = owner.signed(&place, &enrolment);
        let problem = place.refuses(owner.id, "enrol", &request, code).await;
        assert_eq!(place.stored(owner.id).await, None, "{what}");
        assert_eq!(place.stored(other_slot).await, None, "{what}");
        let epoch = (code == ProblemCode::OtherEpoch).then_some(1);
        assert_eq!(problem.epoch, epoch, "{what}");
    }
    let by_another = EnrolRequest {
        enrolment: Signed::sign(&good, &stranger()),
        ..owner.request(&place)
    };
    let code = ProblemCode::BadSignature;
    place.refuses(owner.id, "enrol", &by_another, code).await;
}

/// Sealed for this slot and place, but no scalar, or to another node.
#[tokio::test]
async fn a_share_must_be_one_and_sealed_to_this_node() {
    let place = Place::new();
    let owner = Owner::new(&place);
    let info = share_info(&owner.id, 1);
    let (to, other) = (
        place.place().hpke_key,
        EnvelopePrivateKey::derive(&[4; 32]).public(),
    );
    let mut scalar = vec![0; 32];
    scalar[0] = 5;
    for (share, key, code) in [
        (vec![0; 32], to, ProblemCode::BadSlot),
        (vec![0xff; 32], to, ProblemCode::BadSlot),
        (vec![1; 31], to, ProblemCode::BadSlot),
        (scalar.clone(), other, ProblemCode::OtherEpoch),
    ] {
        let mut enrolment = owner.enrolment();
        enrolment.share = Blob::new(key.seal(&info, &share, &mut rng(3)).unwrap());
        let request = owner.signed(&place, &enrolment);
        place.refuses(owner.id, "enrol", &request, code).await;
    }
    assert_eq!(place.stored(owner.id).await, None);
}

#[tokio::test]
async fn bodies_that_are_none_are_refused() {
    let place = Place::new();
    let owner = Owner::enrolled(&place).await;
    let good = |call: &str| match call {
        "enrol" => serde_json::to_value(owner.request(&place)),
        "guess" => serde_json::to_value(owner.guess(&place, 1)),
        "unlock" => serde_json::to_value(owner.unlock(&place, &owner.round(1, true))),
        "list" => serde_json::to_value(owner.list(2, &[1])),
        _ => serde_json::to_value(owner.deletion()),
    };
    for call in ["enrol", "guess", "unlock", "list", "delete"] {
        let body = good(call).unwrap();
        let text = body.to_string();
        let refused = async |body: Vec<u8>, code| {
            place.refuses_bytes(owner.id, call, body, code).await;
        };
        for cut in [0, 1, text.len() / 2, text.len() - 1] {
            let cut = text.as_bytes()[..cut].to_vec();
            refused(cut, ProblemCode::MalformedRequest).await;
        }
        let fields: Vec<String> = body.as_object().unwrap().keys().cloned().collect();
        for field in &fields {
            let mut lacking = body.clone();
            lacking.as_object_mut().unwrap().remove(field);
            if field == "permit" {
                continue;
            }
            refused(
                lacking.to_string().into_bytes(),
                ProblemCode::MalformedRequest,
            )
            .await;
            for wrong in [Value::Null, Value::from(7), Value::from("!")] {
                let mut changed = body.clone();
                changed[field] = wrong;
                if field == "permit" && changed[field].is_null() {
                    continue;
                }
                refused(
                    changed.to_string().into_bytes(),
                    ProblemCode::MalformedRequest,
                )
                .await;
            }
            // A field twice.
            let twice = format!("{{\"{field}\":{},{}", body[field], &text[1..]);
            refused(twice.into_bytes(), ProblemCode::MalformedRequest).await;
        }
        let mut more = body.clone();
        more["more"] = Value::from(1);
        refused(more.to_string().into_bytes(), ProblemCode::MalformedRequest).await;
        let listed = Value::from(
            body.as_object()
                .unwrap()
                .values()
                .cloned()
                .collect::<Vec<_>>(),
        );
        refused(
            listed.to_string().into_bytes(),
            ProblemCode::MalformedRequest,
        )
        .await;
        let large = format!("{text}{}", " ".repeat(MAX_REQUEST));
        refused(large.into_bytes(), ProblemCode::BodyTooLarge).await;
    }
}

/// Other bytes under its id, by its own admin key, and after every end.
#[tokio::test]
async fn an_id_is_enrolled_once() {
    let place = Place::new();
    let owner = Owner::enrolled(&place).await;
    let mut other = owner.enrolment();
    other.unlock_hash = UnlockHash::from_bytes([1; 32]);
    let other = owner.signed(&place, &other);
    let taken = ProblemCode::SlotTaken;
    place.refuses(owner.id, "enrol", &other, taken).await;
    // An attacker with a permit of the server for a slot of that id.
    let attacker = stranger();
    let mut enrolment = owner.enrolment();
    enrolment.list = Signed::sign(
        &enrolment.list.verify(&owner.admin().auth_key()).unwrap(),
        &attacker,
    );
    let mut permit = owner.permit(&place);
    permit.admin_key = attacker.auth_key();
    let theirs = EnrolRequest {
        admin_key: attacker.auth_key(),
        enrolment: Signed::sign(&enrolment, &attacker),
        permit: Some(Signed::sign(&permit, &permit_key())),
        claim: None,
    };
    place.refuses(owner.id, "enrol", &theirs, taken).await;

    place
        .post::<Value>("delete", &owner.deletion())
        .await
        .unwrap();
    let gone = ProblemCode::SlotGone;
    let same = owner.request(&place);
    place.refuses(owner.id, "enrol", &same, gone).await;
    place.refuses(owner.id, "enrol", &other, taken).await;
}

/// Repeated too late it needs a fresh permit, and changes nothing.
#[tokio::test]
async fn a_permit_that_expired_is_replaced() {
    let place = Place::new();
    let owner = Owner::enrolled(&place).await;
    let old = owner.request(&place);
    place.time.fetch_add(PERMIT_SECONDS + 1, Ordering::SeqCst);
    place
        .refuses(owner.id, "enrol", &old, ProblemCode::BadPermit)
        .await;
    owner.enrol(&place).await;
    assert_eq!(place.stored(owner.id).await.unwrap().version, 1);
}
