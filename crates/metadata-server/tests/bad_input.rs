//! Whatever is wrong with a request: a problem document with a stable code, and nothing changed in the databases.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

mod support;

use std::time::Duration;

use support::http::{Call, call};
use support::wallet::{Session, Wallet, factor, statement_at, upgraded};
use support::{AUDIENCE, NOW, Server, tenant};
use trefoil_protocol::bytes::{Blob, Envelope, Locator, SealedNonce, Signature};
use trefoil_protocol::policy::Level;
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::record::{Custody, MAX_ENVELOPE, MAX_PAYLOAD, SignedPayload};
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::statement::{SignedStatement, StatementBody};
use trefoil_protocol::wire::{DeleteRequest, IndexedEnvelope, KitRequest, LoginRequest, MAX_BODY};

/// Sends it and expects this refusal and the same databases before and after.
async fn refused(server: &Server, what: &str, call: &Call, code: Code) {
    let before = server.dump();
    let reply = call.send(server).await;
    assert!(
        reply.status >= 400,
        "{what}: accepted with {}",
        reply.status
    );
    let problem = reply.problem();
    assert_eq!(problem.code, code, "{what}: {problem}");
    assert_eq!(server.dump(), before, "{what}");
}

/// The same payload text with something replaced, signed again.
fn rewritten(wallet: &Wallet, from: &str, to: &str) -> SignedPayload {
    let text = String::from_utf8(wallet.record().payload.into_bytes()).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    let payload = text.replacen(from, to, 1).into_bytes();
    SignedPayload {
        signature: wallet.auth.sign("record", &payload),
        payload: Blob::new(payload),
    }
}

fn rewritten_statement(
    signed: &SignedStatement,
    signer: &AuthPrivateKey,
    from: &str,
    to: &str,
) -> SignedStatement {
    let text = String::from_utf8(signed.statement.as_bytes().to_vec()).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    let bytes = text.replacen(from, to, 1).into_bytes();
    SignedStatement {
        signature: signer.sign("statement", &bytes),
        statement: Blob::new(bytes),
    }
}

#[tokio::test]
async fn paths_methods_and_tenants() {
    let server = Server::start().await;
    let (_, wallet, session) = upgraded(&server, "acme", 1).await;
    let cases = [
        ("an unknown route", call("GET", "/v2/acme"), Code::NotFound),
        ("the root", call("GET", "/"), Code::NotFound),
        (
            "a trailing slash",
            call("POST", "/v1/acme/sessions/"),
            Code::NotFound,
        ),
        (
            "a method",
            call("GET", "/v1/acme/sessions"),
            Code::MethodNotAllowed,
        ),
        (
            "another method",
            wallet.session_call("PATCH", "/record", &session),
            Code::MethodNotAllowed,
        ),
        (
            "an unknown tenant",
            call("POST", "/v1/nobody/sessions").json(&()),
            Code::UnknownTenant,
        ),
        (
            "no tenant name",
            call("POST", "/v1/ACME/sessions").json(&()),
            Code::UnknownTenant,
        ),
        (
            "not UTF-8",
            call("POST", "/v1/%ff/sessions").json(&()),
            Code::MalformedRequest,
        ),
        (
            "no account id",
            call("GET", "/v1/acme/accounts/me/record").header("authorization", &session.0),
            Code::MalformedRequest,
        ),
    ];
    for (what, call, code) in cases {
        refused(&server, what, &call, code).await;
    }
    let reply = call("GET", "/v1/acme/sessions").send(&server).await;
    assert_eq!(reply.header("allow"), Some("POST"));
}

