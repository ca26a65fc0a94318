//! Mailboxes.

use std::sync::Arc;

use trefoil_protocol::bytes::{Blob, MailboxId};
use trefoil_protocol::pairing::{MAILBOX_SECONDS, MAX_MESSAGE, Role};

use super::Backend;
use super::fixture::{
    NOW, Owner, SESSION, assert_erased, assert_held, login, statement, tenant, token,
};
use crate::error::StoreError;
use crate::mailbox_store::{
    MAILBOXES_KEPT, MAILBOXES_OPEN, MailboxPlace, MailboxStore, NewMailbox, PutMessage,
};
use crate::model::Caller;
use crate::store::MetadataStore;

fn blob(text: &str) -> Blob {
    Blob::new(text.as_bytes().to_vec())
}

fn new(caller: &Caller, id: u8, text: &str) -> NewMailbox {
    NewMailbox {
        caller: caller.clone(),
        id: MailboxId::from_bytes([id; 16]),
        expires: caller.now + MAILBOX_SECONDS,
        message: blob(text),
    }
}

fn place(id: u8, now: u64) -> MailboxPlace {
    MailboxPlace {
        tenant: tenant("acme"),
        id: MailboxId::from_bytes([id; 16]),
        now,
    }
}

fn message(id: u8, role: Role, step: u8, text: &str) -> PutMessage {
    PutMessage {
        mailbox: place(id, NOW),
        role,
        step,
        message: blob(text),
    }
}

/// Every place is filled once; the same again changes nothing.
pub async fn a_mailbox_takes_each_message_once<B: Backend>(backend: &B) {
    let store = backend.open();
    let caller = Owner::new("acme", "alice").create(&store).await;
    let error = store.read_mailbox(place(1, NOW)).await.unwrap_err();
    assert!(matches!(error, StoreError::NoMailbox), "{error}");
    let early = store.put_message(message(1, Role::New, 1, "early")).await;
    assert!(matches!(early, Err(StoreError::NoMailbox)), "{early:?}");

    let made = store
        .create_mailbox(new(&caller, 1, "old 1"))
        .await
        .unwrap();
    assert_eq!(made.expires, NOW + MAILBOX_SECONDS);
    for (role, step) in [
        (Role::New, 1),
        (Role::Old, 2),
        (Role::New, 2),
        (Role::Old, 3),
        (Role::New, 3),
    ] {
        let text = format!("{} {step}", role.as_str());
        for _ in 0..2 {
            store
                .put_message(message(1, role, step, &text))
                .await
                .unwrap();
        }
        let other = store.put_message(message(1, role, step, "other")).await;
        assert!(matches!(other, Err(StoreError::MailboxTaken)), "{other:?}");
    }
    let other = store.put_message(message(1, Role::Old, 1, "other")).await;
    assert!(matches!(other, Err(StoreError::MailboxTaken)), "{other:?}");
    let read = store.read_mailbox(place(1, NOW)).await.unwrap();
    let texts: Vec<Blob> = read
        .messages
        .iter()
        .map(|held| held.message.clone())
        .collect();
    assert_eq!(
        texts,
        ["old 1", "old 2", "old 3", "new 1", "new 2", "new 3"].map(blob)
    );

    for (role, step) in [(Role::Old, 0), (Role::New, 4), (Role::New, 255)] {
        let none = store.put_message(message(1, role, step, "x")).await;
        assert!(matches!(none, Err(StoreError::MailboxFull)), "{none:?}");
    }
    store.create_mailbox(new(&caller, 2, "x")).await.unwrap();
    let largest = "x".repeat(MAX_MESSAGE);
    store
        .put_message(message(2, Role::New, 1, &largest))
        .await
        .unwrap();
    let long = format!("{largest}x");
    let refused = store.put_message(message(2, Role::New, 2, &long)).await;
    assert!(
        matches!(refused, Err(StoreError::MailboxFull)),
        "{refused:?}"
    );
    let refused = store.create_mailbox(new(&caller, 3, &long)).await;
    assert!(
        matches!(refused, Err(StoreError::MailboxFull)),
        "{refused:?}"
    );
    // Of another tenant there is none under the name.
    let elsewhere = MailboxPlace {
        tenant: tenant("other"),
        ..place(1, NOW)
    };
    let error = store.read_mailbox(elsewhere).await.unwrap_err();
    assert!(matches!(error, StoreError::NoMailbox), "{error}");
    drop(store);
    // What was acknowledged is there after a restart.
    let read_again = backend.open().read_mailbox(place(1, NOW)).await.unwrap();
    assert_eq!(read_again, read);
}

