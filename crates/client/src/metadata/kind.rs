//! What any call's error comes to, for whoever treats them all alike.

use core::time::Duration;

use trefoil_protocol::problem::Problem;

use super::{
    CommitError, CreateError, DeleteError, EventsError, KitError, LoginError, MailboxError,
    NonceError, ReadError,
};

/// The first thing that an app wants to know of a failed call, whichever it was. The error itself says more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The server was not reached, or the connection broke: look at the network, try again.
    Offline,
    /// The server was reached and cannot do this now: too many requests, or a fault of its own. Try again later.
    Busy {
        /// After this, where it said so.
        retry_after: Option<Duration>,
    },
    /// Somebody else was faster: open the account again, then decide.
    Stale,
    /// It was there and will not be again: a deleted account, a closed or expired mailbox.
    Gone,
    /// Log in again.
    SessionEnded,
    /// The clocks cannot be brought together: set this device's.
    ClockWrong,
    /// The server says no, and will again.
    Refused,
    /// The answer is not one of the protocol: another server, or a faulty one.
    Misbehaved,
}

impl ErrorKind {
    /// Whether the same call may succeed later without anything being changed.
    #[must_use]
    pub const fn may_pass(self) -> bool {
        matches!(self, Self::Offline | Self::Busy { .. })
    }

    /// A refusal that the call's own error has no name for, by its status.
    const fn of(problem: &Problem) -> Self {
        match problem.code.status() {
            410 => Self::Gone,
            412 => Self::Stale,
            _ => Self::Refused,
        }
    }
}

macro_rules! kinds {
    ($($error:ident { $($pattern:pat => $kind:ident),* $(,)? })*) => {$(
        impl $error {
            /// What it comes to.
            #[must_use]
            pub fn kind(&self) -> ErrorKind {
                match self {
                    Self::Offline(offline) => offline.kind(),
                    Self::ServerMisbehaved(_) => ErrorKind::Misbehaved,
                    Self::Refused(problem) => ErrorKind::of(problem),
                    $($pattern => ErrorKind::$kind,)*
                }
            }
        }
    )*};
}

kinds! {
    LoginError {
        Self::NoAccount | Self::FactorRemoved | Self::SeveralAccounts => Refused,
        Self::ClockWrong { .. } => ClockWrong,
    }
    CreateError {
        Self::LocatorTaken | Self::AccountExists => Refused,
        Self::AccountDeleted => Gone,
        Self::ClockWrong { .. } => ClockWrong,
    }
    CommitError {
        Self::Stale { .. } => Stale,
        Self::SessionEnded => SessionEnded,
        Self::LocatorTaken | Self::LevelTooLow => Refused,
        Self::Gone => Gone,
    }
    ReadError {
        Self::SessionEnded => SessionEnded,
        Self::Gone => Gone,
    }
    NonceError {
        Self::SessionEnded => SessionEnded,
        Self::NoNonce | Self::LevelTooLow => Refused,
        Self::Gone => Gone,
    }
    KitError {
        Self::SessionEnded => SessionEnded,
        Self::LevelTooLow => Refused,
        Self::Gone => Gone,
        Self::ClockWrong { .. } => ClockWrong,
    }
    DeleteError {
        Self::SessionEnded => SessionEnded,
        Self::LevelTooLow => Refused,
        Self::ClockWrong { .. } => ClockWrong,
    }
    EventsError {
        Self::SessionEnded => SessionEnded,
        Self::LevelTooLow => Refused,
        Self::Gone => Gone,
        Self::Broken(_) => Misbehaved,
    }
    MailboxError {
        Self::SessionEnded => SessionEnded,
        Self::NobodyThere | Self::NoMailbox | Self::Taken | Self::TooMany => Refused,
        Self::Closed | Self::Expired | Self::Gone => Gone,
    }
}
