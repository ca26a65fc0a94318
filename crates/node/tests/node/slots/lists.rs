use serde_json::Value;
use trefoil_protocol::bytes::SlotId;
use trefoil_protocol::guess::{
    GuessList, ListAnswer, ListRequest, Signed, SlotDeleteRequest, SlotDeletion,
};
use trefoil_protocol::problem::ProblemCode;
use trefoil_protocol::sign::AuthPrivateKey;

use super::fixture::{Owner, Place, stranger};

/// A removed factor guesses no more; a kept one keeps its count; a new one begins; a lower list is passed over.
#[tokio::test]
async fn a_higher_list_is_in_force_at_once() {
    let place = Place::new();
    let owner = Owner::enrolled(&place).await;
    for factor in [1, 1, 2] {
        place.guess(&owner.guess(&place, factor)).await.unwrap();
    }
    let answer: ListAnswer = place.post("list", &owner.list(7, &[1, 3])).await.unwrap();
    assert_eq!(answer.list, 7);
    let kept = place.guess(&owner.guess(&place, 1)).await.unwrap();
    assert_eq!((kept.count.used, kept.count.list), (3, 7));
    let new = place.guess(&owner.guess(&place, 3)).await.unwrap();
    assert_eq!(new.count.used, 1);
    let removed = owner.guess(&place, 2);
    let code = ProblemCode::UnknownGuessKey;
    place.refuses(owner.id, "guess", &removed, code).await;

    let before = place.stored(owner.id).await;
    for number in [1, 6, 7] {
        let lower = owner.list(number, &[1, 2, 3]);
        let answer: ListAnswer = place.post("list", &lower).await.unwrap();
        assert_eq!(answer.list, 7);
        assert_eq!(place.stored(owner.id).await, before);
    }
    place.refuses(owner.id, "guess", &removed, code).await;
    // An empty list alone destroys nothing.
    let _: ListAnswer = place.post("list", &owner.list(8, &[])).await.unwrap();
    let _: ListAnswer = place.post("list", &owner.list(9, &[2])).await.unwrap();
    let back = place.guess(&owner.guess(&place, 2)).await.unwrap();
    assert_eq!(back.count.used, 1);
}

#[tokio::test]
async fn a_list_is_the_admin_keys_alone() {
    let place = Place::new();
    let owner = Owner::enrolled(&place).await;
    let other_slot = SlotId::try_from([8; 16].as_slice()).unwrap();
    let thief = owner.guess_key(1);
    let list = |slot, version, keys, key: &AuthPrivateKey| ListRequest {
        slot: owner.id,
        list: Signed::sign(
            &GuessList {
                version,
                slot,
                number: 9,
                keys,
            },
            key,
        ),
    };
    let keys = vec![thief.auth_key()];
    let twice = vec![thief.auth_key(), thief.auth_key()];
    let many: Vec<_> = (0..=255)
        .map(|number| AuthPrivateKey::from_seed(&[number; 32]).auth_key())
        .collect();
    let (id, admin) = (owner.id, owner.admin());
    for (request, code) in [
        (list(id, 1, keys.clone(), &thief), ProblemCode::BadSignature),
        (
            list(id, 1, keys.clone(), &stranger()),
            ProblemCode::BadSignature,
        ),
        (
            list(id, 2, keys.clone(), &admin),
            ProblemCode::UnknownVersion,
        ),
        (list(other_slot, 1, keys, &admin), ProblemCode::BadSlot),
        (list(id, 1, twice, &admin), ProblemCode::BadSlot),
        (list(id, 1, many, &admin), ProblemCode::BadSlot),
    ] {
        place.refuses(id, "list", &request, code).await;
    }
    let unknown = ListRequest {
        slot: other_slot,
        ..owner.list(2, &[1])
    };
    place
        .refuses(id, "list", &unknown, ProblemCode::NoSlot)
        .await;
}

/// Deleted by its admin key alone, for ever.
#[tokio::test]
async fn a_deleted_slot_is_gone_for_ever() {
    let place = Place::new();
    let owner = Owner::enrolled(&place).await;
    let elsewhere = Owner::numbered(&place, 2);
    elsewhere.enrol(&place).await;
    let by = |key: &AuthPrivateKey, slot, version| SlotDeleteRequest {
        slot: owner.id,
        deletion: Signed::sign(&SlotDeletion { version, slot }, key),
    };
    for (request, code) in [
        (
            by(&owner.guess_key(1), owner.id, 1),
            ProblemCode::BadSignature,
        ),
        (by(&stranger(), owner.id, 1), ProblemCode::BadSignature),
        (by(&owner.admin(), owner.id, 2), ProblemCode::UnknownVersion),
        (by(&owner.admin(), elsewhere.id, 1), ProblemCode::NoSlot),
    ] {
        place.refuses(owner.id, "delete", &request, code).await;
    }
    // What is not here leaves nothing behind.
    let unknown = Owner::numbered(&place, 3);
    place
        .refuses(
            unknown.id,
            "delete",
            &unknown.deletion(),
            ProblemCode::NoSlot,
        )
        .await;
    assert_eq!(place.stored(unknown.id).await, None);

    let guess = owner.guess(&place, 1);
    place.guess(&guess).await.unwrap();
    let round = owner.round(1, true);
    let _: Value = place.post("delete", &owner.deletion()).await.unwrap();
    let gone = ProblemCode::SlotGone;
    let id = owner.id;
    place.refuses(id, "guess", &guess, gone).await;
    place
        .refuses(id, "guess", &owner.guess(&place, 2), gone)
        .await;
    place
        .refuses(id, "unlock", &owner.unlock(&place, &round), gone)
        .await;
    place.refuses(id, "list", &owner.list(9, &[1]), gone).await;
    elsewhere.enrol(&place).await;
    place.guess(&elsewhere.guess(&place, 1)).await.unwrap();
}