/// Strangers make none, and nobody makes another's again.
pub async fn a_mailbox_is_made_in_a_session_and_once<B: Backend>(backend: &B) {
    let store = backend.open();
    let (alice, bob) = (Owner::new("acme", "alice"), Owner::new("acme", "bob"));
    let caller = alice.create(&store).await;
    let other = bob.create(&store).await;
    let nobody = alice.caller(token(), NOW);
    let error = store
        .create_mailbox(new(&nobody, 1, "x"))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::UnknownSession), "{error}");
    let foreign = Caller {
        account_id: bob.account_id,
        ..caller.clone()
    };
    let error = store
        .create_mailbox(new(&foreign, 1, "x"))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::ForeignSession), "{error}");
    let late = Caller {
        now: NOW + SESSION + 1,
        ..caller.clone()
    };
    let error = store.create_mailbox(new(&late, 1, "x")).await.unwrap_err();
    assert!(matches!(error, StoreError::ExpiredSession), "{error}");
    let error = store.read_mailbox(place(1, NOW)).await.unwrap_err();
    assert!(matches!(error, StoreError::NoMailbox), "{error}");

    store.create_mailbox(new(&caller, 1, "x")).await.unwrap();
    store
        .put_message(message(1, Role::New, 1, "y"))
        .await
        .unwrap();
    let again = store.create_mailbox(new(&caller, 1, "x")).await.unwrap();
    assert_eq!(again.messages.len(), 2, "the same mailbox, not a new one");
    for taken in [new(&caller, 1, "other"), new(&other, 1, "x")] {
        let error = store.create_mailbox(taken).await.unwrap_err();
        assert!(matches!(error, StoreError::MailboxTaken), "{error}");
    }
}

/// Nothing is left of a mailbox whose time is over, and its name is not used again.
pub async fn an_expired_mailbox_is_erased<B: Backend>(backend: &B) {
    let store = backend.open();
    let alice = Owner::new("acme", "alice");
    let caller = alice.create(&store).await;
    let secret = "a sealed message that is long enough to be found";
    store
        .create_mailbox(new(&caller, 1, "first"))
        .await
        .unwrap();
    store
        .put_message(message(1, Role::New, 1, secret))
        .await
        .unwrap();
    assert_held(backend.record_bytes(), secret.as_bytes());
    let end = NOW + MAILBOX_SECONDS;
    store.read_mailbox(place(1, end)).await.unwrap();
    let error = store.read_mailbox(place(1, end + 1)).await.unwrap_err();
    assert!(matches!(error, StoreError::MailboxExpired), "{error}");
    assert_erased(|| backend.record_bytes(), secret.as_bytes()).await;
    let late = PutMessage {
        mailbox: place(1, end + 1),
        ..message(1, Role::New, 2, "late")
    };
    let error = store.put_message(late).await.unwrap_err();
    assert!(matches!(error, StoreError::MailboxExpired), "{error}");
    let later = Caller {
        now: end + 1,
        ..caller.clone()
    };
    let error = store
        .create_mailbox(new(&later, 1, "first"))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::MailboxExpired), "{error}");
    store.close_mailbox(place(1, end + 1)).await.unwrap();
    // Nobody reads it: whoever logs in next has it erased.
    store.create_mailbox(new(&later, 2, secret)).await.unwrap();
    assert_held(backend.record_bytes(), secret.as_bytes());
    let much_later = end + 2 + MAILBOX_SECONDS;
    login(&store, "acme", &["alice social"], much_later)
        .await
        .unwrap();
    assert_erased(|| backend.record_bytes(), secret.as_bytes()).await;
}