#[tokio::test]
async fn bodies() {
    let server = Server::start_with(
        |options| options,
        |config| config.body_timeout(Duration::from_millis(300)),
    )
    .await;
    let (_, wallet, session) = upgraded(&server, "acme", 1).await;
    let request = wallet.login_request(&[&wallet.factors[&1]], &server);
    let good = wallet.login_call(&request);
    let text = String::from_utf8(good.body.clone()).unwrap();
    let with = |body: &str| good.clone().raw(body.as_bytes().to_vec());
    let cases = [
        ("nothing", with(""), Code::MalformedRequest),
        ("no JSON", with("{"), Code::MalformedRequest),
        (
            "no UTF-8",
            good.clone().raw(vec![0xff; 40]),
            Code::MalformedRequest,
        ),
        ("another form", with("[]"), Code::MalformedRequest),
        (
            "something after it",
            with(&format!("{text}x")),
            Code::MalformedRequest,
        ),
        (
            "an unknown field",
            with(&text.replacen('{', "{\"more\":1,", 1)),
            Code::MalformedRequest,
        ),
        (
            "an unknown inner field",
            with(&text.replacen("{\"statement\"", "{\"more\":1,\"statement\"", 1)),
            Code::MalformedRequest,
        ),
        (
            "a field twice",
            with(&text.replacen('{', "{\"statements\":[],", 1)),
            Code::MalformedRequest,
        ),
        (
            "deep nesting",
            with(&"[".repeat(100_000)),
            Code::MalformedRequest,
        ),
        (
            "padding",
            with(&text.replacen("\",\"signature\"", "=\",\"signature\"", 1)),
            Code::MalformedRequest,
        ),
        (
            "another media type",
            good.clone()
                .without("content-type")
                .header("content-type", "text/plain"),
            Code::UnsupportedMediaType,
        ),
        (
            "no media type",
            good.clone().without("content-type"),
            Code::UnsupportedMediaType,
        ),
        (
            "too many bytes",
            with(&" ".repeat(MAX_BODY + 1)),
            Code::BodyTooLarge,
        ),
        (
            "a huge stated length",
            with("").header("content-length", "999999999999"),
            Code::BodyTooLarge,
        ),
        (
            "a body that never comes",
            with("{").header("content-length", "100"),
            Code::RequestTimeout,
        ),
        (
            "no statements",
            wallet.login_call(&LoginRequest { statements: vec![] }),
            Code::MalformedRequest,
        ),
        (
            "too many statements",
            wallet.login_call(&LoginRequest {
                statements: vec![request.statements[0].clone(); 17],
            }),
            Code::MalformedRequest,
        ),
    ];
    for (what, call, code) in cases {
        refused(&server, what, &call, code).await;
    }
    let chunk = format!(
        "{:x}\r\n{}\r\n0\r\n\r\n",
        MAX_BODY + 1,
        " ".repeat(MAX_BODY + 1)
    );
    let chunked = with(&chunk).header("transfer-encoding", "chunked");
    refused(
        &server,
        "too many bytes, length unstated",
        &chunked,
        Code::BodyTooLarge,
    )
    .await;

    let largest = format!("{text}{}", " ".repeat(MAX_BODY - text.len()));
    let media_type = with(&largest)
        .without("content-type")
        .header("content-type", "Application/JSON; charset=utf-8");
    assert_eq!(media_type.send(&server).await.status, 200);
    let _ = session;
}

