//! Section 8, device to device: two devices that have nothing in common but a code that one shows and the other reads, and
//! a mailbox at a server that neither trusts.
//!
//! | step | from | what |
//! | --- | --- | --- |
//! | code | new side | mailbox secret, commitment, purpose |
//! | 1 | old side | its commitment |
//! | 1 | new side | what it committed to |
//! | 2 | old side | what it committed to; now both show six digits, and their users compare |
//! | 2 | new side | binding and proof of its factor, once its user has said that the digits are the same |
//! | 3 | old side | the outcome, once its user has said so too |
//! | 3 | either | an end instead: denied, cancelled, failed |
//!
//! The *new side* shows the code; the *old side* reads it, has a session and makes the mailbox. Each side opens what it
//! committed to only when it holds the other's commitment, so whoever sits between them, the server included, has fixed
//! both halves of its lie before it learns any of what the digits come from: it is found out but for one chance in a million.
//! Every type offers only what may come next, so that no app can leave out the comparison.

mod code;
mod error;
mod lent;
mod mailbox;
mod message;
mod new_side;
mod old_side;
mod reveal;
mod short_string;
#[cfg(test)]
mod tests;
mod wire;

pub use code::{CodeError, MailboxSecret, Purpose, RequestCode};
pub use error::PairingError;
pub use lent::LentShare;
pub use mailbox::Mailbox;
pub use message::{End, Outcome, Role, Step};
pub use new_side::{NewComparing, NewConfirmed, NewRevealed, NewSide};
pub use old_side::{OldApproved, OldComparing, OldSide};
pub use reveal::{NewReveal, OldReveal, PublicFactor};
pub use short_string::ShortString;
pub use wire::{
    CreateMailboxRequest, MAILBOX_SECONDS, MAX_MESSAGE, MailboxMessage, MailboxResponse,
    PutMessageRequest,
};
