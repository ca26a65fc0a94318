//! One of each refusal that a client can bring about, against whole databases: not a byte of any table changes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use support::backend::Backend;
use support::http::{Call, call};
use support::slot::{TestSlot, attempt};
use support::wallet::{Wallet, factor, statement_at, upgraded};
use support::{Server, tenant};
use trefoil_metadata_server::{LimitsConfig, TenantConfig, TenantLimits, Tenants};
use trefoil_protocol::guess::EnrolResponse;
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::statement::StatementBody;
use trefoil_protocol::wire::{LoginRequest, MAX_BODY};
use trefoil_store::MemoryLimits;

fn unlimited() -> LimitsConfig {
    LimitsConfig {
        address_per_minute: 0,
        creations_per_minute: 0,
        locator_per_minute: 0,
        slot_per_minute: 0,
        ..LimitsConfig::default()
    }
}

async fn server(backend: &Backend) -> Server {
    let mut closed = TenantConfig::default();
    closed.policy.create = false;
    closed.policy.mailboxes = false;
    let tight = TenantConfig {
        limits: TenantLimits {
            locator_per_minute: Some(1),
            locator_burst: Some(1),
            ..TenantLimits::default()
        },
        ..TenantConfig::default()
    };
    let tenants = [
        (tenant("acme"), TenantConfig::default()),
        (tenant("closed"), closed),
        (tenant("other"), TenantConfig::default()),
        (tenant("tight"), tight),
    ];
    let tenants = Tenants::Configured(tenants.into());
    let buckets = Arc::new(MemoryLimits::default());
    Server::start_limited_on(backend, tenants, unlimited(), buckets).await
}

/// A login in this tenant with what is said at this time for that one.
fn login(server: &Server, path_tenant: &str, said_tenant: &str, seed: u8, late: u64) -> Call {
    let keys = factor(said_tenant, seed);
    let at = server.now() - late;
    let statement = statement_at(
        &tenant(said_tenant),
        StatementBody::Login {},
        keys.auth(),
        at,
    );
    call("POST", &format!("/v1/{path_tenant}/sessions")).json(&LoginRequest {
        statements: vec![statement],
    })
}

on_every_backend!(every_refused_request_leaves_the_databases_as_they_were,);

async fn every_refused_request_leaves_the_databases_as_they_were(backend: Backend) {
    let server = server(&backend).await;
    let (first, wallet, session) = upgraded(&server, "acme", 1).await;
    let stranger = Wallet::one_click("acme", 40, 40);
    let strangers = stranger.create(&server).await;
    let slot = TestSlot::new(1, &[1, 2]);
    slot.enrol(&wallet, &session, &server)
        .await
        .ok::<EnrolResponse>();
    let guessed = attempt();
    assert_eq!(slot.guess(1, guessed, &server).await.status, 200);
    let used = login(&server, "acme", "acme", 1, 0);
    assert_eq!(used.send(&server).await.status, 200);
    let spent = login(&server, "tight", "tight", 1, 0);
    assert_eq!(spent.send(&server).await.code(), Code::NoAccount);

    let good = login(&server, "acme", "acme", 1, 0);
    let good_text = String::from_utf8(good.body.clone()).unwrap();
    let of_used = String::from_utf8(used.body.clone()).unwrap();
    let (said, _) = good_text.split_once("\"signature\":").unwrap();
    let (_, signature) = of_used.split_once("\"signature\":").unwrap();
    let forged = format!("{said}\"signature\":{signature}");
    let kit_of_stranger = stranger.kit_call(&strangers, &server);
    let kit_path = wallet.path("/kit");
    let id = "A".repeat(22);
    let commit = wallet.update(9).commit_call(&wallet, &session);
    let taken = Wallet::one_click("acme", 41, 1);
    let again = Wallet::one_click("acme", 1, 42);
    let closed = Wallet::one_click("closed", 43, 43);
    let more = wallet.with_factors(&[(1, 1), (2, 2), (3, 3), (9, 77)]);
    let mut request = more.commit_request(&wallet);
    request.envelopes.clear();
    let without_envelopes = more.commit_call(&wallet, &session).without("content-type");
    let without_envelopes = without_envelopes.json(&request);

    #[rustfmt::skip]
    let cases = [
        (Code::NotFound, call("GET", "/v2/acme")),
        (Code::MethodNotAllowed, call("PATCH", "/v1/acme/sessions")),
        (Code::UnknownTenant, call("POST", "/v1/nobody/sessions").json(&())),
        (Code::MalformedRequest, good.clone().raw(b"[[]]".to_vec())),
        (Code::UnsupportedMediaType, good.clone().without("content-type")),
        (Code::BodyTooLarge, good.clone().raw(vec![b' '; MAX_BODY + 1])),
        (Code::RequestTimeout, good.clone().raw(b"{".to_vec()).header("content-length", "100")),
        (Code::BadSignature, good.clone().raw(forged.into_bytes())),
        (Code::StatementExpired, login(&server, "acme", "acme", 1, 1000)),
        (Code::WrongTenant, login(&server, "acme", "other", 1, 0)),
        (Code::ReplayedRequest, used),
        (Code::NoAccount, login(&server, "acme", "acme", 99, 0)),
        (Code::TooManyRequests, login(&server, "tight", "tight", 1, 0)),
        (Code::UnknownSession, wallet.session_call("GET", "/record", &session).without("authorization")),
        (Code::WrongSession, wallet.session_call("GET", "/record", &strangers)),
        (Code::WrongKey, Call { path: kit_path, ..kit_of_stranger }.without("authorization").header("authorization", &session.0)),
        (Code::LocatorTaken, taken.create_call(&taken.create_request(&server))),
        (Code::AccountExists, again.create_call(&again.create_request(&server))),
        (Code::NotOffered, closed.create_call(&closed.create_request(&server))),
        (Code::PreconditionRequired, commit.clone().without("if-match").without("If-Match")),
        (Code::StaleRevision, first.update(8).commit_call(&first, &session)),
        (Code::BadEnvelopes, without_envelopes),
        (Code::NoNonce, wallet.session_call("POST", "/nonce", &session)),
        (Code::NoSlot, TestSlot::new(9, &[1]).delete_call(&TestSlot::new(9, &[1]).deletion())),
        (Code::UnknownGuessKey, slot.guess_call(9, &slot.a_guess(attempt(), server.now()))),
        (Code::WrongUnlock, slot.unlock_call(1, &slot.an_unlock(attempt(), server.now()))),
        (Code::NoMailbox, call("GET", &format!("/v1/acme/mailboxes/{id}"))),
        (Code::NotOffered, call("GET", &format!("/v1/closed/mailboxes/{id}"))),
    ];
    // What the first requests left to do is done.
    let mut before = server.dump_all();
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let again = server.dump_all();
        if again == before {
            break;
        }
        before = again;
    }
    assert!(before.len() > 10, "there is something to change");
    let mut seen = BTreeSet::new();
    for (code, call) in cases {
        let reply = call.send(&server).await;
        let found = reply.code();
        assert_eq!(found, code, "{} {}", call.method, call.path);
        assert_eq!(server.dump_all(), before, "{code}");
        seen.insert(found);
    }
    assert!(seen.len() >= 25, "{seen:?}");
}
