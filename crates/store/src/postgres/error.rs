//! From what PostgreSQL says to what a store says.

use deadpool_postgres::PoolError;
use tokio_postgres::error::{DbError, SqlState};

use crate::error::StoreError;

/// What the database says, without its details: those may show rows.
#[derive(Debug, thiserror::Error)]
#[error("{state}: {message} (table {table}, constraint {constraint})")]
struct Refused {
    state: String,
    message: String,
    table: String,
    constraint: String,
}

impl Refused {
    fn new(error: &DbError) -> Self {
        let named = |name: Option<&str>| name.unwrap_or("none").to_owned();
        Self {
            state: error.code().code().to_owned(),
            message: error.message().to_owned(),
            table: named(error.table()),
            constraint: named(error.constraint()),
        }
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(refused) = error.as_db_error() else {
            // No answer of the server: the connection could not be made, broke, or gave a column of another type.
            return if error.is_closed() || is_io(&error) {
                Self::Unreachable
            } else {
                Self::backend(error)
            };
        };
        match *refused.code() {
            SqlState::T_R_SERIALIZATION_FAILURE
            | SqlState::T_R_DEADLOCK_DETECTED
            | SqlState::LOCK_NOT_AVAILABLE => Self::Busy,
            SqlState::DISK_FULL | SqlState::OUT_OF_MEMORY | SqlState::INSUFFICIENT_RESOURCES => {
                Self::Full
            }
            SqlState::READ_ONLY_SQL_TRANSACTION | SqlState::INSUFFICIENT_PRIVILEGE => {
                Self::ReadOnly
            }
            SqlState::ADMIN_SHUTDOWN
            | SqlState::CRASH_SHUTDOWN
            | SqlState::CANNOT_CONNECT_NOW
            | SqlState::DATABASE_DROPPED
            | SqlState::CONNECTION_EXCEPTION
            | SqlState::CONNECTION_FAILURE
            | SqlState::SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION
            | SqlState::TOO_MANY_CONNECTIONS
            | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
            // Whether it was committed is not known: whoever asks again finds out.
            | SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN
            | SqlState::QUERY_CANCELED => Self::Unreachable,
            SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => Self::Corrupt {
                what: "the database",
            },
            _ => Self::backend(Refused::new(refused)),
        }
    }
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.is::<std::io::Error>() {
            return true;
        }
        source = cause.source();
    }
    // What the driver says where no host answers or none takes writes.
    error.to_string().contains("connect")
}

impl From<PoolError> for StoreError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => error.into(),
            // Every connection is in use, or none can be made: not to be tried again by whoever holds another one.
            PoolError::Timeout(_) => Self::Unreachable,
            PoolError::Closed => Self::Closed,
            error => Self::backend(error),
        }
    }
}
