//! What an honest owner does, over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

mod support;

use std::collections::BTreeSet;

use support::backend::Backend;
use support::http::call;
use support::wallet::{Session, Wallet, factor, upgraded};
use support::{NOW, Server};
use trefoil_metadata_server::SESSION_SECONDS;
use trefoil_protocol::event::{EventBody, verify_chain};
use trefoil_protocol::policy::Action;
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::wire::{
    CommitResponse, EventsResponse, KitResponse, LoginResponse, NonceResponse, RecordResponse,
};

on_every_backend!(
    create_log_in_upgrade_and_open_with_each_factor,
    a_lost_answer_is_asked_for_again,
    a_removed_factor_is_refused_and_may_come_back,
    a_restore_goes_above_any_revision,
    kit_and_events_are_for_the_owner,
    deletion_erases_and_lets_the_user_start_over,
    sessions_end_after_fifteen_minutes,
);

async fn create_log_in_upgrade_and_open_with_each_factor(backend: Backend) {
    let server = Server::start_on(&backend).await;
    let first = Wallet::one_click("acme", 1, 1);
    let reply = first
        .create_call(&first.create_request(&server))
        .send(&server)
        .await;
    assert_eq!(reply.status, 201);
    let created: LoginResponse = reply.ok();
    assert_eq!(created.account_id, first.id());
    assert_eq!(created.record, first.record());
    assert_eq!(created.envelopes, first.indexed());
    assert_eq!((created.logins, created.server_time), (1, NOW));
    assert_eq!(created.session.expires, NOW + SESSION_SECONDS);
    assert_eq!(created.sealed_nonce, first.nonce);

    let (login, session) = first.login(&[1], &server).await;
    assert_eq!((login.logins, login.sealed_nonce), (2, first.nonce.clone()));
    assert_eq!(login.record, first.record());
    let nonce: NonceResponse = first
        .session_call("POST", "/nonce", &session)
        .send(&server)
        .await
        .ok();
    assert_eq!(Some(nonce.sealed_nonce), first.nonce);

    let second = first.upgrade(&[(1, 1), (2, 2), (3, 3)]);
    let reply = second.commit(&first, &session, &server).await;
    let committed: CommitResponse = reply.ok();
    assert_eq!(committed.revision, 2);
    assert_eq!(
        committed.actions,
        BTreeSet::from([Action::AddFactor, Action::Reshare, Action::ChangePolicy])
    );
    let again: CommitResponse = second.commit(&first, &session, &server).await.ok();
    assert_eq!(again, committed);

    let gone = first
        .session_call("POST", "/nonce", &session)
        .send(&server)
        .await;
    assert_eq!(gone.code(), Code::NoNonce);
    assert!(!server.dump().iter().any(|row| row.starts_with("nonces ")));

    for index in [1, 2, 3] {
        let (login, session) = second.login(&[index], &server).await;
        assert_eq!(login.record, second.record());
        assert_eq!(login.sealed_nonce, None);
        assert_eq!(login.envelopes.len(), 1);
        assert_eq!(login.envelopes[0].envelope, second.envelopes[&index]);
        let reply = second
            .session_call("GET", "/record", &session)
            .send(&server)
            .await;
        assert_eq!(reply.header("etag"), Some("\"2\""));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let read: RecordResponse = reply.ok();
        assert_eq!(
            (read.record, read.envelopes),
            (login.record, login.envelopes)
        );
    }
    let (login, _) = second.login(&[3, 1], &server).await;
    assert_eq!(
        login
            .envelopes
            .iter()
            .map(|held| held.index)
            .collect::<Vec<_>>(),
        [1, 3]
    );
}

