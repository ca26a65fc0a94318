//! Attackers with something in their hands, played against the server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

mod support;

use support::Server;
use support::http::{Call, Reply, call};
use support::wallet::{Session, Wallet, factor, upgraded};
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::statement::StatementBody;
use trefoil_protocol::wire::{CreateRequest, LoginRequest, LoginResponse, RecordResponse};

/// Every call that a session is good for.
fn calls(wallet: &Wallet, session: &Session, server: &Server) -> Vec<Call> {
    vec![
        wallet.session_call("GET", "/record", session),
        wallet.session_call("GET", "/events", session),
        wallet.session_call("POST", "/nonce", session),
        wallet.kit_call(session, server),
        wallet.update(66).commit_call(wallet, session),
        wallet.delete_call(session, server),
    ]
}

fn shows(reply: &Reply, wallet: &Wallet, index: u32) -> bool {
    let envelope = serde_json::to_string(&wallet.envelopes[&index]).unwrap();
    String::from_utf8_lossy(&reply.body).contains(&envelope)
}

/// Another tenant's app, with the same user and the same key: nothing of the account is within its reach.
#[tokio::test]
async fn another_tenant_reaches_nothing() {
    let server = Server::start().await;
    let (_, victim, _) = upgraded(&server, "acme", 1).await;
    let app = Wallet::one_click("other", 1, 1);
    let session = app.create(&server).await;
    for call in calls(&victim, &session, &server) {
        assert_eq!(call.send(&server).await.code(), Code::UnknownSession);
    }
    // The victim's path in the attacker's tenant, by the attacker's session.
    let mut moved = victim.clone();
    moved.payload.tenant = support::tenant("other");
    for call in [
        moved.session_call("GET", "/record", &session),
        moved.session_call("POST", "/nonce", &session),
    ] {
        assert_eq!(call.send(&server).await.code(), Code::WrongSession);
    }
    // The attacker's factor, and a statement made for its own tenant, lead nowhere in the other.
    let stolen = app.login_request(&[&app.factors[&1]], &server);
    assert_eq!(
        victim.login_call(&stolen).send(&server).await.code(),
        Code::WrongTenant
    );
    let request = victim.login_request(&[&app.factors[&1]], &server);
    assert_eq!(
        victim.login_call(&request).send(&server).await.code(),
        Code::NoAccount
    );
}

/// Whoever was logged in with a factor when it was removed is out; so is whoever tries to log in with it.
#[tokio::test]
async fn a_removed_factor_reaches_nothing() {
    let server = Server::start().await;
    let (_, second, _) = upgraded(&server, "acme", 1).await;
    let (_, thief) = second.login(&[2], &server).await;
    let (_, with_both) = second.login(&[2, 3], &server).await;
    let (_, owner) = second.login(&[1, 3], &server).await;
    let third = second.with_factors(&[(1, 1), (3, 3), (4, 4)]);
    assert_eq!(third.commit(&second, &owner, &server).await.status, 200);
    for session in [&thief, &with_both] {
        for call in calls(&third, session, &server) {
            assert_eq!(call.send(&server).await.code(), Code::UnknownSession);
        }
    }
    let before = server.dump();
    assert_eq!(
        second.try_login(&[2], &server).await.code(),
        Code::FactorRemoved
    );
    // It cannot found an account of its own either, in which a client would then store something.
    let squatter = Wallet::one_click("acme", 90, 2);
    let reply = squatter
        .create_call(&squatter.create_request(&server))
        .send(&server)
        .await;
    assert_eq!(reply.code(), Code::LocatorTaken);
    assert_eq!(server.dump(), before);
    // The owner's session goes on.
    assert_eq!(
        third
            .session_call("GET", "/record", &owner)
            .send(&server)
            .await
            .status,
        200
    );
}

/// A device that slept through a removal cannot bring the factor back by committing over what it remembers.
#[tokio::test]
async fn a_stale_client_brings_nothing_back() {
    let server = Server::start().await;
    let (_, second, _) = upgraded(&server, "acme", 1).await;
    let (_, owner) = second.login(&[1], &server).await;
    let third = second.with_factors(&[(1, 1), (3, 3), (4, 4)]);
    assert_eq!(third.commit(&second, &owner, &server).await.status, 200);
    let before = server.dump();
    let (_, sleeper) = third.login(&[3], &server).await;
    let logged_in = server.dump();
    assert_ne!(before, logged_in);

    let stale = second.update(9);
    let problem = stale.commit(&second, &sleeper, &server).await.problem();
    assert_eq!(
        (problem.code, problem.revision),
        (Code::StaleRevision, Some(3))
    );
    // With the current revision in If-Match the record itself gives it away.
    let forced = stale.commit_call(&third, &sleeper).send(&server).await;
    assert_eq!(forced.code(), Code::WrongRevision);
    let mut renumbered = stale.clone();
    renumbered.payload.revision = 4;
    assert_eq!(
        renumbered
            .commit_call(&third, &sleeper)
            .send(&server)
            .await
            .code(),
        Code::WrongPrevious
    );
    assert_eq!(server.dump(), logged_in);
}

