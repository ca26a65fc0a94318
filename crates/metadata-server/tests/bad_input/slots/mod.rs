//! Slots: enrolments, guesses, unlocks, lists, deletions.

mod enrolments;
mod guesses;
mod lists;
mod unlocks;

use crate::refused;
use crate::support::Server;
use crate::support::http::Call;
use crate::support::slot::TestSlot;
use crate::support::wallet::{Session, Wallet, upgraded};
use trefoil_protocol::guess::EnrolResponse;
use trefoil_protocol::problem::ProblemCode as Code;

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
