//! Retries, clock offset and the meaning of refusals, against a scripted server.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tokio::time::Instant;
use trefoil_protocol::bytes::{AccountId, Blob, Envelope, SealedNonce};
use trefoil_protocol::factor::{FactorKeys, FactorSecret};
use trefoil_protocol::policy::Policy;
use trefoil_protocol::problem::{Problem, ProblemCode};
use trefoil_protocol::record::{Custody, FactorEntry, Payload, SignedPayload, VerifiedRecord};
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::statement::{SignedStatement, Statement, StatementBody};
use trefoil_protocol::tenant::Tenant;
use trefoil_protocol::wire::{
    CommitRequest, CreateRequest, IndexedEnvelope, LoginRequest, LoginResponse, SessionGrant,
    SessionToken,
};

mod mailbox;

use super::*;
use crate::environment::Clock;
use crate::transport::{Request, Response, TransportError};

const NOW: u64 = 1_795_392_000;

struct FixedClock;

impl Clock for FixedClock {
    fn unix_time(&self) -> u64 {
        NOW
    }
}

type Reply = Result<Response, TransportError>;

/// Answers in the order of the script, then hangs; keeps what was sent.
#[derive(Default)]
struct Script {
    replies: Mutex<VecDeque<Reply>>,
    sent: Mutex<Vec<Request>>,
}

impl Transport for Script {
    fn send(&self, request: Request) -> BoxFuture<'_, Reply> {
        self.sent.lock().unwrap().push(request);
        let reply = self.replies.lock().unwrap().pop_front();
        Box::pin(async move {
            match reply {
                Some(reply) => reply,
                None => core::future::pending().await,
            }
        })
    }
}

fn scripted(replies: impl IntoIterator<Item = Reply>) -> (MetadataClient, Arc<Script>) {
    let script = Arc::new(Script {
        replies: Mutex::new(replies.into_iter().collect()),
        ..Script::default()
    });
    let environment = Environment::new(FixedClock, ChaCha20Rng::seed_from_u64(1));
    let transport: Arc<dyn Transport> = Arc::<Script>::clone(&script);
    let client = MetadataClient::new(
        transport,
        "https://meta.example/wallets/",
        tenant(),
        environment,
    )
    .unwrap();
    (client, script)
}

fn tenant() -> Tenant {
    Tenant::new("acme").unwrap()
}

fn factor() -> FactorKeys {
    FactorKeys::derive(&tenant(), &FactorSecret::from_bytes([5; 32]))
}

fn record() -> VerifiedRecord {
    let auth = AuthPrivateKey::from_seed(&[9; 32]);
    let account_id = AccountId::of(&auth.auth_key());
    let envelope = Envelope::new(vec![1; 40]);
    let payload = Payload {
        version: 1,
        tenant: tenant(),
        account_id,
        account_auth_key: auth.auth_key(),
        revision: 1,
        previous: None,
        epoch: 1,
        restore: false,
        custody: Custody::OneClick,
        threshold: 1,
        reset_key: auth.auth_key(),
        policy: Policy::default(),
        nonce_hash: Some(SealedNonce::new(vec![2; 73]).hash()),
        factors: vec![FactorEntry::new(
            1,
            &factor().enrol(&account_id, &auth.auth_key()),
            envelope.hash(),
        )],
        state: Blob::new(vec![3; 512]),
        vault: Blob::new(vec![4; 64]),
    };
    SignedPayload::sign(&payload, &auth)
        .verify(&tenant())
        .unwrap()
}

fn commit_request(envelopes: Vec<IndexedEnvelope>) -> CommitRequest {
    CommitRequest {
        record: record().signed().clone(),
        envelopes,
        sealed_nonce: None,
        guess_lists: Vec::new(),
    }
}

fn login_response() -> LoginResponse {
    LoginResponse {
        account_id: record().account_id,
        record: record().signed().clone(),
        envelopes: vec![IndexedEnvelope {
            index: 1,
            envelope: Envelope::new(vec![1; 40]),
        }],
        sealed_nonce: Some(SealedNonce::new(vec![2; 73])),
        session: SessionGrant {
            token: SessionToken::from_bytes([7; 32]),
            expires: NOW + 900,
        },
        logins: 1,
        unknown: vec![],
        removed: vec![],
        server_time: NOW,
    }
}

fn reply(status: u16, body: impl Into<Bytes>) -> Reply {
    Ok(Response {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: body.into(),
    })
}

