//! What gets into the log at its most talkative: no token, no locator, no account, nothing sealed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};

use support::Server;
use support::http::call;
use support::slot::{TestSlot, attempt, guess_key};
use support::wallet::{Session, upgraded};
use trefoil_protocol::bytes::Blob;
use trefoil_protocol::guess::{GuessAnswer, UnlockTag};
use trefoil_protocol::wire::LoginResponse;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The only test of this file: the subscriber is the whole process's.
#[tokio::test]
async fn nothing_that_names_or_opens_an_account_is_logged() {
    let lines = Lines::default();
    let writer = lines.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();

    let server = Server::start_with(|options| options.max_bytes(200 * 1024), |config| config).await;
    let (first, second, session) = upgraded(&server, "acme", 1).await;
    let reply = second.try_login(&[2], &server).await;
    let login: LoginResponse = reply.ok();
    let other = Session::of(&login);
    let mut names = vec![
        second.id().to_string(),
        session.0.replace("Bearer ", ""),
        other.0.replace("Bearer ", ""),
        serde_json::to_string(&first.nonce)
            .unwrap()
            .replace('"', ""),
    ];
    for entry in &second.payload.factors {
        names.push(entry.locator.to_string());
        names.push(entry.auth_key.to_string());
        names.push(
            serde_json::to_string(&second.envelopes[&entry.index])
                .unwrap()
                .replace('"', ""),
        );
    }
    for (method, path) in [
        ("GET", "/record"),
        ("GET", "/events"),
        ("POST", "/nonce"),
        ("PATCH", "/record"),
    ] {
        second
            .session_call(method, path, &other)
            .send(&server)
            .await;
    }
    second.update(9).commit(&second, &session, &server).await;
    second.update(8).commit(&second, &session, &server).await;
    call("GET", &format!("/{}", second.id()))
        .send(&server)
        .await;
    let slot = TestSlot::new(7, &[1]);
    slot.enrol(&second, &session, &server).await;
    let guessed = attempt();
    let answer: GuessAnswer = slot.guess(1, guessed, &server).await.ok();
    slot.guess_call(2, &slot.a_guess(guessed, server.now()))
        .send(&server)
        .await;
    slot.unlock(1, guessed, &server).await;
    slot.delete_call(&slot.deletion()).send(&server).await;
    let tag = UnlockTag::of(&slot.secret, &slot.id, 0);
    for name in [
        serde_json::to_string(&Blob::new(slot.share.clone())).unwrap(),
        serde_json::to_string(&tag).unwrap(),
        serde_json::to_string(&answer.evaluation).unwrap(),
        serde_json::to_string(&guess_key(1).auth_key()).unwrap(),
        slot.id.to_string(),
    ] {
        names.push(name.replace('"', ""));
    }
    // Also what the store has to say when it fails.
    let mut filled = false;
    for seed in 10..200 {
        let wallet = support::wallet::Wallet::one_click("acme", seed, seed);
        names.push(wallet.id().to_string());
        names.push(wallet.payload.factors[0].locator.to_string());
        if wallet
            .create_call(&wallet.create_request(&server))
            .send(&server)
            .await
            .status
            == 503
        {
            filled = true;
            break;
        }
    }
    assert!(filled);

    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(
        text.contains("route=\"/v1/{tenant}/accounts/{account}/record\""),
        "{text}"
    );
    assert!(
        text.contains("route=\"/v1/{tenant}/slots/{slot}/guess\""),
        "{text}"
    );
    assert!(
        text.contains("status=412") && text.contains("the store is full"),
        "{text}"
    );
    let mut failures = text
        .lines()
        .filter(|line| line.contains(": the store failed"));
    assert!(failures.clone().next().is_some());
    assert!(
        failures.all(|line| line.contains("request_id=")),
        "nobody can tell whose request it was: {text}"
    );
    for name in names {
        assert!(!text.contains(&name), "{name} is in the log");
    }
}