#[tokio::test]
async fn statements() {
    let server = Server::start().await;
    let (_, wallet, _) = upgraded(&server, "acme", 1).await;
    let keys = &wallet.factors[&1];
    let good = wallet.login_request(&[keys], &server).statements.remove(0);
    let rewrite = |from: &str, to: &str| rewritten_statement(&good, keys.auth(), from, to);
    let at = |tenant_name: &str, time: u64| {
        statement_at(
            &tenant(tenant_name),
            StatementBody::Login {},
            keys.auth(),
            time,
        )
    };
    let other_key = AuthPrivateKey::from_seed(&[9; 32]);
    let mut flipped = *good.signature.as_bytes();
    flipped[40] ^= 1;
    let cases = [
        (
            "a flipped signature",
            SignedStatement {
                signature: Signature::from_bytes(flipped),
                ..good.clone()
            },
            Code::BadSignature,
        ),
        (
            "another signer",
            rewritten_statement(&good, &other_key, "acme", "acme"),
            Code::BadSignature,
        ),
        (
            "a signature for a record",
            SignedStatement {
                signature: keys.auth().sign("record", good.statement.as_bytes()),
                ..good.clone()
            },
            Code::BadSignature,
        ),
        ("too old", at("acme", NOW - 121), Code::StatementExpired),
        (
            "from the future",
            at("acme", NOW + 121),
            Code::StatementExpired,
        ),
        ("another tenant's", at("other", NOW), Code::WrongTenant),
        (
            "another server's",
            rewrite(AUDIENCE, "https://evil.example"),
            Code::WrongAudience,
        ),
        (
            "an unknown version",
            rewrite("\"version\":1", "\"version\":2"),
            Code::UnknownVersion,
        ),
        (
            "an unknown field",
            rewrite("{\"version\"", "{\"more\":1,\"version\""),
            Code::MalformedRequest,
        ),
        (
            "an unknown type",
            rewrite("\"login\"", "\"logout\""),
            Code::MalformedRequest,
        ),
        ("cut off", rewrite("}}", "}"), Code::MalformedRequest),
        (
            "too long",
            rewrite(
                "{\"version\"",
                &format!("{}{{\"version\"", " ".repeat(3000)),
            ),
            Code::MalformedRequest,
        ),
        (
            "of another type",
            wallet.statement(
                StatementBody::Kit {
                    account_id: wallet.id(),
                },
                keys.auth(),
                &server,
            ),
            Code::MalformedRequest,
        ),
        (
            "by a stranger",
            wallet.statement(StatementBody::Login {}, &other_key, &server),
            Code::NoAccount,
        ),
    ];
    for (what, statement, code) in cases {
        let call = wallet.login_call(&LoginRequest {
            statements: vec![statement.clone()],
        });
        refused(&server, what, &call, code).await;
        if code != Code::NoAccount {
            // One bad statement among good ones refuses them all.
            let fresh = wallet.login_request(&[keys], &server).statements.remove(0);
            let call = wallet.login_call(&LoginRequest {
                statements: vec![fresh, statement],
            });
            refused(&server, what, &call, code).await;
        }
    }
    let call = wallet.login_call(&LoginRequest {
        statements: vec![good.clone(), good.clone()],
    });
    refused(&server, "twice in one login", &call, Code::ReplayedRequest).await;
    let call = wallet.login_call(&LoginRequest {
        statements: vec![good],
    });
    assert_eq!(call.send(&server).await.status, 200);
    refused(&server, "replayed", &call, Code::ReplayedRequest).await;
    server.advance(120);
    refused(
        &server,
        "replayed at the last second",
        &call,
        Code::ReplayedRequest,
    )
    .await;
    server.advance(1);
    refused(
        &server,
        "replayed after the window",
        &call,
        Code::StatementExpired,
    )
    .await;

    let bob = Wallet::one_click("acme", 50, 50);
    bob.create(&server).await;
    let mixed =
        wallet.login_call(&wallet.login_request(&[&wallet.factors[&1], &bob.factors[&1]], &server));
    refused(&server, "two accounts", &mixed, Code::SeveralAccounts).await;
}

