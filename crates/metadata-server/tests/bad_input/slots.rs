//! Slots: enrolments, guesses, unlocks, lists, deletions.

use crate::support::Server;
use crate::support::http::{Call, call};
use crate::support::slot::{TestSlot, attempt, guess_key, server_name};
use crate::support::wallet::{Session, Wallet, upgraded};
use serde::Serialize;
use trefoil_protocol::bytes::{AuthKey, Blob, GroupElement, SlotId};
use trefoil_protocol::guess::{
    EnrolResponse, EvaluatorName, Guess, GuessAnswer, GuessRequest, Signed, SlotDeletion,
    SlotEnrolment, Unlock, UnlockRequest, UnlockTag,
};
use trefoil_protocol::problem::ProblemCode as Code;

use crate::refused;

/// Makes a change to one.
type Change<'a, T> = &'a dyn Fn(&mut T);

fn changed<T>(mut content: T, change: Change<'_, T>) -> T {
    change(&mut content);
    content
}

/// The body with something replaced in its text.
fn edited(call: &Call, from: &str, to: &str) -> Call {
    let text = String::from_utf8(call.body.clone()).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    call.clone().raw(text.replacen(from, to, 1).into_bytes())
}

/// What has the wrong form is refused for every call alike.
async fn ill_formed(server: &Server, good: &Call) {
    let cut = good.body[..good.body.len() / 2].to_vec();
    let cases = [
        (
            "no body",
            good.clone().raw(Vec::new()),
            Code::MalformedRequest,
        ),
        ("cut off", good.clone().raw(cut), Code::MalformedRequest),
        (
            "a list of values",
            good.clone().raw(b"[]".to_vec()),
            Code::MalformedRequest,
        ),
        (
            "an unknown field",
            edited(good, "{", "{\"more\":1,"),
            Code::MalformedRequest,
        ),
        (
            "too large",
            good.clone().raw(vec![b' '; 256 * 1024 + 1]),
            Code::BodyTooLarge,
        ),
        (
            "no content type",
            good.clone().without("content-type"),
            Code::UnsupportedMediaType,
        ),
        (
            "a signature of another length",
            edited(good, "\"signature\":\"", "\"signature\":\"AAAA"),
            Code::MalformedRequest,
        ),
    ];
    for (what, call, code) in cases {
        refused(server, &format!("{what}: {}", good.path), &call, code).await;
    }
    for tenant in ["nobody", "Acme"] {
        let path = good.path.replacen("acme", tenant, 1);
        let elsewhere = Call {
            path,
            ..good.clone()
        };
        refused(server, "no such tenant", &elsewhere, Code::UnknownTenant).await;
    }
}

struct Scene {
    server: Server,
    wallet: Wallet,
    session: Session,
    slot: TestSlot,
}

/// An account with a slot whose guess keys are 1 and 2.
async fn scene() -> Scene {
    let server = Server::start().await;
    let (_, wallet, session) = upgraded(&server, "acme", 1).await;
    let slot = TestSlot::new(1, &[1, 2]);
    slot.enrol(&wallet, &session, &server)
        .await
        .ok::<EnrolResponse>();
    Scene {
        server,
        wallet,
        session,
        slot,
    }
}

