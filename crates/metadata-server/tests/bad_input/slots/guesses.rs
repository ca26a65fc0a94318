//! Guesses.

use super::{Change, Scene, changed, ill_formed, scene};
use crate::refused;
use crate::support::http::Call;
use crate::support::slot::{TestSlot, attempt, guess_key};
use trefoil_protocol::bytes::GroupElement;
use trefoil_protocol::guess::{
    EnrolResponse, EvaluatorName, Guess, GuessAnswer, GuessRequest, Signed,
};
use trefoil_protocol::problem::ProblemCode as Code;

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