/// A statement that was read on its way is good for nothing afterwards.
#[tokio::test]
async fn a_replayed_statement_opens_nothing() {
    let server = Server::start().await;
    let (_, wallet, _) = upgraded(&server, "acme", 1).await;
    let request = wallet.login_request(&[&wallet.factors[&1]], &server);
    let login = wallet.login_call(&request);
    assert_eq!(login.send(&server).await.status, 200);
    for seconds in [0, 60, 60] {
        server.advance(seconds);
        assert_eq!(login.send(&server).await.code(), Code::ReplayedRequest);
        // Also not together with another factor, nor where a login is not what is asked for.
        let mut both = wallet.login_request(&[&wallet.factors[&2]], &server);
        both.statements.extend(request.statements.clone());
        assert_eq!(
            wallet.login_call(&both).send(&server).await.code(),
            Code::ReplayedRequest
        );
    }
    // A creation's statement is bound to its payload.
    let victim = Wallet::one_click("acme", 60, 60);
    let statement = victim.create_request(&server).statement;
    let thief = Wallet::one_click("acme", 61, 60);
    let forged = CreateRequest {
        statement: statement.clone(),
        ..thief.create_request(&server)
    };
    assert_eq!(
        thief.create_call(&forged).send(&server).await.code(),
        Code::BadRecord
    );
    let as_login = LoginRequest {
        statements: vec![statement],
    };
    assert_eq!(
        victim.login_call(&as_login).send(&server).await.code(),
        Code::MalformedRequest
    );
}

/// Whoever has one factor sees that factor's envelope and never another one, on any route.
#[tokio::test]
async fn one_factor_sees_one_envelope() {
    let server = Server::start().await;
    let (_, second, owner) = upgraded(&server, "acme", 1).await;
    for own in [1, 2, 3] {
        let reply = second.try_login(&[own], &server).await;
        let session = Session::of(&reply.ok::<LoginResponse>());
        let mut replies = vec![reply];
        for route in ["/record", "/events"] {
            replies.push(
                second
                    .session_call("GET", route, &session)
                    .send(&server)
                    .await,
            );
        }
        replies.push(
            second
                .session_call("POST", "/nonce", &session)
                .send(&server)
                .await,
        );
        // Without the account's key there is no kit.
        let statement = second.statement(
            StatementBody::Kit {
                account_id: second.id(),
            },
            second.factors[&own].auth(),
            &server,
        );
        let kit = second.session_call("POST", "/kit", &session);
        replies.push(
            kit.json(&trefoil_protocol::wire::KitRequest { statement })
                .send(&server)
                .await,
        );
        assert!(shows(&replies[0], &second, own) && shows(&replies[1], &second, own));
        for reply in &replies {
            for other in [1, 2, 3].into_iter().filter(|other| *other != own) {
                assert!(!shows(reply, &second, other), "{reply:?}");
            }
        }
    }
    // The session that made the account has proven the social factor only, also after the commit.
    let read: RecordResponse = second
        .session_call("GET", "/record", &owner)
        .send(&server)
        .await
        .ok();
    assert_eq!(
        read.envelopes
            .iter()
            .map(|held| held.index)
            .collect::<Vec<_>>(),
        [1]
    );
}

/// A session alone, without the account's key, changes nothing: every commit must be signed by it.
#[tokio::test]
async fn a_stolen_session_commits_nothing() {
    let server = Server::start().await;
    let (_, second, session) = upgraded(&server, "acme", 1).await;
    let before = server.dump();
    let mut forged = second.with_factors(&[(1, 1), (2, 2), (3, 3), (4, 99)]);
    forged.auth = factor("acme", 1).auth().clone();
    assert_eq!(
        forged.commit(&second, &session, &server).await.code(),
        Code::BadSignature
    );
    // Nor with an account key of the thief's own.
    let mut own = Wallet::one_click("acme", 99, 99);
    own.payload.revision = 3;
    own.payload.previous = Some(second.record().hash());
    let request = own.commit_request(&own);
    let call = second
        .session_call("PUT", "/record", &session)
        .header("if-match", "\"2\"")
        .json(&request);
    assert_eq!(call.send(&server).await.code(), Code::WrongAccountKey);
    assert_eq!(server.dump(), before);
}

/// A dump of both files has neither tokens nor, after the upgrade, the nonce.
#[tokio::test]
async fn a_dump_has_no_tokens_and_no_ended_nonce() {
    let server = Server::start().await;
    let (first, second, session) = upgraded(&server, "acme", 1).await;
    second.login(&[2], &server).await;
    let token =
        trefoil_protocol::wire::SessionToken::parse(session.0.strip_prefix("Bearer ").unwrap())
            .unwrap();
    let nonce = first.nonce.unwrap();
    for file in std::fs::read_dir(server.directory.path()).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        assert!(!holds(token.expose_secret()), "{}", path.display());
        assert!(!holds(nonce.as_bytes()), "{}", path.display());
    }
    assert_eq!(call("GET", "/readyz").send(&server).await.status, 200);
}