fn good() -> Reply {
    reply(200, serde_json::to_vec(&login_response()).unwrap())
}

fn problem(code: ProblemCode) -> Reply {
    expired_at(code, None)
}

fn expired_at(code: ProblemCode, server_time: Option<u64>) -> Reply {
    let document = Problem {
        server_time,
        ..Problem::from(code)
    };
    reply(code.status(), serde_json::to_vec(&document).unwrap())
}

fn cut() -> Reply {
    Err(TransportError::Interrupted {
        host: "meta.example:443".into(),
        source: "cut".into(),
    })
}

fn unreachable() -> Reply {
    Err(TransportError::Unreachable {
        host: "meta.example:443".into(),
        source: "no route".into(),
    })
}

fn statement(signed: &SignedStatement) -> Statement {
    serde_json::from_slice(signed.statement.as_bytes()).unwrap()
}

fn login_statement(request: &Request) -> Statement {
    let body: LoginRequest = serde_json::from_slice(&request.body).unwrap();
    statement(&body.statements[0])
}

#[tokio::test(start_paused = true)]
async fn a_cut_login_is_sent_again_with_a_fresh_request_id() {
    let (client, script) = scripted([cut(), unreachable(), good()]);
    let response = client.login(&[factor().auth()]).await.unwrap();
    assert_eq!(response, login_response());
    let sent = script.sent.lock().unwrap();
    assert_eq!(sent.len(), 3);
    let ids: std::collections::BTreeSet<_> = sent
        .iter()
        .map(|request| *login_statement(request).request_id.as_bytes())
        .collect();
    assert_eq!(ids.len(), 3);
    for request in sent.iter() {
        assert_eq!(
            request.url.as_str(),
            "https://meta.example/wallets/v1/acme/sessions"
        );
        assert_eq!(request.method, Method::POST);
        let said = login_statement(request);
        assert_eq!(
            (said.aud.as_str(), said.time),
            ("https://meta.example/wallets", NOW)
        );
        assert_eq!(said.key, factor().auth_key());
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_and_time_are_bounded() {
    let (client, script) = scripted([unreachable(), unreachable(), unreachable(), good()]);
    match client.login(&[factor().auth()]).await.unwrap_err() {
        LoginError::Offline(offline) => {
            assert!(!offline.may_have_arrived && offline.retry_after.is_none())
        }
        other => panic!("{other}"),
    }
    assert_eq!(script.sent.lock().unwrap().len(), 3);

    let (client, script) = scripted([cut()]);
    let started = Instant::now();
    match client.login(&[factor().auth()]).await.unwrap_err() {
        LoginError::Offline(offline) => assert!(offline.may_have_arrived),
        other => panic!("{other}"),
    }
    assert_eq!(started.elapsed().as_secs(), 20);
    assert_eq!(script.sent.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_wait_that_the_server_asks_for_is_kept() {
    let busy = |seconds: &'static str| {
        let mut response = problem(ProblemCode::TooManyRequests).unwrap();
        response
            .headers
            .insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
        Ok(response)
    };
    let (client, _) = scripted([busy("7"), good()]);
    let started = Instant::now();
    client.login(&[factor().auth()]).await.unwrap();
    assert_eq!(started.elapsed().as_secs(), 7);

    // Longer than the whole call may take: told to the caller at once.
    let (client, script) = scripted([busy("3600"), good()]);
    let started = Instant::now();
    match client.login(&[factor().auth()]).await.unwrap_err() {
        LoginError::Offline(offline) => {
            assert_eq!(offline.retry_after, Some(Duration::from_secs(3600)));
            assert!(!offline.may_have_arrived);
        }
        other => panic!("{other}"),
    }
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(script.sent.lock().unwrap().len(), 1);

    // Unreadable and huge values are not waited for, nor do they overflow.
    for value in [
        "soon",
        "-1",
        "18446744073709551615",
        "99999999999999999999999",
    ] {
        let (client, _) = scripted([busy(value), busy(value), busy(value)]);
        assert!(matches!(
            client.login(&[factor().auth()]).await,
            Err(LoginError::Offline(_))
        ));
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_named_in_the_problem_alone_is_kept_too() {
    let document = Problem {
        retry_after: Some(3600),
        ..Problem::from(ProblemCode::TooManyRequests)
    };
    let (client, _) = scripted([reply(429, serde_json::to_vec(&document).unwrap())]);
    match client.login(&[factor().auth()]).await.unwrap_err() {
        LoginError::Offline(offline) => {
            assert_eq!(offline.retry_after, Some(Duration::from_secs(3600)));
        }
        other => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_inside_the_server_leaves_open_whether_it_acted() {
    let fault = || problem(ProblemCode::Internal);
    let (client, _) = scripted([fault(), fault(), fault()]);
    match client.login(&[factor().auth()]).await.unwrap_err() {
        LoginError::Offline(offline) => assert!(offline.may_have_arrived),
        other => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_servers_time_is_taken_over_once() {
    let expired = || expired_at(ProblemCode::StatementExpired, Some(NOW + 5000));
    let (client, script) = scripted([expired(), good(), good()]);
    client.login(&[factor().auth()]).await.unwrap();
    client.login(&[factor().auth()]).await.unwrap();
    let times: Vec<u64> = script
        .sent
        .lock()
        .unwrap()
        .iter()
        .map(|request| login_statement(request).time)
        .collect();
    assert_eq!(times, [NOW, NOW + 5000, NOW + 5000]);
    assert_eq!(client.server_time(), NOW + 5000);

    let (client, script) = scripted([expired(), expired(), good()]);
    assert!(matches!(
        client.login(&[factor().auth()]).await,
        Err(LoginError::ClockWrong { server_time: Some(time) }) if time == NOW + 5000
    ));
    assert_eq!(script.sent.lock().unwrap().len(), 2);
}

/// A server that wants statements for a day on which it can be another's.
#[tokio::test(start_paused = true)]
async fn a_server_gets_no_statements_for_another_day() {
    const DAY: u64 = 24 * 60 * 60;
    for far in [NOW + 365 * DAY, NOW + DAY + 1, NOW - DAY - 1, 0, u64::MAX] {
        let expired = || expired_at(ProblemCode::StatementExpired, Some(far));
        let (client, script) = scripted([expired(), expired(), good(), good()]);
        for _ in 0..2 {
            let error = client.login(&[factor().auth()]).await.unwrap_err();
            assert!(
                matches!(error, LoginError::ClockWrong { server_time: Some(time) } if time == far),
                "{far}: {error}"
            );
            assert_eq!(error.kind(), ErrorKind::ClockWrong);
        }
        client.login(&[factor().auth()]).await.unwrap();
        let sent = script.sent.lock().unwrap();
        let times: Vec<u64> = sent
            .iter()
            .map(|request| login_statement(request).time)
            .collect();
        assert_eq!(times, [NOW; 3], "{far}");
    }
    // Nor by small steps: each is taken from this device's clock.
    let step = |steps: u64| expired_at(ProblemCode::StatementExpired, Some(NOW + steps * DAY));
    let (client, script) = scripted([step(1), good(), step(2), good()]);
    client.login(&[factor().auth()]).await.unwrap();
    client.login(&[factor().auth()]).await.unwrap_err();
    assert_eq!(client.server_time(), NOW + DAY);
    assert_eq!(script.sent.lock().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn server_faults_are_passing_and_broken_answers_are_not() {
    for fault in [
        reply(500, "oops"),
        reply(502, ""),
        problem(ProblemCode::Unavailable),
    ] {
        let (client, script) = scripted([fault, good()]);
        client.login(&[factor().auth()]).await.unwrap();
        assert_eq!(script.sent.lock().unwrap().len(), 2);
    }
    let trailing = [
        serde_json::to_vec(&login_response()).unwrap(),
        b"x".to_vec(),
    ]
    .concat();
    let mut value = serde_json::to_value(login_response()).unwrap();
    value["extra"] = 1.into();
    let mut cut_off = serde_json::to_vec(&login_response()).unwrap();
    cut_off.pop();
    for answer in [
        reply(200, "<html>"),
        reply(200, ""),
        reply(200, trailing),
        reply(200, cut_off),
        reply(200, value.to_string()),
        reply(204, ""),
        reply(302, ""),
        reply(404, "not found"),
        reply(401, r#"{"code":"no_such_code"}"#),
        Err(TransportError::TooLarge {
            host: "meta.example:443".into(),
            limit: 1,
        }),
    ] {
        let (client, script) = scripted([answer, good()]);
        let error = client.login(&[factor().auth()]).await.unwrap_err();
        assert!(matches!(error, LoginError::ServerMisbehaved(_)), "{error}");
        assert_eq!(script.sent.lock().unwrap().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeated_create_has_the_same_record_and_a_fresh_statement() {
    let (client, script) = scripted([cut(), problem(ProblemCode::ReplayedRequest), good()]);
    let envelopes = login_response().envelopes;
    let nonce = login_response().sealed_nonce;
    client
        .create(factor().auth(), &record(), &envelopes, nonce.as_ref())
        .await
        .unwrap();
    let sent = script.sent.lock().unwrap();
    let bodies: Vec<CreateRequest> = sent
        .iter()
        .map(|request| serde_json::from_slice(&request.body).unwrap())
        .collect();
    assert_eq!(bodies.len(), 3);
    for (at, body) in bodies.iter().enumerate() {
        assert_eq!(sent[at].url.path(), "/wallets/v1/acme/accounts");
        assert_eq!(
            (&body.record, &body.envelopes, &body.sealed_nonce),
            (record().signed(), &envelopes, &nonce)
        );
        assert_eq!(
            statement(&body.statement).body,
            StatementBody::Create {
                payload_hash: record().hash()
            }
        );
    }
    assert_ne!(
        statement(&bodies[0].statement).request_id,
        statement(&bodies[1].statement).request_id
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_about_another_account_is_refused() {
    let other = LoginResponse {
        account_id: AccountId::from_bytes([1; 16]),
        ..login_response()
    };
    let (client, _) = scripted([reply(201, serde_json::to_vec(&other).unwrap())]);
    let error = client
        .create(factor().auth(), &record(), &[], None)
        .await
        .unwrap_err();
    assert!(
        matches!(error, CreateError::ServerMisbehaved(Misbehaviour::Mismatch)),
        "{error}"
    );

    let session = Session::of(&login_response());
    let (client, _) = scripted([reply(200, r#"{"revision":3,"actions":[]}"#)]);
    let error = client
        .commit(&session, 1, &record(), &commit_request(Vec::new()))
        .await
        .unwrap_err();
    assert!(
        matches!(error, CommitError::ServerMisbehaved(Misbehaviour::Mismatch)),
        "{error}"
    );

    let (client, script) = scripted([]);
    assert!(
        client
            .commit(
                &Session::of(&other),
                1,
                &record(),
                &commit_request(Vec::new())
            )
            .await
            .is_err()
    );
    assert!(script.sent.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_repeated_commit_is_byte_for_byte_the_same() {
    let (client, script) = scripted([cut(), reply(200, r#"{"revision":1,"actions":["refresh"]}"#)]);
    let session = Session::of(&login_response());
    client
        .commit(
            &session,
            41,
            &record(),
            &commit_request(login_response().envelopes),
        )
        .await
        .unwrap();
    let sent = script.sent.lock().unwrap();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].body, sent[1].body);
    assert_eq!(sent[0].headers, sent[1].headers);
    assert_eq!(sent[0].headers[header::IF_MATCH], "\"41\"");
    let authorization = &sent[0].headers[header::AUTHORIZATION];
    assert_eq!(
        *authorization,
        format!(
            "Bearer {}",
            *SessionToken::from_bytes([7; 32]).expose_text()
        )
    );
    assert!(authorization.is_sensitive());
    assert_eq!(
        sent[0].url.path(),
        format!("/wallets/v1/acme/accounts/{}/record", record().account_id)
    );
    let body: CommitRequest = serde_json::from_slice(&sent[0].body).unwrap();
    assert_eq!(body.record, *record().signed());
    assert!(
        !format!("{session:?}{:?}", sent[0])
            .contains(&*SessionToken::from_bytes([7; 32]).expose_text())
    );
}

#[tokio::test(start_paused = true)]
async fn refusals_mean_what_the_caller_can_do() {
    use ProblemCode as Code;
    let factor = factor();
    let session = Session::of(&login_response());
    let account = AuthPrivateKey::from_seed(&[9; 32]);

    macro_rules! refused {
        ($code:expr, $call:ident ( $($argument:expr),* ), $expected:pat) => {
            let (client, script) = scripted([problem($code)]);
            let error = client.$call($($argument),*).await.unwrap_err();
            assert!(matches!(error, $expected), "{}: {error:?}", $code);
            assert_eq!(script.sent.lock().unwrap().len(), 1);
        };
    }

    refused!(
        Code::NoAccount,
        login(&[factor.auth()]),
        LoginError::NoAccount
    );
    refused!(
        Code::FactorRemoved,
        login(&[factor.auth()]),
        LoginError::FactorRemoved
    );
    refused!(
        Code::SeveralAccounts,
        login(&[factor.auth()]),
        LoginError::SeveralAccounts
    );
    refused!(
        Code::StatementExpired,
        login(&[factor.auth()]),
        LoginError::ClockWrong { server_time: None }
    );
    refused!(
        Code::WrongAudience,
        login(&[factor.auth()]),
        LoginError::Refused(_)
    );
    refused!(
        Code::LocatorTaken,
        create(factor.auth(), &record(), &[], None),
        CreateError::LocatorTaken
    );
    refused!(
        Code::AccountExists,
        create(factor.auth(), &record(), &[], None),
        CreateError::AccountExists
    );
    refused!(
        Code::AccountDeleted,
        create(factor.auth(), &record(), &[], None),
        CreateError::AccountDeleted
    );
    refused!(
        Code::BadRecord,
        create(factor.auth(), &record(), &[], None),
        CreateError::Refused(_)
    );
    refused!(
        Code::StaleRevision,
        commit(&session, 1, &record(), &commit_request(Vec::new())),
        CommitError::Stale { .. }
    );
    refused!(
        Code::UnknownSession,
        commit(&session, 1, &record(), &commit_request(Vec::new())),
        CommitError::SessionEnded
    );
    refused!(
        Code::LocatorTaken,
        commit(&session, 1, &record(), &commit_request(Vec::new())),
        CommitError::LocatorTaken
    );
    refused!(
        Code::LevelTooLow,
        commit(&session, 1, &record(), &commit_request(Vec::new())),
        CommitError::LevelTooLow
    );
    refused!(
        Code::WrongEpoch,
        commit(&session, 1, &record(), &commit_request(Vec::new())),
        CommitError::Refused(_)
    );
    refused!(
        Code::UnknownSession,
        read(&session),
        ReadError::SessionEnded
    );
    refused!(Code::AccountDeleted, read(&session), ReadError::Gone);
    refused!(Code::NoNonce, nonce(&session), NonceError::NoNonce);
    refused!(Code::LevelTooLow, nonce(&session), NonceError::LevelTooLow);
    refused!(
        Code::UnknownSession,
        kit(&session, &account),
        KitError::SessionEnded
    );
    refused!(
        Code::WrongKey,
        kit(&session, &account),
        KitError::Refused(_)
    );
    refused!(
        Code::UnknownSession,
        delete(&session, &account),
        DeleteError::SessionEnded
    );
    refused!(
        Code::UnknownSession,
        events(&session),
        EventsError::SessionEnded
    );

    let (client, _) = scripted([problem(Code::AccountDeleted)]);
    client.delete(&session, &account).await.unwrap();
    let (client, _) = scripted([reply(
        200,
        r#"{"events":[],"head":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#,
    )]);
    assert!(matches!(
        client.events(&session).await,
        Err(EventsError::Broken(_))
    ));
}

#[tokio::test]
async fn addresses_are_checked_before_anything_is_sent() {
    let make = |base: &str| {
        MetadataClient::new(
            Arc::new(Script::default()),
            base,
            tenant(),
            Environment::system(),
        )
    };
    for bad in [
        "meta.example",
        "",
        "http://meta.example",
        "ftp://meta.example",
        "https://user@meta.example",
        "https://:password@meta.example",
        "https://meta.example/?x",
        "https://meta.example/#x",
        "data:text/plain,hi",
    ] {
        assert!(make(bad).is_err(), "{bad}");
    }
    for (base, audience, login) in [
        (
            "https://Meta.Example",
            "https://meta.example",
            "https://meta.example/v1/acme/sessions",
        ),
        (
            "https://meta.example:443/",
            "https://meta.example",
            "https://meta.example/v1/acme/sessions",
        ),
        (
            "http://127.0.0.1:8080",
            "http://127.0.0.1:8080",
            "http://127.0.0.1:8080/v1/acme/sessions",
        ),
        (
            "https://meta.example/a/b//",
            "https://meta.example/a/b",
            "https://meta.example/a/b/v1/acme/sessions",
        ),
    ] {
        let client = make(base).unwrap();
        assert_eq!(client.audience(), audience);
        assert_eq!(client.url(["sessions"]).as_str(), login);
    }
}
