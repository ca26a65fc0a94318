//! Mailboxes are watched: what is waited out, and what is not.

use trefoil_protocol::bytes::MailboxId;
use trefoil_protocol::pairing::{MailboxMessage, MailboxResponse, Role, Step};

use super::*;

const ID: MailboxId = MailboxId::from_bytes([7; 16]);

fn mailbox(messages: &[(Role, u8, &str)]) -> Reply {
    let message = |(role, step, text): &(Role, u8, &str)| MailboxMessage {
        role: *role,
        step: *step,
        message: Blob::new(text.as_bytes().to_vec()),
    };
    let content = MailboxResponse {
        expires: NOW + 600,
        messages: messages.iter().map(message).collect(),
    };
    reply(200, serde_json::to_vec(&content).unwrap())
}

async fn watch(
    client: &MetadataClient,
    seconds: u64,
    not_yet_made: bool,
) -> Result<Blob, MailboxError> {
    let limit = Duration::from_secs(seconds);
    client
        .watch_mailbox(ID, limit, not_yet_made, |content| {
            content.message(Step::OldReveal).cloned()
        })
        .await
}

#[tokio::test(start_paused = true)]
async fn a_message_is_waited_for() {
    let (client, script) = scripted([
        problem(ProblemCode::NoMailbox),
        mailbox(&[(Role::Old, 1, "a")]),
        mailbox(&[(Role::Old, 1, "a"), (Role::New, 2, "b")]),
        mailbox(&[(Role::Old, 1, "a"), (Role::Old, 2, "c")]),
    ]);
    let found = watch(&client, 60, true).await.unwrap();
    assert_eq!(found.as_bytes(), b"c");
    let sent = script.sent.lock().unwrap();
    assert_eq!(sent.len(), 4);
    assert!(sent.iter().all(|request| {
        request.method == Method::GET
            && request.url.path() == format!("/wallets/v1/acme/mailboxes/{ID}")
            && !request.headers.contains_key(header::AUTHORIZATION)
    }));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_waited_for_longer_than_the_limit() {
    let (client, _) = scripted((0..100).map(|_| mailbox(&[(Role::Old, 1, "a")])));
    let started = Instant::now();
    let error = watch(&client, 20, false).await.unwrap_err();
    assert!(matches!(error, MailboxError::NobodyThere), "{error}");
    assert!(started.elapsed() <= Duration::from_secs(20));
    assert!(started.elapsed() >= Duration::from_secs(18));
}

#[tokio::test(start_paused = true)]
async fn ends_are_told_at_once() {
    for (code, told) in [
        (ProblemCode::MailboxClosed, "is over"),
        (ProblemCode::MailboxExpired, "has expired"),
        (ProblemCode::NoMailbox, "no such request"),
    ] {
        let (client, script) = scripted([problem(code)]);
        let error = watch(&client, 60, false).await.unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
        assert_eq!(script.sent.lock().unwrap().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_gone_for_a_while_is_waited_out() {
    let broken = || {
        Err(TransportError::TimedOut {
            host: "meta.example:443".into(),
        })
    };
    let mut replies: Vec<Reply> = (0..7).map(|_| broken()).collect();
    replies.push(mailbox(&[(Role::Old, 2, "c")]));
    let (client, _) = scripted(replies);
    assert_eq!(watch(&client, 60, false).await.unwrap().as_bytes(), b"c");
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_another_form_is_misbehaviour() {
    let (client, _) = scripted([reply(200, r#"["x"]"#)]);
    let error = watch(&client, 60, false).await.unwrap_err();
    assert!(
        matches!(error, MailboxError::ServerMisbehaved(_)),
        "{error}"
    );
}