#[tokio::test]
async fn creations() {
    let server = Server::start().await;
    let (_, taken, _) = upgraded(&server, "acme", 1).await;
    let good = Wallet::one_click("acme", 50, 50);
    let base = good.create_request(&server);
    // A change to the wallet, signed by it.
    let changed = |change: &dyn Fn(&mut Wallet)| {
        let mut wallet = good.clone();
        change(&mut wallet);
        wallet.create_call(&wallet.create_request(&server))
    };
    let of_record = |record: SignedPayload| {
        let mut request = base.clone();
        let body = StatementBody::Create {
            payload_hash: record.hash(),
        };
        request.statement = good.statement(body, good.factors[&1].auth(), &server);
        request.record = record;
        good.create_call(&request)
    };
    let with = |change: &dyn Fn(&mut trefoil_protocol::wire::CreateRequest)| {
        let mut request = base.clone();
        change(&mut request);
        good.create_call(&request)
    };
    let create = StatementBody::Create {
        payload_hash: good.record().hash(),
    };
    let by_login = good.statement(StatementBody::Login {}, good.factors[&1].auth(), &server);
    let by_account = good.statement(create.clone(), &good.auth, &server);
    let by_stranger = good.statement(create, factor("acme", 60).auth(), &server);
    let other_record = Wallet::one_click("acme", 51, 50).record();
    let cases: Vec<(&str, Call, Code)> = vec![
        (
            "another statement type",
            with(&|r| r.statement = by_login.clone()),
            Code::MalformedRequest,
        ),
        (
            "signed by the account",
            with(&|r| r.statement = by_account.clone()),
            Code::WrongKey,
        ),
        (
            "signed by a stranger",
            with(&|r| r.statement = by_stranger.clone()),
            Code::WrongKey,
        ),
        (
            "a statement for another record",
            with(&|r| r.record = other_record.clone()),
            Code::BadRecord,
        ),
        (
            "a changed record",
            of_record(SignedPayload {
                signature: good.record().signature,
                ..rewritten(&good, "\"epoch\":", "\"epoch\":1")
            }),
            Code::BadSignature,
        ),
        (
            "a record signed by a factor",
            of_record(SignedPayload::sign(&good.payload, good.factors[&1].auth())),
            Code::BadSignature,
        ),
        (
            "an unknown record version",
            of_record(rewritten(&good, "\"version\":1", "\"version\":2")),
            Code::UnknownVersion,
        ),
        (
            "an unknown record field",
            of_record(rewritten(&good, "{\"version\"", "{\"more\":1,\"version\"")),
            Code::MalformedRequest,
        ),
        (
            "an unknown custody",
            of_record(rewritten(&good, "one_click", "two_click")),
            Code::MalformedRequest,
        ),
        (
            "a record cut off",
            of_record(rewritten(&good, "\"}", "")),
            Code::MalformedRequest,
        ),
        (
            "an over-long record",
            changed(&|w| w.payload.state = Blob::new(vec![0; MAX_PAYLOAD / 4 * 3])),
            Code::RecordTooLarge,
        ),
        (
            "another tenant's record",
            of_record({
                let payload = trefoil_protocol::record::Payload {
                    tenant: tenant("other"),
                    ..good.payload.clone()
                };
                SignedPayload::sign(&payload, &good.auth)
            }),
            Code::WrongTenant,
        ),
        (
            "revision 2",
            changed(&|w| {
                w.payload.revision = 2;
                w.payload.previous = Some(w.record().hash());
            }),
            Code::BadRecord,
        ),
        (
            "a previous record",
            changed(&|w| w.payload.previous = Some(w.record().hash())),
            Code::BadRecord,
        ),
        (
            "epoch 2",
            changed(&|w| w.payload.epoch = 2),
            Code::BadRecord,
        ),
        (
            "a restore",
            changed(&|w| w.payload.restore = true),
            Code::BadRecord,
        ),
        (
            "another account's id",
            changed(&|w| w.payload.account_id = taken.id()),
            Code::BadRecord,
        ),
        (
            "one-click with two factors",
            changed(&|w| {
                w.factors.insert(2, factor("acme", 61));
                w.seal_envelopes();
            }),
            Code::BadRecord,
        ),
        (
            "one-click without a nonce",
            changed(&|w| {
                w.payload.nonce_hash = None;
                w.nonce = None;
            }),
            Code::BadRecord,
        ),
        (
            "a proof for another account",
            changed(&|w| {
                w.payload.factors[0].proof = taken.payload.factors[0].proof;
            }),
            Code::BadRecord,
        ),
        (
            "a locator that is not the key's",
            changed(&|w| {
                w.payload.factors[0].locator = Locator::from_bytes([5; 32]);
            }),
            Code::BadRecord,
        ),
        (
            "guarded",
            changed(&|w| {
                w.payload.custody = Custody::Guarded;
                w.payload.threshold = 2;
                w.factors.insert(2, factor("acme", 61));
                w.factors.insert(3, factor("acme", 62));
                w.seal_envelopes();
            }),
            Code::AuthenticatorRequired,
        ),
        (
            "an authenticator demanded",
            changed(&|w| w.payload.policy.authenticator_required = true),
            Code::AuthenticatorRequired,
        ),
        (
            "2 of 2",
            changed(&|w| {
                w.payload.custody = Custody::SelfCustody;
                w.payload.threshold = 2;
                w.payload.nonce_hash = None;
                w.nonce = None;
                w.factors.insert(2, factor("acme", 61));
                w.seal_envelopes();
            }),
            Code::NoSpareFactor,
        ),
        (
            "no envelopes",
            with(&|r| r.envelopes.clear()),
            Code::BadEnvelopes,
        ),
        (
            "an envelope of another hash",
            with(&|r| r.envelopes[0].envelope = Envelope::new(vec![1; 178])),
            Code::BadEnvelopes,
        ),
        (
            "an envelope of another index",
            with(&|r| r.envelopes[0].index = 2),
            Code::BadEnvelopes,
        ),
        (
            "an envelope twice",
            with(&|r| r.envelopes.push(r.envelopes[0].clone())),
            Code::BadEnvelopes,
        ),
        (
            "an over-long envelope",
            changed(&|w| {
                let envelope = Envelope::new(vec![1; MAX_ENVELOPE + 1]);
                w.payload.factors[0].envelope_hash = envelope.hash();
                w.envelopes.insert(1, envelope);
            }),
            Code::BadEnvelopes,
        ),
        ("no nonce", with(&|r| r.sealed_nonce = None), Code::BadNonce),
        (
            "another nonce",
            with(&|r| r.sealed_nonce = Some(SealedNonce::new(vec![1; 73]))),
            Code::BadNonce,
        ),
        (
            "an over-long nonce",
            changed(&|w| {
                let nonce = SealedNonce::new(vec![1; 257]);
                w.payload.nonce_hash = Some(nonce.hash());
                w.nonce = Some(nonce);
            }),
            Code::BadNonce,
        ),
        (
            "a taken locator",
            {
                let thief = Wallet::one_click("acme", 52, 1);
                thief.create_call(&thief.create_request(&server))
            },
            Code::LocatorTaken,
        ),
        (
            "a key that has an account",
            {
                let again = Wallet::one_click("acme", 1, 70);
                again.create_call(&again.create_request(&server))
            },
            Code::AccountExists,
        ),
    ];
    for (what, call, code) in cases {
        refused(&server, what, &call, code).await;
    }
    let call = good.create_call(&base);
    assert_eq!(call.send(&server).await.status, 201);
    refused(&server, "a replayed creation", &call, Code::ReplayedRequest).await;
}

