//! Short-lived ciphertexts between devices. One file per route.
//!
//! Making a mailbox takes a session, so that strangers cannot fill the server; afterwards whoever knows its name takes part.
//! The name is a hash of a secret that this server never sees, and every message protects itself.

pub(super) mod close;
pub(super) mod create;
pub(super) mod put;
pub(super) mod read;

use trefoil_protocol::pairing::{MailboxMessage, MailboxResponse};
use trefoil_store::{StoredMailbox, StoredMessage};

fn response(mailbox: StoredMailbox) -> MailboxResponse {
    let messages = mailbox.messages.into_iter();
    let message = |held: StoredMessage| MailboxMessage {
        role: held.role,
        step: held.step,
        message: held.message,
    };
    MailboxResponse {
        expires: mailbox.expires,
        messages: messages.map(message).collect(),
    }
}