async fn a_lost_answer_is_asked_for_again(backend: Backend) {
    let server = Server::start_on(&backend).await;
    let first = Wallet::one_click("acme", 1, 1);
    first.create(&server).await;
    // The client signs anew: the statement of the lost request is used up.
    let reply = first
        .create_call(&first.create_request(&server))
        .send(&server)
        .await;
    assert_eq!(reply.status, 201);
    let again: LoginResponse = reply.ok();
    assert_eq!(
        (again.logins, again.record.hash()),
        (1, first.record().hash())
    );

    let second = first.update(9);
    let session = Session::of(&again);
    assert_eq!(second.commit(&first, &session, &server).await.status, 200);
    let (_, fresh) = first.login(&[1], &server).await;
    let repeated: CommitResponse = second.commit(&first, &fresh, &server).await.ok();
    assert_eq!(
        (repeated.revision, repeated.actions),
        (2, BTreeSet::from([Action::Update]))
    );
}

async fn a_removed_factor_is_refused_and_may_come_back(backend: Backend) {
    let server = Server::start_on(&backend).await;
    let (_, second, session) = upgraded(&server, "acme", 1).await;
    let third = second.with_factors(&[(1, 1), (2, 2), (3, 3), (4, 4)]);
    assert_eq!(third.commit(&second, &session, &server).await.status, 200);
    let fourth = third.with_factors(&[(1, 1), (3, 3), (4, 4)]);
    let removed: CommitResponse = fourth.commit(&third, &session, &server).await.ok();
    assert_eq!(removed.actions, BTreeSet::from([Action::RemoveFactor]));
    assert_eq!(
        third.try_login(&[2], &server).await.code(),
        Code::FactorRemoved
    );
    // Beside a factor that is enrolled it is only mentioned.
    let (login, _) = third.login(&[1, 2], &server).await;
    assert_eq!(login.removed, [factor("acme", 2).locator()]);
    assert_eq!(login.envelopes.len(), 1);

    let fifth = fourth.with_factors(&[(1, 1), (3, 3), (4, 4), (5, 2)]);
    let added: CommitResponse = fifth.commit(&fourth, &session, &server).await.ok();
    assert_eq!(added.actions, BTreeSet::from([Action::AddFactor]));
    let (login, _) = fifth.login(&[5], &server).await;
    assert_eq!(login.envelopes[0].envelope, fifth.envelopes[&5]);
}

async fn a_restore_goes_above_any_revision(backend: Backend) {
    let server = Server::start_on(&backend).await;
    let (_, second, session) = upgraded(&server, "acme", 1).await;
    // Revisions 3 to 6 are known to a device and lost to the server.
    let mut lost = second.clone();
    lost.payload.revision = 6;
    let mut restored = lost.with_factors(&[(1, 1), (2, 2), (4, 4)]);
    restored.payload.restore = true;
    restored.payload.epoch += 3;
    let reply = restored.commit(&second, &session, &server).await;
    assert_eq!(reply.ok::<CommitResponse>().revision, 7);
    let events: EventsResponse = second
        .session_call("GET", "/events", &session)
        .send(&server)
        .await
        .ok();
    let events = verify_chain(&events.events, &events.head).unwrap();
    assert!(matches!(
        events.last().unwrap().body,
        EventBody::Committed {
            restore: true,
            revision: 7,
            ..
        }
    ));
}

async fn kit_and_events_are_for_the_owner(backend: Backend) {
    let server = Server::start_on(&backend).await;
    let first = Wallet::one_click("acme", 1, 1);
    let session = first.create(&server).await;
    let kit: KitResponse = first.kit_call(&session, &server).send(&server).await.ok();
    assert_eq!(
        (kit.record, kit.envelopes, kit.sealed_nonce),
        (first.record(), first.indexed(), first.nonce.clone())
    );
    let second = first.upgrade(&[(1, 1), (2, 2), (3, 3)]);
    assert_eq!(second.commit(&first, &session, &server).await.status, 200);
    let kit: KitResponse = second.kit_call(&session, &server).send(&server).await.ok();
    assert_eq!((kit.envelopes, kit.sealed_nonce), (second.indexed(), None));

    server.advance(60);
    let log: EventsResponse = second
        .session_call("GET", "/events", &session)
        .send(&server)
        .await
        .ok();
    let events = verify_chain(&log.events, &log.head).unwrap();
    let kinds: Vec<_> = events.iter().map(|event| event.body.clone()).collect();
    assert_eq!(kinds.len(), 4);
    assert_eq!(
        kinds[0],
        EventBody::Created {
            payload_hash: first.record().hash()
        }
    );
    assert_eq!(kinds[1], EventBody::KitExported {});
    assert!(
        matches!(&kinds[2], EventBody::Committed { revision: 2, payload_hash, .. }
        if *payload_hash == second.record().hash())
    );
    assert_eq!(kinds[3], EventBody::KitExported {});
}