#[tokio::test]
async fn commits() {
    let server = Server::start().await;
    let (_, base, session) = upgraded(&server, "acme", 1).await;
    let other = Wallet::one_click("acme", 50, 50);
    let other_session = other.create(&server).await;
    let good = base.update(9);
    let changed = |change: &dyn Fn(&mut Wallet)| {
        let mut wallet = base.next();
        change(&mut wallet);
        // Whatever the change breaks, the envelopes come along.
        let mut request = wallet.commit_request(&base);
        request
            .envelopes
            .retain(|given| wallet.payload.factor(given.index).is_some());
        wallet
            .commit_call(&base, &session)
            .without("content-type")
            .json(&request)
    };
    let of_record = |record: SignedPayload| {
        let request = trefoil_protocol::wire::CommitRequest {
            record,
            ..good.commit_request(&base)
        };
        good.commit_call(&base, &session)
            .without("content-type")
            .json(&request)
    };
    let tag = |value: &str| {
        good.commit_call(&base, &session)
            .without("if-match")
            .header("if-match", value)
    };
    let refreshed = base.with_factors(&[(1, 1), (2, 2), (3, 3)]);
    let with_envelopes = |change: &dyn Fn(&mut Vec<IndexedEnvelope>)| {
        let mut request = refreshed.commit_request(&base);
        change(&mut request.envelopes);
        refreshed
            .commit_call(&base, &session)
            .without("content-type")
            .json(&request)
    };
    let with_nonce = |sealed: &SealedNonce| {
        let mut request = good.commit_request(&base);
        request.sealed_nonce = Some(sealed.clone());
        good.commit_call(&base, &session)
            .without("content-type")
            .json(&request)
    };
    let foreign = other.update(9);
    let cases: Vec<(&str, Call, Code)> = vec![
        (
            "no If-Match",
            good.commit_call(&base, &session).without("if-match"),
            Code::PreconditionRequired,
        ),
        ("any revision", tag("*"), Code::MalformedRequest),
        ("a bare number", tag("2"), Code::MalformedRequest),
        ("a weak tag", tag("W/\"2\""), Code::MalformedRequest),
        ("two tags", tag("\"2\", \"3\""), Code::MalformedRequest),
        (
            "two headers",
            tag("\"2\"").header("if-match", "\"3\""),
            Code::MalformedRequest,
        ),
        ("no number", tag("\"two\""), Code::MalformedRequest),
        ("a signed number", tag("\"+2\""), Code::MalformedRequest),
        ("an empty tag", tag("\"\""), Code::MalformedRequest),
        (
            "too large a number",
            tag("\"99999999999999999999\""),
            Code::MalformedRequest,
        ),
        ("an older revision", tag("\"1\""), Code::StaleRevision),
        ("a newer revision", tag("\"3\""), Code::StaleRevision),
        (
            "a changed record",
            of_record(SignedPayload {
                signature: good.record().signature,
                ..rewritten(&good, "\"epoch\":", "\"epoch\":1")
            }),
            Code::BadSignature,
        ),
        (
            "an unknown record version",
            of_record(rewritten(&good, "\"version\":1", "\"version\":9")),
            Code::UnknownVersion,
        ),
        (
            "an unknown record field",
            of_record(rewritten(&good, "{\"version\"", "{\"more\":1,\"version\"")),
            Code::MalformedRequest,
        ),
        (
            "another account's record",
            of_record(foreign.record()),
            Code::WrongAccountKey,
        ),
        (
            "another key's record of this account",
            of_record({
                let mut payload = good.payload.clone();
                payload.account_auth_key = other.auth.auth_key();
                SignedPayload::sign(&payload, &other.auth)
            }),
            Code::BadRecord,
        ),
        (
            "a revision left out",
            changed(&|w| w.payload.revision = 4),
            Code::WrongRevision,
        ),
        (
            "the same revision",
            changed(&|w| w.payload.revision = 2),
            Code::WrongRevision,
        ),
        (
            "the last revision there is",
            changed(&|w| w.payload.revision = u64::MAX),
            Code::WrongRevision,
        ),
        (
            "another previous",
            changed(&|w| w.payload.previous = Some(w.record().hash())),
            Code::WrongPrevious,
        ),
        (
            "a restore that goes back",
            changed(&|w| {
                w.payload.restore = true;
                w.payload.revision = 2;
            }),
            Code::WrongRevision,
        ),
        (
            "back to one-click",
            changed(&|w| {
                let nonce = SealedNonce::new(vec![7; 73]);
                w.payload.custody = Custody::OneClick;
                w.payload.threshold = 1;
                w.payload.epoch += 1;
                w.payload.nonce_hash = Some(nonce.hash());
                w.nonce = Some(nonce);
                w.factors.retain(|index, _| *index == 1);
                w.seal_envelopes();
            }),
            Code::CustodyReversed,
        ),
        (
            "guarded",
            changed(&|w| {
                let nonce = SealedNonce::new(vec![7; 73]);
                w.payload.custody = Custody::Guarded;
                w.payload.epoch += 1;
                w.payload.nonce_hash = Some(nonce.hash());
                w.nonce = Some(nonce);
                w.seal_envelopes();
            }),
            Code::AuthenticatorRequired,
        ),
        (
            "a removal within the epoch",
            changed(&|w| {
                w.payload.factors.remove(1);
            }),
            Code::WrongEpoch,
        ),
        (
            "an epoch left out",
            changed(&|w| {
                w.payload.epoch += 2;
                w.seal_envelopes();
            }),
            Code::WrongEpoch,
        ),
        (
            "another envelope hash within the epoch",
            changed(&|w| {
                w.payload.factors[0].envelope_hash = Envelope::new(vec![1]).hash();
            }),
            Code::EnvelopeHashMismatch,
        ),
        (
            "the old envelope hash in a new epoch",
            changed(&|w| w.payload.epoch += 1),
            Code::EnvelopeHashMismatch,
        ),
        (
            "a changed binding",
            changed(&|w| {
                w.payload.factors[0].binding = w.payload.factors[1].binding;
            }),
            Code::ChangedEntry,
        ),
        (
            "a new factor at an old index",
            changed(&|w| {
                w.factors = [
                    (1, factor("acme", 80)),
                    (2, factor("acme", 2)),
                    (3, factor("acme", 3)),
                ]
                .into();
                w.payload.epoch += 1;
                w.seal_envelopes();
            }),
            Code::ChangedEntry,
        ),
        (
            "a threshold of all factors",
            changed(&|w| {
                w.payload.threshold = 3;
                w.payload.epoch += 1;
                w.seal_envelopes();
            }),
            Code::NoSpareFactor,
        ),
        (
            "a threshold above all factors",
            changed(&|w| w.payload.threshold = 4),
            Code::BadRecord,
        ),
        (
            "an envelope missing",
            with_envelopes(&|envelopes| drop(envelopes.remove(1))),
            Code::BadEnvelopes,
        ),
        (
            "an envelope twice",
            with_envelopes(&|envelopes| envelopes.push(envelopes[0].clone())),
            Code::BadEnvelopes,
        ),
        (
            "envelopes of the epoch before",
            with_envelopes(&|envelopes| *envelopes = base.indexed()),
            Code::BadEnvelopes,
        ),
        (
            "an envelope for nobody",
            with_envelopes(&|envelopes| {
                envelopes.push(IndexedEnvelope {
                    index: 9,
                    envelope: Envelope::new(vec![1; 178]),
                });
            }),
            Code::BadEnvelopes,
        ),
        (
            "a nonce that the record does not name",
            with_nonce(&SealedNonce::new(vec![1; 73])),
            Code::BadNonce,
        ),
        (
            "a factor of another account",
            changed(&|w| {
                w.factors.insert(4, factor("acme", 50));
                w.payload.epoch += 1;
                w.seal_envelopes();
            }),
            Code::LocatorTaken,
        ),
        (
            "no session",
            good.commit_call(&base, &session).without("authorization"),
            Code::UnknownSession,
        ),
        (
            "another account's session",
            good.commit_call(&base, &other_session),
            Code::WrongSession,
        ),
    ];
    for (what, call, code) in cases {
        refused(&server, what, &call, code).await;
    }
    let stale = tag("\"1\"").send(&server).await.problem();
    assert_eq!(stale.revision, Some(2));
    assert_eq!(good.commit(&base, &session, &server).await.status, 200);
}