#[tokio::test]
async fn enrolments() {
    let Scene {
        server,
        wallet,
        session,
        slot: enrolled,
    } = scene().await;
    let (_, other, other_session) = upgraded(&server, "acme", 30).await;
    let slot = TestSlot::new(2, &[1, 2]);
    let good = slot.enrol_call(&wallet, &session, &slot.enrolment());
    ill_formed(&server, &good).await;
    let with = |change: Change<'_, SlotEnrolment>| {
        slot.enrol_call(&wallet, &session, &changed(slot.enrolment(), change))
    };
    let list = |change: Change<'_, trefoil_protocol::guess::GuessList>| {
        let list = changed(slot.guess_list(1, &[1]), change);
        with(&|enrolment| enrolment.list = Signed::sign(&list, &slot.admin))
    };
    let path = |rest: &str, session: &Session| {
        wallet
            .session_call("PUT", rest, session)
            .json(&slot.enrol_request(&slot.enrolment()))
    };
    let own_path = format!("/slots/{}", slot.id);
    let node = EvaluatorName::Node(guess_key(1).auth_key());
    let elsewhere = EvaluatorName::Server("https://other.example".to_owned());
    let keys: Vec<AuthKey> = (0..=255).map(|seed| guess_key(seed).auth_key()).collect();
    let foreign_admin = {
        let mut request = slot.enrol_request(&slot.enrolment());
        request.admin_key = guess_key(9).auth_key();
        good.clone().without("content-type").json(&request)
    };
    let foreign_list = with(&|enrolment| {
        enrolment.list = Signed::sign(&slot.guess_list(1, &[1]), &guess_key(9));
    });
    let cases = [
        (
            "no session",
            good.clone().without("authorization"),
            Code::UnknownSession,
        ),
        (
            "a made-up session",
            path(&own_path, &Session("Bearer x".to_owned())),
            Code::UnknownSession,
        ),
        (
            "another account's session",
            path(&own_path, &other_session),
            Code::WrongSession,
        ),
        (
            "no slot id",
            path("/slots/x", &session),
            Code::MalformedRequest,
        ),
        (
            "another slot in the path",
            path(&format!("/slots/{}", enrolled.id), &session),
            Code::MalformedRequest,
        ),
        ("another admin key", foreign_admin, Code::BadSignature),
        (
            "an unknown version",
            with(&|enrolment| enrolment.version = 2),
            Code::UnknownVersion,
        ),
        (
            "another tenant",
            with(&|enrolment| enrolment.tenant = crate::support::tenant("other")),
            Code::WrongTenant,
        ),
        (
            "another slot",
            with(&|enrolment| enrolment.slot = enrolled.id),
            Code::BadSlot,
        ),
        (
            "a node's",
            with(&|enrolment| enrolment.evaluator = node.clone()),
            Code::WrongEvaluator,
        ),
        (
            "another server's",
            with(&|enrolment| enrolment.evaluator = elsewhere.clone()),
            Code::WrongEvaluator,
        ),
        (
            "a node's place",
            with(&|enrolment| enrolment.index = 1),
            Code::BadSlot,
        ),
        (
            "no guesses",
            with(&|enrolment| enrolment.allowed = 0),
            Code::BadSlot,
        ),
        (
            "too many guesses",
            with(&|enrolment| enrolment.allowed = 21),
            Code::BadSlot,
        ),
        (
            "zero as key",
            with(&|enrolment| enrolment.share = Blob::new(vec![0; 32])),
            Code::BadSlot,
        ),
        (
            "no scalar",
            with(&|enrolment| enrolment.share = Blob::new(vec![0xff; 32])),
            Code::BadSlot,
        ),
        (
            "a short key",
            with(&|enrolment| enrolment.share = Blob::new(vec![1; 31])),
            Code::BadSlot,
        ),
        (
            "a long key",
            with(&|enrolment| enrolment.share = Blob::new(vec![1; 33])),
            Code::BadSlot,
        ),
        (
            "far too much",
            with(&|enrolment| enrolment.share = Blob::new(vec![1; 40_000])),
            Code::MalformedRequest,
        ),
        ("a list by another key", foreign_list, Code::BadSignature),
        (
            "a list for another slot",
            list(&|list| list.slot = enrolled.id),
            Code::BadSlot,
        ),
        (
            "a list without a number",
            list(&|list| list.number = 0),
            Code::BadSlot,
        ),
        (
            "a guess key twice",
            list(&|list| list.keys = vec![list.keys[0]; 2]),
            Code::BadSlot,
        ),
        (
            "too many guess keys",
            list(&|list| list.keys.clone_from(&keys)),
            Code::BadSlot,
        ),
    ];
    for (what, call, code) in cases {
        refused(&server, what, &call, code).await;
    }

    // Under an id that is used: other bytes, and the same by another account.
    let again = TestSlot {
        allowed: 4,
        ..enrolled.clone()
    };
    let other_bytes = again.enrol_call(&wallet, &session, &again.enrolment());
    refused(&server, "other bytes", &other_bytes, Code::SlotTaken).await;
    let stolen = enrolled.enrol_call(&other, &other_session, &enrolled.enrolment());
    refused(&server, "another account's", &stolen, Code::SlotTaken).await;
    let (_, third, third_session) = upgraded(&server, "other", 60).await;
    let there = TestSlot {
        tenant: "other",
        ..enrolled.clone()
    };
    let elsewhere = there.enrol_call(&third, &third_session, &there.enrolment());
    refused(&server, "another tenant's", &elsewhere, Code::SlotTaken).await;

    server.advance(15 * 60 + 1);
    refused(&server, "too late", &good, Code::UnknownSession).await;
    let list = wallet.session_call("GET", "/slots", &session);
    refused(&server, "too late", &list, Code::UnknownSession).await;
}

