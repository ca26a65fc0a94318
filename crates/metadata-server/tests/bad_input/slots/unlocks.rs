//! Unlocks.

use super::{Change, Scene, changed, ill_formed, scene};
use crate::refused;
use crate::support::slot::{TestSlot, attempt, guess_key};
use trefoil_protocol::guess::{EvaluatorName, GuessAnswer, Unlock, UnlockRequest, UnlockTag};
use trefoil_protocol::problem::ProblemCode as Code;

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
}
