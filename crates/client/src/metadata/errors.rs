//! What every call can meet.

use core::time::Duration;

use http::StatusCode;

use super::ErrorKind;
use crate::transport::TransportError;

/// The server cannot be reached or has no time now. Nothing is wrong with the account; try again later.
#[derive(Debug, thiserror::Error)]
#[error("{}", if self.is_busy() {
    "the metadata server answers, but has no time now; try again later"
} else {
    "the metadata server cannot be reached now; check the connection and try again"
})]
#[non_exhaustive]
pub struct Offline {
    /// How long the server asks to wait; none where it did not say.
    pub retry_after: Option<Duration>,
    /// Whether the server may have acted on the call all the same.
    pub may_have_arrived: bool,
    /// Why the last attempt failed; none where the server itself refused for lack of time.
    #[source]
    pub source: Option<TransportError>,
}

impl Offline {
    /// Whether the server was reached and said that it cannot do this now, so that the connection is not at fault.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.source.is_none()
    }

    /// Which of the two it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        if self.is_busy() {
            ErrorKind::Busy {
                retry_after: self.retry_after,
            }
        } else {
            ErrorKind::Offline
        }
    }
}

/// The server broke the protocol. Trying again does not help; the server's operator has to know.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// The answer is not of the form the protocol gives it: cut off, not JSON, an unknown field.
    #[error(
        "the metadata server's answer (status {status}) is not of a known form; is the address right?"
    )]
    Form {
        /// Its HTTP status.
        status: StatusCode,
    },
    /// The answer is longer than any honest one.
    #[error("the metadata server's answer is longer than {limit} bytes")]
    TooLarge {
        /// Bytes allowed.
        limit: usize,
    },
    /// The answer speaks of another account or record than the call.
    #[error("the metadata server answered for another account or record than it was asked about")]
    Mismatch,
    /// The request could not be sent at all.
    #[error("the call cannot be sent to this metadata server")]
    Unsendable {
        /// Why.
        #[source]
        source: TransportError,
    },
}