#[tokio::test]
async fn one_click_nonces() {
    let server = Server::start().await;
    let base = Wallet::one_click("acme", 1, 1);
    let session = base.create(&server).await;
    let mut replaced = base.next();
    let nonce = SealedNonce::new(vec![7; 73]);
    replaced.payload.nonce_hash = Some(nonce.hash());
    replaced.nonce = Some(nonce);
    let mut request = replaced.commit_request(&base);
    request.sealed_nonce = None;
    let call = replaced
        .commit_call(&base, &session)
        .without("content-type")
        .json(&request);
    refused(&server, "a nonce that was not sent", &call, Code::BadNonce).await;
    request.sealed_nonce = base.nonce.clone();
    let call = replaced
        .commit_call(&base, &session)
        .without("content-type")
        .json(&request);
    refused(&server, "the old nonce", &call, Code::BadNonce).await;
    assert_eq!(replaced.commit(&base, &session, &server).await.status, 200);
    let nonces: Vec<_> = server
        .dump()
        .into_iter()
        .filter(|row| row.starts_with("nonces "))
        .collect();
    assert_eq!(nonces.len(), 1);
    assert_eq!(
        replaced.login(&[1], &server).await.0.sealed_nonce,
        replaced.nonce
    );
    assert_eq!(replaced.payload.policy.nonce_release, Level::Primary);
}

