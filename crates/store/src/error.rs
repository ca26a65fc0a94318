//! What a store refuses and what can go wrong with it.

use std::error::Error;
use std::sync::Arc;

use trefoil_protocol::guess::SlotError;

/// Why an operation of a store did nothing.
///
/// The first group are answers: the store works and the request does not fit what it holds. The second group are
/// faults of the store itself ([`StoreError::is_fault`]). In either case the operation's transaction has no effect, but
/// for [`StoreError::NotErased`].
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A factor's locator belongs to another account of the tenant. Log in with that factor instead.
    #[error("a factor of this record already belongs to an account; log in with it")]
    LocatorTaken,
    /// The account id is in use with another payload.
    #[error("this account exists already with another record; log in with one of its factors")]
    AccountExists,
    /// The account was deleted; its id is never given out again.
    #[error("this account was deleted; start over with a new key")]
    AccountDeleted,
    /// None of the locators is known.
    #[error("no account has any of these factors")]
    NoAccount,
    /// None of the locators is enrolled and at least one of them once was.
    #[error("this factor was removed from its account; log in with another one")]
    FactorRemoved,
    /// The locators lead to more than one account.
    #[error("these factors belong to several accounts; log in with the factors of one")]
    SeveralAccounts,
    /// A statement with this request id was accepted before.
    #[error("this request was seen before; sign a new one")]
    ReplayedRequest,
    /// The record has moved on since it was read.
    #[error("the record is at revision {revision} now; read it again and redo the change")]
    Stale {
        /// The current revision.
        revision: u64,
    },
    /// Neither held nor given: an envelope of the stated hash.
    #[error("the envelope of factor {index} is missing")]
    MissingEnvelope {
        /// Share index of the factor.
        index: u32,
    },
    /// Neither held nor given: a sealed nonce of the stated hash.
    #[error("the sealed nonce that the record names is missing")]
    MissingNonce,
    /// The current record names no nonce, or none is held.
    #[error("this account has no nonce")]
    NoNonce,
    /// No such session in this tenant.
    #[error("unknown session; log in again")]
    UnknownSession,
    /// The session is over.
    #[error("the session has expired; log in again")]
    ExpiredSession,
    /// The session belongs to another account of the tenant.
    #[error("this session belongs to another account")]
    ForeignSession,
    /// A node's state is at another version than the one that was to be replaced.
    #[error("the node's state was changed meanwhile; load it again and redo the change")]
    NodeStateChanged,
    /// A slot is at another version than the one that was to be replaced, or is there already.
    #[error("the slot was changed meanwhile; load it again and redo the change")]
    SlotChanged,
    /// The account has as many slots as it may have.
    #[error("this account has too many slots; delete those that it does not use")]
    TooManySlots,
    /// What was sent about a slot does not fit the slot.
    #[error(transparent)]
    Slot(#[from] SlotError),
    /// No such mailbox in this tenant.
    #[error("there is no such mailbox: not made yet, or long over")]
    NoMailbox,
    /// The mailbox was closed by one of its sides, or with its account.
    #[error("the mailbox is closed; start over with a new request")]
    MailboxClosed,
    /// The mailbox's time is over.
    #[error("the mailbox's time is over; start over with a new request")]
    MailboxExpired,
    /// Something else is there already.
    #[error("somebody else has put something there; start over with a new request")]
    MailboxTaken,
    /// The message is longer than a mailbox takes, or for a place that it does not have.
    #[error("the mailbox has no place for this message")]
    MailboxFull,
    /// The account has as many mailboxes as it may have at a time.
    #[error("this account has too many mailboxes; wait until earlier ones are over")]
    TooManyMailboxes,

    /// More work is queued than the store takes, or it is locked; try again in a moment.
    #[error("the store is busy; try again")]
    Busy,
    /// There is no room left.
    #[error("the store is full; free space or raise its limit")]
    Full,
    /// The store cannot be written.
    #[error("the store cannot be written; check permissions and mount")]
    ReadOnly,
    /// Stored bytes are not what was written.
    #[error("the store is damaged ({what}); restore it from a backup")]
    Corrupt {
        /// Which part.
        what: &'static str,
    },
    /// Another process has the store open.
    #[error("the store is open in another process")]
    InUse,
    /// The store was written by a newer version of this software.
    #[error("the store has schema {found}, this version knows up to {known}; upgrade the software")]
    NewerSchema {
        /// Schema version found.
        found: u32,
        /// Newest schema version known.
        known: u32,
    },
    /// The store's tables are those of an older version of this software.
    #[error(
        "the store has schema {found}, this version needs {known}; upgrade it first: `trefoil serve metadata --migrate`"
    )]
    OlderSchema {
        /// Schema version found, 0 for an empty database.
        found: u32,
        /// Schema version needed.
        known: u32,
    },
    /// The database does not answer.
    #[error("the database cannot be reached; try again")]
    Unreachable,
    /// Not a URL of a database.
    #[error(
        "the database's URL must be postgres://user:password@host:port/database, with options after `?`"
    )]
    BadUrl,
    /// A restore was begun and is not finished.
    #[error(
        "the store is being restored and must not serve yet; run `trefoil admin restore` to its end"
    )]
    Restoring,
    /// There are accounts where a backup was to be put.
    #[error("the store holds accounts; a backup is restored into an empty one")]
    NotEmpty,
    /// The restore that is under way is one of another backup.
    #[error(
        "the store is being restored from another backup; finish with that one, or start with an empty store"
    )]
    OtherRestore,
    /// There are nonces but no records that could name them.
    #[error(
        "there is a nonce store but no records; restore the records from a backup before the server starts"
    )]
    RecordsMissing,
    /// A row is sealed under a key that was not given.
    #[error(
        "a row is sealed under the key {id}, which is missing; put that key back into the sealing keys"
    )]
    UnknownSealingKey {
        /// The key's id.
        id: String,
    },
    /// A row cannot be opened under the key that it names.
    #[error(
        "a sealed row does not open: it was changed or moved, or the key {id} is another one than it was"
    )]
    Unsealable {
        /// The key's id.
        id: String,
    },
    /// The store was opened without keys to seal with.
    #[error("the store has no sealing keys; name the file that holds them")]
    NoSealingKeys,
    /// The file is a database of something else.
    #[error("the file belongs to another application")]
    ForeignFile,
    /// The change is kept, but what it replaced could not be erased, since somebody else reads the file. The next
    /// replacement, check or opening tries again.
    #[error("the change is kept, but what it replaced is not erased yet; end what reads the file")]
    NotErased {
        /// The version that is current now.
        version: u64,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Anything else that the back end reports.
    #[error("the store failed")]
    Backend(#[source] Arc<dyn Error + Send + Sync>),
}

impl StoreError {
    /// Whether the store itself failed, as opposed to refusing.
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        matches!(
            self,
            Self::Busy
                | Self::Full
                | Self::ReadOnly
                | Self::Corrupt { .. }
                | Self::InUse
                | Self::NewerSchema { .. }
                | Self::OlderSchema { .. }
                | Self::Unreachable
                | Self::BadUrl
                | Self::Restoring
                | Self::NotEmpty
                | Self::OtherRestore
                | Self::RecordsMissing
                | Self::UnknownSealingKey { .. }
                | Self::Unsealable { .. }
                | Self::NoSealingKeys
                | Self::ForeignFile
                | Self::NotErased { .. }
                | Self::Closed
                | Self::Backend(_)
        )
    }

    /// Whether the same request may succeed a moment later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Busy | Self::Unreachable)
    }

    pub(crate) fn backend(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Backend(Arc::new(error))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        use rusqlite::types::FromSqlError;

        match &error {
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..) => {
                return Self::Corrupt {
                    what: "a column has the wrong type or length",
                };
            }
            _ => {}
        }
        if error
            .source()
            .is_some_and(|source| source.is::<FromSqlError>())
        {
            return Self::Corrupt {
                what: "a column has the wrong type or length",
            };
        }
        match error.sqlite_error_code() {
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => Self::Busy,
            Some(Code::DiskFull) => Self::Full,
            Some(Code::ReadOnly | Code::PermissionDenied | Code::CannotOpen) => Self::ReadOnly,
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => Self::Corrupt {
                what: "the database file",
            },
            _ => Self::backend(error),
        }
    }
}
