//! Enrolments, and the list of what is enrolled.

use super::{Change, Scene, changed, ill_formed, scene};
use crate::refused;
use crate::support::http::call;
use crate::support::slot::{TestSlot, guess_key};
use crate::support::wallet::{Session, upgraded};
use trefoil_protocol::bytes::{AuthKey, Blob};
use trefoil_protocol::guess::{EvaluatorName, GuessList, OwnersClaim, Signed, SlotEnrolment};
use trefoil_protocol::problem::ProblemCode as Code;

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
    let list = |change: Change<'_, GuessList>| {
        let list = changed(slot.guess_list(1, &[1]), change);
        with(&|enrolment| enrolment.list = Signed::sign(&list, &slot.admin))
    };
    let path = |rest: &str, session: &Session| {
        wallet
            .session_call("PUT", rest, session)
            .json(&slot.enrol_request(&wallet, &slot.enrolment()))
    };
    let own_path = format!("/slots/{}", slot.id);
    let node = EvaluatorName::Node(guess_key(1).auth_key());
    let elsewhere = EvaluatorName::Server("https://other.example".to_owned());
    let keys: Vec<AuthKey> = (0..=255).map(|seed| guess_key(seed).auth_key()).collect();
    let foreign_admin = {
        let mut request = slot.enrol_request(&wallet, &slot.enrolment());
        request.admin_key = guess_key(9).auth_key();
        good.clone().without("content-type").json(&request)
    };
    let foreign_list = with(&|enrolment| {
        enrolment.list = Signed::sign(&slot.guess_list(1, &[1]), &guess_key(9));
    });
    let claimed = |claim| {
        let mut request = slot.enrol_request(&wallet, &slot.enrolment());
        request.claim = claim;
        good.clone().without("content-type").json(&request)
    };
    let (admin, stranger) = (slot.admin.auth_key(), guess_key(8));
    let cases = [
        ("no claim by the account", claimed(None), Code::WrongKey),
        (
            "a claim by a thief's key",
            claimed(Some(OwnersClaim::sign(&stranger, slot.id, admin))),
            Code::WrongKey,
        ),
        (
            "a claim for another admin key",
            claimed(Some(OwnersClaim::sign(
                &wallet.auth,
                slot.id,
                stranger.auth_key(),
            ))),
            Code::WrongKey,
        ),
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
