//! A server, or whoever else stands between two devices, that relays, swaps, replays, invents.

use trefoil::{PairError, PairingError};
use trefoil_client::metadata::MailboxError;
use trefoil_protocol::pairing::{MailboxResponse, Role};
use trefoil_testkit::servers::World;

use crate::support::{Device, scanned, waiting};

/// Who shows the owner a code of its own instead of the new device's, and answers the new device with an account of its
/// own: it gets as far as the digits, and they differ.
#[tokio::test]
async fn a_relay_gets_other_digits() {
    let world = World::start().await.unwrap();
    let (laptop, phone, attackers) = (
        Device::new(&world),
        Device::new(&world),
        Device::new(&world),
    );
    let mut account = laptop.two_of_three(&world, "alice").await;
    let mut mallorys = attackers.two_of_three(&world, "mallory").await;
    for _ in 0..3 {
        let honest = phone.app.request_device("phone").unwrap();
        let swapped = attackers.app.request_device("phone").unwrap();
        let (to_attacker, shown) = (scanned(honest.code()), scanned(swapped.code()));
        let (new, relayed) = (waiting(honest), waiting(swapped));
        let (towards_new, approval) = tokio::join!(
            mallorys.approve_device(&to_attacker, "Alice"),
            account.approve_device(&shown, "Alice"),
        );
        let (towards_new, approval) = (towards_new.unwrap(), approval.unwrap());
        let (new, relayed) = (new.await.unwrap().unwrap(), relayed.await.unwrap().unwrap());
        assert_eq!(approval.digits(), relayed.digits());
        assert_ne!(approval.digits(), new.digits());
        drop((towards_new, relayed));
        // The users see it and say so; nothing was enrolled.
        new.deny().await;
        approval.deny().await;
    }
    assert_eq!(account.factors().len(), 3);
}

/// What a lying server makes of a mailbox's content.
type Lie = fn(&mut MailboxResponse);

/// A side's own first words, given back as the other's.
fn reflect(mailbox: &mut MailboxResponse) {
    let first = |of: Role| {
        let held = mailbox.messages.iter();
        let mut held = held.filter(|held| (held.role, held.step) == (of, 1));
        held.next().map(|held| held.message.clone())
    };
    let (old, new) = (first(Role::Old), first(Role::New));
    for (role, step, words) in [
        (Role::New, 1, old.clone()),
        (Role::New, 2, old),
        (Role::Old, 2, new.clone()),
        (Role::Old, 3, new),
    ] {
        let Some(message) = words else { continue };
        mailbox
            .messages
            .retain(|held| (held.role, held.step) != (role, step));
        let held = trefoil_protocol::pairing::MailboxMessage {
            role,
            step,
            message,
        };
        mailbox.messages.push(held);
    }
}

fn flip(mailbox: &mut MailboxResponse) {
    for held in &mut mailbox.messages {
        let mut bytes = held.message.as_bytes().to_vec();
        bytes[30] ^= 1;
        held.message = trefoil_protocol::bytes::Blob::new(bytes);
    }
}

/// The first message in every place: what was said earlier, said again.
fn replay(mailbox: &mut MailboxResponse) {
    let Some(first) = mailbox.messages.first().cloned() else {
        return;
    };
    for (role, step) in [
        (Role::New, 1),
        (Role::New, 2),
        (Role::Old, 2),
        (Role::Old, 3),
    ] {
        mailbox
            .messages
            .retain(|held| (held.role, held.step) != (role, step));
        mailbox
            .messages
            .push(trefoil_protocol::pairing::MailboxMessage {
                role,
                step,
                message: first.message.clone(),
            });
    }
}