#[tokio::test]
async fn listing() {
    let scene = scene().await;
    let (server, wallet) = (&scene.server, &scene.wallet);
    let (_, _, other_session) = upgraded(server, "acme", 30).await;
    let get = |session: &Session| wallet.session_call("GET", "/slots", session);
    let cases = [
        (
            "no session",
            get(&scene.session).without("authorization"),
            Code::UnknownSession,
        ),
        ("another account's", get(&other_session), Code::WrongSession),
        (
            "no account id",
            call("GET", "/v1/acme/accounts/x/slots").header("authorization", &scene.session.0),
            Code::MalformedRequest,
        ),
        (
            "another tenant",
            call("GET", &wallet.path("/slots").replace("acme", "other"))
                .header("authorization", &scene.session.0),
            Code::UnknownSession,
        ),
    ];
    for (what, call, code) in cases {
        refused(server, what, &call, code).await;
    }
}

#[tokio::test]
async fn guesses() {
    let Scene {
        server,
        wallet,
        session,
        slot,
    } = scene().await;
    let now = server.now();
    let good = slot.guess_call(1, &slot.a_guess(attempt(), now));
    ill_formed(&server, &good).await;
    let with = |change: Change<'_, Guess>| {
        slot.guess_call(1, &changed(slot.a_guess(attempt(), now), change))
    };
    let request = |change: Change<'_, GuessRequest>| {
        let request = slot.guess_request(1, &slot.a_guess(attempt(), now));
        slot.call("guess").json(&changed(request, change))
    };
    let (key, other) = (guess_key(1), guess_key(2).auth_key());
    let node = EvaluatorName::Node(key.auth_key());
    let element = |bytes: [u8; 32]| {
        with(&|guess| guess.blinded = GroupElement::try_from(bytes.as_slice()).unwrap())
    };
    // An unlock's signature over a guess's bytes would be one if labels were not part of it.
    let unlock = slot.an_unlock(attempt(), now);
    let cross = slot.call("guess").json(&serde_json::json!({
        "slot": slot.id, "key": key.auth_key(), "guess": Signed::sign(&unlock, &key),
    }));
    let absent = TestSlot::new(9, &[1]);
    let elsewhere = TestSlot {
        tenant: "other",
        ..slot.clone()
    };
    let cases = [
        (
            "a key that is not in the list",
            slot.guess_call(3, &slot.a_guess(attempt(), now)),
            Code::UnknownGuessKey,
        ),
        (
            "another key's signature",
            request(&|request| request.key = other),
            Code::BadSignature,
        ),
        ("an unlock", cross, Code::BadSignature),
        (
            "an unknown version",
            with(&|guess| guess.version = 2),
            Code::UnknownVersion,
        ),
        (
            "another slot in the body",
            request(&|request| request.slot = absent.id),
            Code::MalformedRequest,
        ),
        (
            "another slot in the guess",
            with(&|guess| guess.slot = absent.id),
            Code::NoSlot,
        ),
        (
            "no such slot",
            absent.guess_call(1, &absent.a_guess(attempt(), now)),
            Code::NoSlot,
        ),
        (
            "another tenant's path",
            elsewhere.guess_call(1, &slot.a_guess(attempt(), now)),
            Code::NoSlot,
        ),
        (
            "for a node",
            with(&|guess| guess.evaluator = node.clone()),
            Code::WrongEvaluator,
        ),
        (
            "from the past",
            with(&|guess| guess.time -= 121),
            Code::StatementExpired,
        ),
        (
            "from the future",
            with(&|guess| guess.time += 121),
            Code::StatementExpired,
        ),
        ("the identity", element([0; 32]), Code::BadElement),
        ("not canonical", element([0xff; 32]), Code::BadElement),
        (
            "no slot id",
            Call {
                path: "/v1/acme/slots/x/guess".to_owned(),
                ..good.clone()
            },
            Code::MalformedRequest,
        ),
        (
            "another method",
            Call {
                method: "PUT".to_owned(),
                ..good.clone()
            },
            Code::MethodNotAllowed,
        ),
    ];
    for (what, call, code) in cases {
        refused(&server, what, &call, code).await;
    }
    let late = with(&|guess| guess.time -= 121).send(&server).await;
    assert_eq!(late.problem().server_time, Some(now));
    for edge in [now - 120, now + 120] {
        let call = with(&|guess| guess.time = edge);
        call.send(&server).await.ok::<GuessAnswer>();
    }
    let used = attempt();
    slot.guess(1, used, &server).await.ok::<GuessAnswer>();
    let spent = slot.guess_call(1, &slot.a_guess(attempt(), now));
    refused(&server, "spent", &spent, Code::GuessesSpent).await;

    // A whole slot more: an owner's session is of no use for guesses.
    let fresh = TestSlot::new(3, &[2]);
    fresh
        .enrol(&wallet, &session, &server)
        .await
        .ok::<EnrolResponse>();
    let with_session = fresh
        .guess_call(1, &fresh.a_guess(attempt(), now))
        .header("authorization", &session.0);
    refused(
        &server,
        "with a session",
        &with_session,
        Code::UnknownGuessKey,
    )
    .await;
}