async fn deletion_erases_and_lets_the_user_start_over(backend: Backend) {
    let server = Server::start_on(&backend).await;
    let first = Wallet::one_click("acme", 1, 1);
    let session = first.create(&server).await;
    assert_eq!(
        first
            .delete_call(&session, &server)
            .send(&server)
            .await
            .status,
        204
    );
    // The answer was lost: asked again it is the same.
    assert_eq!(
        first
            .delete_call(&session, &server)
            .send(&server)
            .await
            .status,
        204
    );
    let dump = server.dump();
    let tables: BTreeSet<&str> = dump
        .iter()
        .map(|row| row.split(' ').next().unwrap())
        .collect();
    assert_eq!(tables, BTreeSet::from(["request_ids", "tombstones"]));

    assert_eq!(first.try_login(&[1], &server).await.code(), Code::NoAccount);
    let reply = first
        .create_call(&first.create_request(&server))
        .send(&server)
        .await;
    assert_eq!(reply.code(), Code::AccountDeleted);
    let fresh = Wallet::one_click("acme", 7, 1);
    fresh.create(&server).await;
    let (login, _) = fresh.login(&[1], &server).await;
    assert_eq!(login.account_id, fresh.id());
}

async fn sessions_end_after_fifteen_minutes(backend: Backend) {
    let server = Server::start_on(&backend).await;
    let first = Wallet::one_click("acme", 1, 1);
    let session = first.create(&server).await;
    server.advance(SESSION_SECONDS);
    assert_eq!(
        first
            .session_call("GET", "/record", &session)
            .send(&server)
            .await
            .status,
        200
    );
    server.advance(1);
    let reply = first
        .session_call("GET", "/record", &session)
        .send(&server)
        .await;
    assert_eq!(reply.code(), Code::UnknownSession);
    assert_eq!(
        first
            .update(9)
            .commit(&first, &session, &server)
            .await
            .code(),
        Code::UnknownSession
    );
}

#[tokio::test]
async fn a_wrong_clock_is_told_the_time() {
    let server = Server::start().await;
    let first = Wallet::one_click("acme", 1, 1);
    first.create(&server).await;
    let request = first.login_request(&[&first.factors[&1]], &server);
    server.advance(121);
    let problem = first.login_call(&request).send(&server).await.problem();
    assert_eq!(
        (problem.code, problem.server_time),
        (Code::StatementExpired, Some(NOW + 121))
    );
    assert_eq!(first.try_login(&[1], &server).await.status, 200);
}

#[tokio::test]
async fn health_follows_the_store() {
    let server = Server::start_with(|options| options.max_bytes(200 * 1024), |config| config).await;
    assert_eq!(call("GET", "/healthz").send(&server).await.status, 200);
    assert_eq!(call("GET", "/readyz").send(&server).await.status, 200);
    // Fill the store to its limit: refusals, no damage, and reads go on.
    let mut sessions = Vec::new();
    let refused = loop {
        let seed = u8::try_from(sessions.len()).unwrap() + 1;
        let wallet = Wallet::one_click("acme", seed, seed);
        let reply = wallet
            .create_call(&wallet.create_request(&server))
            .send(&server)
            .await;
        if reply.status != 201 {
            break reply;
        }
        sessions.push((wallet.clone(), Session::of(&reply.ok())));
    };
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(sessions.len() > 5);
    for (wallet, session) in &sessions {
        let read: RecordResponse = wallet
            .session_call("GET", "/record", session)
            .send(&server)
            .await
            .ok();
        assert_eq!(read.record, wallet.record());
    }
    assert_eq!(call("GET", "/healthz").send(&server).await.status, 200);
}