#[tokio::test]
async fn sessions_kits_and_deletions() {
    let server = Server::start().await;
    let (_, wallet, session) = upgraded(&server, "acme", 1).await;
    let other = Wallet::one_click("acme", 50, 50);
    let other_session = other.create(&server).await;
    let elsewhere = Wallet::one_click("other", 1, 1);
    let elsewhere_session = elsewhere.create(&server).await;
    let routes = |session: &Session| {
        vec![
            wallet.session_call("GET", "/record", session),
            wallet.session_call("GET", "/events", session),
            wallet.session_call("POST", "/nonce", session),
            wallet.kit_call(session, &server),
            wallet.delete_call(session, &server),
            wallet.update(9).commit_call(&wallet, session),
        ]
    };
    let text = |text: &str| Session(text.to_owned());
    let token = session.0.strip_prefix("Bearer ").unwrap();
    let cases = [
        ("no scheme", text(token), Code::UnknownSession),
        (
            "another scheme",
            text(&format!("Basic {token}")),
            Code::UnknownSession,
        ),
        ("a short token", text("Bearer AAAA"), Code::UnknownSession),
        (
            "an unknown token",
            text(&format!("Bearer {}", "A".repeat(43))),
            Code::UnknownSession,
        ),
        ("another tenant's", elsewhere_session, Code::UnknownSession),
        ("another account's", other_session, Code::WrongSession),
    ];
    for (what, session, code) in &cases {
        for call in routes(session) {
            refused(&server, what, &call, *code).await;
        }
    }
    for call in routes(&session) {
        refused(
            &server,
            "no session",
            &call.without("authorization"),
            Code::UnknownSession,
        )
        .await;
    }

    let sign =
        |body: StatementBody, signer: &AuthPrivateKey| wallet.statement(body, signer, &server);
    let kit = |statement: SignedStatement| {
        wallet
            .session_call("POST", "/kit", &session)
            .json(&KitRequest { statement })
    };
    let delete = |statement: SignedStatement| {
        wallet
            .session_call("DELETE", "", &session)
            .json(&DeleteRequest { statement })
    };
    let kit_body = StatementBody::Kit {
        account_id: wallet.id(),
    };
    let delete_body = StatementBody::Delete {
        account_id: wallet.id(),
    };
    let factor_key = wallet.factors[&1].auth();
    let cases = [
        (
            "a kit for a factor",
            kit(sign(kit_body.clone(), factor_key)),
            Code::WrongKey,
        ),
        (
            "a kit for another account's key",
            kit(sign(kit_body.clone(), &other.auth)),
            Code::WrongKey,
        ),
        (
            "a kit of another account",
            kit(sign(
                StatementBody::Kit {
                    account_id: other.id(),
                },
                &wallet.auth,
            )),
            Code::WrongKey,
        ),
        (
            "a kit by a deletion",
            kit(sign(delete_body.clone(), &wallet.auth)),
            Code::MalformedRequest,
        ),
        (
            "a deletion by a factor",
            delete(sign(delete_body.clone(), factor_key)),
            Code::WrongKey,
        ),
        (
            "a deletion by another account",
            delete(sign(delete_body.clone(), &other.auth)),
            Code::WrongKey,
        ),
        (
            "a deletion by a kit",
            delete(sign(kit_body, &wallet.auth)),
            Code::MalformedRequest,
        ),
        (
            "a deletion long ago",
            delete(statement_at(
                wallet.tenant(),
                delete_body,
                &wallet.auth,
                NOW - 200,
            )),
            Code::StatementExpired,
        ),
    ];
    for (what, call, code) in cases {
        refused(&server, what, &call, code).await;
    }
    let call = wallet.kit_call(&session, &server);
    assert_eq!(call.send(&server).await.status, 200);
    refused(&server, "a replayed kit", &call, Code::ReplayedRequest).await;
    let (_, fresh) = other.login(&[1], &server).await;
    let call = other.delete_call(&fresh, &server);
    assert_eq!(call.send(&server).await.status, 204);
    refused(&server, "a replayed deletion", &call, Code::ReplayedRequest).await;
}
