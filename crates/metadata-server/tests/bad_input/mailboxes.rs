//! Mailboxes.

use trefoil_protocol::bytes::{Blob, MailboxId};
use trefoil_protocol::pairing::{
    CreateMailboxRequest, MAILBOX_SECONDS, MAX_MESSAGE, MailboxResponse, PutMessageRequest, Role,
};
use trefoil_protocol::problem::ProblemCode as Code;

use crate::refused;
use crate::support::Server;
use crate::support::http::{Call, call};
use crate::support::wallet::{Session, Wallet};

fn id(number: u8) -> MailboxId {
    MailboxId::from_bytes([number; 16])
}

fn blob(text: &str) -> Blob {
    Blob::new(text.as_bytes().to_vec())
}

fn make(wallet: &Wallet, session: &Session, number: u8, text: &str) -> Call {
    let path = format!("/mailboxes/{}", id(number));
    let message = blob(text);
    wallet
        .session_call("PUT", &path, session)
        .json(&CreateMailboxRequest { message })
}

fn path(number: u8, place: &str) -> String {
    format!("/v1/acme/mailboxes/{}{place}", id(number))
}

fn put(number: u8, place: &str, text: &str) -> Call {
    let message = blob(text);
    call("PUT", &path(number, place)).json(&PutMessageRequest { message })
}

async fn accepted(server: &Server, call: &Call) {
    let reply = call.send(server).await;
    assert!(reply.status < 300, "{}", reply.status);
}

#[tokio::test]
async fn mailboxes() {
    let server = Server::start().await;
    let wallet = Wallet::one_click("acme", 1, 1);
    let session = wallet.create(&server).await;
    let other = Wallet::one_click("acme", 2, 2);
    let other_session = other.create(&server).await;
    let read = call("GET", &path(1, ""));
    let close = call("DELETE", &path(1, ""));

    refused(&server, "none yet", &read, Code::NoMailbox).await;
    refused(&server, "closing none", &close, Code::NoMailbox).await;
    refused(
        &server,
        "a message to none",
        &put(1, "/new/1", "x"),
        Code::NoMailbox,
    )
    .await;
    let good = make(&wallet, &session, 1, "first");
    for (what, call, code) in [
        (
            "no session",
            good.clone().without("authorization"),
            Code::UnknownSession,
        ),
        (
            "another account's session",
            make(&wallet, &other_session, 1, "first"),
            Code::WrongSession,
        ),
        (
            "no JSON",
            good.clone().without("content-type"),
            Code::UnsupportedMediaType,
        ),
        (
            "an unknown field",
            good.clone().raw(br#"{"message":"AAAA","more":1}"#.to_vec()),
            Code::MalformedRequest,
        ),
        (
            "no message",
            good.clone().raw(b"{}".to_vec()),
            Code::MalformedRequest,
        ),
        (
            "a message that is no base64url",
            good.clone().raw(br#"{"message":"A+=="}"#.to_vec()),
            Code::MalformedRequest,
        ),
        (
            "cut off",
            good.clone().raw(br#"{"message":"AA"#.to_vec()),
            Code::MalformedRequest,
        ),
        (
            "too long",
            make(&wallet, &session, 1, &"x".repeat(MAX_MESSAGE + 1)),
            Code::MailboxFull,
        ),
        (
            "a short id",
            wallet
                .session_call("PUT", "/mailboxes/AAAA", &session)
                .json(&CreateMailboxRequest { message: blob("x") }),
            Code::MalformedRequest,
        ),
        (
            "another method",
            wallet.session_call("POST", &format!("/mailboxes/{}", id(1)), &session),
            Code::MethodNotAllowed,
        ),
    ] {
        refused(&server, what, &call, code).await;
    }

    accepted(&server, &good).await;
    refused(
        &server,
        "other bytes",
        &make(&wallet, &session, 1, "second"),
        Code::MailboxTaken,
    )
    .await;
    refused(
        &server,
        "by another account",
        &make(&other, &other_session, 1, "first"),
        Code::MailboxTaken,
    )
    .await;
    for place in [
        "/new/0", "/new/4", "/new/01", "/new/x", "/both/1", "/new/256",
    ] {
        refused(&server, place, &put(1, place, "x"), Code::MalformedRequest).await;
    }
    refused(
        &server,
        "a commitment once more",
        &put(1, "/old/1", "x"),
        Code::MailboxTaken,
    )
    .await;
    refused(
        &server,
        "a long message",
        &put(1, "/new/1", &"x".repeat(MAX_MESSAGE + 1)),
        Code::MailboxFull,
    )
    .await;
    accepted(&server, &put(1, "/new/1", "mine")).await;
    accepted(&server, &put(1, "/new/1", "mine")).await;
    refused(
        &server,
        "other bytes at a place",
        &put(1, "/new/1", "theirs"),
        Code::MailboxTaken,
    )
    .await;
    let elsewhere = call("GET", &path(1, "").replace("acme", "other"));
    refused(&server, "in another tenant", &elsewhere, Code::NoMailbox).await;
    let nowhere = call("GET", &path(1, "").replace("acme", "nobody"));
    refused(&server, "in no tenant", &nowhere, Code::UnknownTenant).await;

    let mailbox: MailboxResponse = read.send(&server).await.ok();
    assert_eq!(mailbox.expires, server.now() + MAILBOX_SECONDS);
    let held: Vec<_> = mailbox
        .messages
        .iter()
        .map(|held| (held.role, held.step, held.message.clone()))
        .collect();
    assert_eq!(
        held,
        [(Role::Old, 1, blob("first")), (Role::New, 1, blob("mine"))]
    );

    accepted(&server, &close).await;
    accepted(&server, &close).await;
    for (what, call) in [
        ("reading", read.clone()),
        ("putting", put(1, "/new/2", "x")),
        ("making", good.clone()),
    ] {
        refused(&server, what, &call, Code::MailboxClosed).await;
    }

    accepted(&server, &make(&wallet, &session, 2, "first")).await;
    server.advance(MAILBOX_SECONDS + 1);
    let late = put(2, "/new/1", "late");
    refused(&server, "too late", &late, Code::MailboxExpired).await;
    let read = call("GET", &path(2, ""));
    assert_eq!(read.send(&server).await.code(), Code::MailboxExpired);
    assert!(
        !server
            .dump()
            .iter()
            .any(|row| row.contains("open=Integer(1)")),
        "erased at the latest when somebody asks"
    );
}

#[tokio::test]
async fn too_many_mailboxes() {
    let server = Server::start().await;
    let wallet = Wallet::one_click("acme", 1, 1);
    let session = wallet.create(&server).await;
    for number in 0..8 {
        accepted(&server, &make(&wallet, &session, number, "x")).await;
    }
    refused(
        &server,
        "one too many",
        &make(&wallet, &session, 8, "x"),
        Code::TooManyMailboxes,
    )
    .await;
}