#[tokio::test]
async fn unlocks() {
    let Scene { server, slot, .. } = scene().await;
    let (now, right) = (server.now(), attempt());
    slot.guess(1, right, &server).await.ok::<GuessAnswer>();
    let good = slot.unlock_call(1, &slot.an_unlock(right, now));
    ill_formed(&server, &good).await;
    let with = |change: Change<'_, Unlock>| {
        slot.unlock_call(1, &changed(slot.an_unlock(right, now), change))
    };
    let request = |change: Change<'_, UnlockRequest>| {
        let request = slot.unlock_request(1, &slot.an_unlock(right, now));
        slot.call("unlock").json(&changed(request, change))
    };
    let node_tag = UnlockTag::of(&slot.secret, &slot.id, 1);
    let other = guess_key(2).auth_key();
    let absent = TestSlot::new(9, &[1]);
    let elsewhere = TestSlot {
        tenant: "other",
        ..slot.clone()
    };
    let cases = [
        (
            "a wrong tag",
            with(&|unlock| unlock.tag = UnlockTag::from_bytes([1; 32])),
            Code::WrongUnlock,
        ),
        (
            "a node's tag",
            with(&|unlock| unlock.tag = UnlockTag::from_bytes(*node_tag.expose_secret())),
            Code::WrongUnlock,
        ),
        (
            "another attempt",
            with(&|unlock| unlock.attempt = attempt()),
            Code::WrongUnlock,
        ),
        (
            "by another guess key",
            slot.unlock_call(2, &slot.an_unlock(right, now)),
            Code::WrongUnlock,
        ),
        (
            "by a key that is not in the list",
            slot.unlock_call(3, &slot.an_unlock(right, now)),
            Code::UnknownGuessKey,
        ),
        (
            "another key's signature",
            request(&|request| request.key = other),
            Code::BadSignature,
        ),
        (
            "an unknown version",
            with(&|unlock| unlock.version = 0),
            Code::UnknownVersion,
        ),
        (
            "another slot in the body",
            request(&|request| request.slot = absent.id),
            Code::MalformedRequest,
        ),
        (
            "another slot in the unlock",
            with(&|unlock| unlock.slot = absent.id),
            Code::NoSlot,
        ),
        (
            "no such slot",
            absent.unlock_call(1, &absent.an_unlock(right, now)),
            Code::NoSlot,
        ),
        (
            "another tenant's path",
            elsewhere.unlock_call(1, &slot.an_unlock(right, now)),
            Code::NoSlot,
        ),
        (
            "for another server",
            with(&|unlock| {
                unlock.evaluator = EvaluatorName::Server("https://x.example".to_owned())
            }),
            Code::WrongEvaluator,
        ),
        (
            "from the past",
            with(&|unlock| unlock.time -= 121),
            Code::StatementExpired,
        ),
        (
            "from the future",
            with(&|unlock| unlock.time += 121),
            Code::StatementExpired,
        ),
    ];
    for (what, call, code) in cases {
        refused(&server, what, &call, code).await;
    }
    assert_eq!(good.send(&server).await.status, 200);
    assert_eq!(server_name(), slot.enrolment().evaluator);
}

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
    let list = |change: Change<'_, trefoil_protocol::guess::GuessList>| {
        let list = changed(slot.guess_list(2, &[1]), change);
        slot.list_call(Signed::sign(&list, &slot.admin))
    };
    let foreign = |key: &trefoil_protocol::sign::AuthPrivateKey| {
        slot.list_call(Signed::sign(&slot.guess_list(2, &[1]), key))
    };
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
    let with = |lists: Vec<Signed<trefoil_protocol::guess::GuessList>>| {
        let mut request = next.commit_request(&wallet);
        request.guess_lists = lists;
        next.commit_call(&wallet, &session)
            .without("content-type")
            .json(&request)
    };
    let list = |change: Change<'_, trefoil_protocol::guess::GuessList>| {
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
