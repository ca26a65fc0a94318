//! The trait that a store of mailboxes implements (protocol section 8, device to device).

use trefoil_protocol::bytes::{AccountId, Blob, MailboxId};
use trefoil_protocol::pairing::{MAX_MESSAGE, Role};
use trefoil_protocol::tenant::Tenant;

use crate::error::StoreError;
use crate::model::Caller;
use crate::store::StoreFuture;

/// Mailboxes that an account may have open at a time.
pub const MAILBOXES_OPEN: u64 = 8;
/// Mailboxes of an account that are remembered at a time, closed ones included.
pub const MAILBOXES_KEPT: u64 = 64;

/// For how long the name of a mailbox that is over is remembered, in seconds.
pub(crate) const NAME_KEPT: u64 = 3600;
/// The places in the order of their columns.
pub(crate) const PLACES: [(Role, u8); 6] = [
    (Role::Old, 1),
    (Role::Old, 2),
    (Role::Old, 3),
    (Role::New, 1),
    (Role::New, 2),
    (Role::New, 3),
];

/// A mailbox to make.
#[derive(Debug, Clone)]
pub struct NewMailbox {
    /// In whose session.
    pub caller: Caller,
    /// Under which name.
    pub id: MailboxId,
    /// Last second (unix) at which it is open.
    pub expires: u64,
    /// The old side's first message.
    pub message: Blob,
}

/// Whoever knows a mailbox's name.
#[derive(Debug, Clone)]
pub struct MailboxPlace {
    /// Name space.
    pub tenant: Tenant,
    /// Which one.
    pub id: MailboxId,
    /// Unix seconds.
    pub now: u64,
}

/// A message to put.
#[derive(Debug, Clone)]
pub struct PutMessage {
    /// Where.
    pub mailbox: MailboxPlace,
    /// Whose.
    pub role: Role,
    /// Its number among that side's, from 1.
    pub step: u8,
    /// The message, sealed.
    pub message: Blob,
}

/// A mailbox as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMailbox {
    /// Last second (unix) at which it is open.
    pub expires: u64,
    /// All messages so far: the old side's, then the new side's, by step.
    pub messages: Vec<StoredMessage>,
}

/// A message of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// Whose.
    pub role: Role,
    /// Its number among that side's, from 1.
    pub step: u8,
    /// The message, sealed.
    pub message: Blob,
}

/// Short-lived ciphertexts between devices. A mailbox has one place for each step of each side, and a place is filled once.
///
/// A closed or expired mailbox's messages are erased; that it was there is remembered for a while, so that its name is not
/// used again. Whoever knows the name may read, put and close: the messages protect themselves. Messages are at most
/// [`MAX_MESSAGE`](trefoil_protocol::pairing::MAX_MESSAGE) bytes long.
///
/// Every back end must pass the suite that the feature `conformance` exports.
pub trait MailboxStore: Send + Sync + 'static {
    /// Makes a mailbox. The same again by the same account changes nothing.
    ///
    /// # Errors
    /// A session error, [`StoreError::MailboxTaken`](crate::StoreError::MailboxTaken) where there is another one under this
    /// name, [`StoreError::MailboxClosed`](crate::StoreError::MailboxClosed) and
    /// [`StoreError::MailboxExpired`](crate::StoreError::MailboxExpired) where there was one,
    /// [`StoreError::TooManyMailboxes`](crate::StoreError::TooManyMailboxes),
    /// [`StoreError::MailboxFull`](crate::StoreError::MailboxFull), or a fault.
    fn create_mailbox(&self, new: NewMailbox) -> StoreFuture<'_, StoredMailbox>;

    /// Puts a message at its place. The same message again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NoMailbox`](crate::StoreError::NoMailbox), [`StoreError::MailboxClosed`](crate::StoreError::MailboxClosed),
    /// [`StoreError::MailboxExpired`](crate::StoreError::MailboxExpired),
    /// [`StoreError::MailboxTaken`](crate::StoreError::MailboxTaken) where another message is there,
    /// [`StoreError::MailboxFull`](crate::StoreError::MailboxFull), or a fault.
    fn put_message(&self, put: PutMessage) -> StoreFuture<'_, ()>;

    /// Reads all messages so far.
    ///
    /// # Errors
    /// [`StoreError::NoMailbox`](crate::StoreError::NoMailbox), [`StoreError::MailboxClosed`](crate::StoreError::MailboxClosed),
    /// [`StoreError::MailboxExpired`](crate::StoreError::MailboxExpired), or a fault.
    fn read_mailbox(&self, place: MailboxPlace) -> StoreFuture<'_, StoredMailbox>;

    /// Closes a mailbox and erases its messages. Closing a closed or expired one succeeds.
    ///
    /// # Errors
    /// [`StoreError::NoMailbox`](crate::StoreError::NoMailbox), or a fault.
    fn close_mailbox(&self, place: MailboxPlace) -> StoreFuture<'_, ()>;
}

/// A stored mailbox, before it is seen whether it is open.
pub(crate) struct HeldMailbox {
    account_id: AccountId,
    open: bool,
    mailbox: StoredMailbox,
}

impl HeldMailbox {
    /// With what lies in its places, in the order of [`PLACES`].
    pub(crate) fn new(
        account_id: AccountId,
        expires: u64,
        open: bool,
        places: [Option<Vec<u8>>; PLACES.len()],
    ) -> Self {
        let messages = PLACES.into_iter().zip(places);
        let messages = messages.filter_map(|((role, step), message)| {
            Some(StoredMessage {
                role,
                step,
                message: Blob::new(message?),
            })
        });
        Self {
            account_id,
            open,
            mailbox: StoredMailbox {
                expires,
                messages: messages.collect(),
            },
        }
    }

    pub(crate) fn check_open(self, now: u64) -> Result<StoredMailbox, StoreError> {
        if now > self.mailbox.expires {
            return Err(StoreError::MailboxExpired);
        }
        if !self.open {
            return Err(StoreError::MailboxClosed);
        }
        Ok(self.mailbox)
    }

    /// The mailbox, if it is the one that is to be made.
    pub(crate) fn repeat_of(self, new: &NewMailbox) -> Result<StoredMailbox, StoreError> {
        let owner = self.account_id;
        let mailbox = self.check_open(new.caller.now)?;
        let first = mailbox.messages.first();
        let same = owner == new.caller.account_id
            && first.is_some_and(|first| first.message == new.message);
        if same {
            Ok(mailbox)
        } else {
            Err(StoreError::MailboxTaken)
        }
    }
}

impl StoredMailbox {
    /// Whether the message is there already.
    pub(crate) fn holds(&self, put: &PutMessage) -> Result<bool, StoreError> {
        let mut messages = self.messages.iter();
        match messages.find(|held| (held.role, held.step) == (put.role, put.step)) {
            Some(there) if there.message == put.message => Ok(true),
            Some(_) => Err(StoreError::MailboxTaken),
            None => Ok(false),
        }
    }
}

pub(crate) fn check_size(message: &Blob) -> Result<(), StoreError> {
    if message.as_bytes().len() > MAX_MESSAGE {
        return Err(StoreError::MailboxFull);
    }
    Ok(())
}
