//! Lists of guess keys, by themselves and with commits; deletions.

use super::{Change, Scene, changed, edited, ill_formed, scene};
use crate::refused;
use crate::support::slot::{TestSlot, guess_key};
use serde::Serialize;
use trefoil_protocol::bytes::SlotId;
use trefoil_protocol::guess::{GuessList, Signed, SlotDeletion};
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::sign::AuthPrivateKey;

#[derive(Serialize)]
struct ListBody<T> {
    slot: SlotId,
    list: T,
}

#[tokio::test]
async fn lists_and_deletions() {
    let Scene { server, slot, .. } = scene().await;
    let absent = TestSlot::new(9, &[1]);
    let elsewhere = TestSlot {
        tenant: "other",
        ..slot.clone()
    };
    let good = slot.list_call(slot.list(2, &[1]));
    ill_formed(&server, &good).await;
    ill_formed(&server, &slot.delete_call(&slot.deletion())).await;
    let list = |change: Change<'_, GuessList>| {
        let list = changed(slot.guess_list(2, &[1]), change);
        slot.list_call(Signed::sign(&list, &slot.admin))
    };
    let foreign =
        |key: &AuthPrivateKey| slot.list_call(Signed::sign(&slot.guess_list(2, &[1]), key));
    let deletion =
        |change: Change<'_, SlotDeletion>| slot.delete_call(&changed(slot.deletion(), change));
    let thief = TestSlot {
        admin: guess_key(1),
        ..slot.clone()
    };
    // One signed form for another.
    let cross = slot.call("list").json(&ListBody {
        slot: slot.id,
        list: Signed::sign(&slot.deletion(), &slot.admin),
    });
    let wrong_path = slot.call("list").json(&ListBody {
        slot: absent.id,
        list: slot.list(2, &[1]),
    });
    let cases = [
        (
            "a list by a guess key",
            foreign(&guess_key(1)),
            Code::BadSignature,
        ),
        (
            "a list by another slot's key",
            foreign(&absent.admin),
            Code::BadSignature,
        ),
        ("a deletion as a list", cross, Code::BadSignature),
        (
            "a list of an unknown version",
            list(&|list| list.version = 2),
            Code::UnknownVersion,
        ),
        (
            "a list for another slot",
            list(&|list| list.slot = absent.id),
            Code::BadSlot,
        ),
        (
            "a list with a key twice",
            list(&|list| list.keys = vec![list.keys[0]; 2]),
            Code::BadSlot,
        ),
        (
            "a list without a number",
            list(&|list| list.number = 0),
            Code::BadSlot,
        ),
        (
            "another slot in the body",
            wrong_path,
            Code::MalformedRequest,
        ),
        (
            "a list for no slot",
            absent.list_call(absent.list(2, &[1])),
            Code::NoSlot,
        ),
        (
            "a list by another tenant's path",
            elsewhere.list_call(slot.list(2, &[1])),
            Code::NoSlot,
        ),
        (
            "a deletion by a guess key",
            thief.delete_call(&slot.deletion()),
            Code::BadSignature,
        ),
        (
            "a deletion of an unknown version",
            deletion(&|deletion| deletion.version = 2),
            Code::UnknownVersion,
        ),
        (
            "a deletion of another slot",
            deletion(&|deletion| deletion.slot = absent.id),
            Code::NoSlot,
        ),
        (
            "a deletion of no slot",
            absent.delete_call(&absent.deletion()),
            Code::NoSlot,
        ),
        (
            "a deletion by another tenant's path",
            elsewhere.delete_call(&slot.deletion()),
            Code::NoSlot,
        ),
    ];
    for (what, call, code) in cases {
        refused(&server, what, &call, code).await;
    }
    // Not higher: no refusal, and no change.
    let before = server.dump();
    let lower = slot.list_call(slot.list(1, &[7])).send(&server).await;
    assert_eq!((lower.status, server.dump()), (200, before));
}

#[tokio::test]
async fn lists_of_commits() {
    let Scene {
        server,
        wallet,
        session,
        slot,
    } = scene().await;
    let next = wallet.update(9);
    let with = |lists: Vec<Signed<GuessList>>| {
        let mut request = next.commit_request(&wallet);
        request.guess_lists = lists;
        next.commit_call(&wallet, &session)
            .without("content-type")
            .json(&request)
    };
    let list = |change: Change<'_, GuessList>| {
        let list = changed(slot.guess_list(2, &[1]), change);
        Signed::sign(&list, &slot.admin)
    };
    let good = || slot.list(2, &[1]);
    let forged = Signed::sign(&slot.guess_list(2, &[1]), &guess_key(1));
    let newer = list(&|list| list.version = 2);
    let twice = list(&|list| list.keys = vec![list.keys[0]; 2]);
    let cases = [
        (
            "too many lists",
            with(vec![good(); 65]),
            Code::MalformedRequest,
        ),
        (
            "a forged list",
            with(vec![good(), forged]),
            Code::BadSignature,
        ),
        (
            "a list of an unknown version",
            with(vec![good(), newer]),
            Code::UnknownVersion,
        ),
        ("a key twice", with(vec![good(), twice]), Code::BadSlot),
        (
            "no list at all",
            edited(&with(vec![good()]), "\"body\":\"", "\"body\":\"AAAA"),
            Code::MalformedRequest,
        ),
    ];
    for (what, call, code) in cases {
        refused(&server, what, &call, code).await;
    }
    assert_eq!(with(vec![good(); 64]).send(&server).await.status, 200);
}