/// A server that changes what it hands out enrols nobody: one side finds out and says so, the other is told.
#[tokio::test]
async fn a_server_that_changes_messages_is_found_out() {
    let world = World::start().await.unwrap();
    let lies: [Lie; 3] = [reflect, flip, replay];
    let laptop = Device::new(&world);
    let mut account = laptop.two_of_three(&world, "alice").await;
    for (number, lie) in lies.into_iter().enumerate() {
        for to_old in [false, true] {
            let phone = Device::new(&world);
            let liar = if to_old { &laptop } else { &phone };
            liar.faults.reset();
            liar.faults.alter(
                |request| request.method == "GET" && request.url.path().contains("/mailboxes/"),
                move |_, mut answer| {
                    if let Ok(mut mailbox) = serde_json::from_slice(&answer.body) {
                        lie(&mut mailbox);
                        answer.body = serde_json::to_vec(&mailbox).unwrap().into();
                    }
                    answer
                },
            );
            let request = phone.app.request_device("phone").unwrap();
            let code = scanned(request.code());
            let new = waiting(request);
            let old = tokio::time::timeout(
                std::time::Duration::from_secs(10),
                account.approve_device(&code, "Alice"),
            );
            let old = old.await;
            let found_out = match (&old, to_old) {
                (Ok(Err(PairError::Pairing(error))), _) => *error,
                // The new side was lied to and has found out; the old side is not told before it asks.
                (_, false) => match new.await.unwrap() {
                    Err(PairError::Pairing(error)) => error,
                    other => panic!("lie {number} to the new side: {other:?}"),
                },
                other => panic!("lie {number} to the old side: {other:?}"),
            };
            assert!(
                matches!(
                    found_out,
                    PairingError::Sealed | PairingError::Failed | PairingError::Malformed
                ),
                "{found_out}"
            );
            drop(old);
            laptop.faults.reset();
        }
    }
    let opened = laptop.open(&world, "alice").await;
    assert_eq!(opened.factors().len(), 3);
}

/// A server that says "done" by closing, or makes up answers, is believed in nothing: the new device looks for itself.
#[tokio::test]
async fn a_server_cannot_say_that_it_is_done() {
    let world = World::start().await.unwrap();
    let (laptop, phone) = (Device::new(&world), Device::new(&world));
    let mut account = laptop.two_of_three(&world, "alice").await;
    let request = phone.app.request_device("phone").unwrap();
    let code = scanned(request.code());
    let new = waiting(request);
    let approval = account.approve_device(&code, "Alice").await.unwrap();
    let comparing = new.await.unwrap().unwrap();
    // The server gives the old side's earlier message as the outcome.
    phone.faults.alter(
        |request| request.method == "GET" && request.url.path().contains("/mailboxes/"),
        |_, mut answer| {
            if let Ok(mut mailbox) = serde_json::from_slice(&answer.body) {
                replay(&mut mailbox);
                answer.body = serde_json::to_vec(&mailbox).unwrap().into();
            }
            answer
        },
    );
    let refused = comparing.confirm().await.unwrap_err();
    assert!(
        matches!(refused, PairError::Pairing(PairingError::Sealed)),
        "{refused}"
    );
    drop(approval);
    assert_eq!(account.factors().len(), 3);
}

/// Whoever learns a mailbox's name (the server, say) can at most spoil it.
#[tokio::test]
async fn who_closes_a_mailbox_only_ends_the_pairing() {
    let world = World::start().await.unwrap();
    let (laptop, phone) = (Device::new(&world), Device::new(&world));
    let mut account = laptop.two_of_three(&world, "alice").await;
    let request = phone.app.request_device("phone").unwrap();
    let code = scanned(request.code());
    let new = waiting(request);
    let approval = account.approve_device(&code, "Alice").await.unwrap();
    let comparing = new.await.unwrap().unwrap();
    let transport = trefoil::HttpTransport::new().unwrap();
    let id = trefoil_protocol::pairing::Mailbox::of(&code).id();
    let url = format!("{}/v1/acme/mailboxes/{id}", world.metadata_url());
    let close = trefoil_client::Request::new("DELETE".parse().unwrap(), url.parse().unwrap());
    let closed = trefoil::Transport::send(&transport, close).await.unwrap();
    assert_eq!(closed.status, 204);
    let new = comparing.confirm().await.unwrap_err();
    assert!(
        matches!(new, PairError::Mailbox(MailboxError::Closed)),
        "{new}"
    );
    let old = approval.confirm().await.unwrap_err();
    assert!(
        matches!(old, PairError::Mailbox(MailboxError::Closed)),
        "{old}"
    );
}