/// Used once.
pub async fn a_closed_mailbox_is_erased_and_never_opened_again<B: Backend>(backend: &B) {
    let store = backend.open();
    let caller = Owner::new("acme", "alice").create(&store).await;
    let error = store.close_mailbox(place(1, NOW)).await.unwrap_err();
    assert!(matches!(error, StoreError::NoMailbox), "{error}");
    let secret = "a sealed message that is long enough to be found";
    store.create_mailbox(new(&caller, 1, secret)).await.unwrap();
    assert_held(backend.record_bytes(), secret.as_bytes());
    for _ in 0..2 {
        store.close_mailbox(place(1, NOW)).await.unwrap();
    }
    assert_erased(|| backend.record_bytes(), secret.as_bytes()).await;
    let read = store.read_mailbox(place(1, NOW)).await.map(drop);
    let put = store.put_message(message(1, Role::New, 1, "x")).await;
    let made = store
        .create_mailbox(new(&caller, 1, secret))
        .await
        .map(drop);
    for refused in [read, put, made] {
        assert!(
            matches!(refused, Err(StoreError::MailboxClosed)),
            "{refused:?}"
        );
    }
}

/// So that no account fills the store.
pub async fn an_account_has_so_many_mailboxes<B: Backend>(backend: &B) {
    let store = backend.open();
    let caller = Owner::new("acme", "alice").create(&store).await;
    let id = |number: u64| u8::try_from(number).unwrap();
    for number in 0..MAILBOXES_OPEN {
        store
            .create_mailbox(new(&caller, id(number), "x"))
            .await
            .unwrap();
    }
    let error = store.create_mailbox(new(&caller, 99, "x")).await;
    assert!(matches!(error, Err(StoreError::TooManyMailboxes)));
    // One more for each that is closed, up to so many.
    store.close_mailbox(place(0, NOW)).await.unwrap();
    for number in MAILBOXES_OPEN..MAILBOXES_KEPT {
        store
            .create_mailbox(new(&caller, id(number), "x"))
            .await
            .unwrap();
        store.close_mailbox(place(id(number), NOW)).await.unwrap();
    }
    let error = store.create_mailbox(new(&caller, 99, "x")).await;
    assert!(matches!(error, Err(StoreError::TooManyMailboxes)));
    // Another account is not kept from it, nor this one later.
    let bob = Owner::new("acme", "bob").create(&store).await;
    store.create_mailbox(new(&bob, 99, "x")).await.unwrap();
    let much_later = NOW + 10 * SESSION;
    let (_, later) = login(&store, "acme", &["alice social"], much_later)
        .await
        .unwrap();
    for _ in 0..3 {
        login(&store, "acme", &["alice social"], much_later)
            .await
            .unwrap();
    }
    store.create_mailbox(new(&later, 100, "x")).await.unwrap();
}

/// With the account goes what it was about to say.
pub async fn deletion_closes_the_mailboxes<B: Backend>(backend: &B) {
    let store = backend.open();
    let caller = Owner::new("acme", "alice").create(&store).await;
    store.create_mailbox(new(&caller, 1, "x")).await.unwrap();
    store
        .delete_account(caller.clone(), statement(NOW))
        .await
        .unwrap();
    let error = store.read_mailbox(place(1, NOW)).await.unwrap_err();
    assert!(matches!(error, StoreError::MailboxClosed), "{error}");
}

/// Two who put different messages at one place: one of them is told.
pub async fn one_of_many_puts_wins_a_place<B: Backend>(backend: &B) {
    let store = Arc::new(backend.open());
    let caller = Owner::new("acme", "alice").create(&*store).await;
    store.create_mailbox(new(&caller, 1, "x")).await.unwrap();
    let puts = (0..16).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let text = format!("message {number}");
            store
                .put_message(message(1, Role::New, 1, &text))
                .await
                .map(|()| text)
        })
    });
    let mut won = Vec::new();
    for put in puts.collect::<Vec<_>>() {
        match put.await.unwrap() {
            Ok(text) => won.push(text),
            Err(error) => assert!(matches!(error, StoreError::MailboxTaken), "{error}"),
        }
    }
    assert_eq!(won.len(), 1);
    let read = store.read_mailbox(place(1, NOW)).await.unwrap();
    assert_eq!(read.messages[1].message, blob(&won[0]));
}
