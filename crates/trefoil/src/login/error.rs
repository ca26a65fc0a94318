use trefoil_client::metadata;
use trefoil_client::network::SocialError;
use trefoil_factors::device::{DeviceStoreError, PinConflict, UpdateError};
use trefoil_protocol::bytes::AccountId;
use trefoil_protocol::record::RecordError;
use trefoil_protocol::rollback::RollbackError;

/// Why a login gave no account to open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The node network did not give the social factor; the error says whether to retry or to log in anew.
    #[error(transparent)]
    Network(#[from] SocialError),
    /// The metadata server did not answer as hoped; the error says what to do.
    #[error(transparent)]
    Metadata(#[from] metadata::LoginError),
    /// No factor was given, and this device has none of its own for the account.
    #[error("give at least one factor; this device has none of its own here")]
    NoFactor,
    /// All generations of this social login were removed from their accounts.
    #[error("this social login was removed from its account; use another factor")]
    AllGenerationsRemoved,
    /// The server shows a past or another history than this device knows. An older record can be opened after a warning
    /// ([`crate::Opened::RolledBack`]); the others cannot.
    #[error(transparent)]
    Rollback(#[from] RollbackError),
    /// The server answered with another account than this device knows for the factor.
    #[error("the server shows account {served} where this device knows account {pinned}")]
    OtherAccount {
        /// What this device has pinned.
        pinned: AccountId,
        /// What the server shows.
        served: AccountId,
    },
    /// The server's record is none.
    #[error("the metadata server's record: {0}")]
    Record(#[from] RecordError),
    /// The server's answer contradicts itself.
    #[error("the metadata server's answer contradicts itself")]
    Inconsistent,
    /// This device's own copy of the record is damaged.
    #[error("this device's own copy of the record: {0}")]
    KeptRecord(#[source] RecordError),
    /// The device store failed.
    #[error(transparent)]
    Device(#[from] DeviceStoreError),
}

impl From<UpdateError<PinConflict>> for LoginError {
    fn from(error: UpdateError<PinConflict>) -> Self {
        match error {
            UpdateError::Refused(conflict) => Self::OtherAccount {
                pinned: conflict.pinned,
                served: conflict.found,
            },
            UpdateError::Store(error) => error.into(),
        }
    }
}
