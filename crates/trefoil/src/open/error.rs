use trefoil_client::metadata;
use trefoil_factors::device::{DeviceStoreError, PinConflict, UpdateError};
use trefoil_protocol::change::ChangeError;
use trefoil_protocol::opening::OpeningError;

use crate::login::LoginError;

/// Why a found account does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// What the server holds and the factors at hand do not go together; the error says what is wrong.
    #[error(transparent)]
    Opening(#[from] OpeningError),
    /// The server did not release the nonce.
    #[error(transparent)]
    Nonce(#[from] metadata::NonceError),
    /// The device store failed.
    #[error(transparent)]
    Device(#[from] DeviceStoreError),
}

/// Why a further factor was not accepted; the ones before it stay accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProvideError {
    /// This factor belongs to no account, or to another one.
    #[error("this factor does not belong to this account; check it, or use another one")]
    NotOfThisAccount,
    /// This factor was removed from the account.
    #[error("this factor was removed from the account; use another one")]
    FactorRemoved,
    /// This factor was given before.
    #[error("this factor was given already; use another one")]
    AlreadyGiven,
    /// The server, or the way to it, is at fault; the error says what to do.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// The account does not open with it.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Why an account was not created. No address may be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The 32 bytes are no secp256k1 key.
    #[error("this is not a secp256k1 private key")]
    NotAKey,
    /// The record could not be made.
    #[error(transparent)]
    Prepare(#[from] ChangeError),
    /// The server did not create it; the error says what to do.
    #[error(transparent)]
    Metadata(#[from] metadata::CreateError),
    /// Another device created the account first, and it does not open here.
    #[error("another device created the account first: {0}")]
    Overtaken(#[source] Box<ProvideError>),
    /// The imported key was not used: another device has created the account with another key.
    #[error(
        "another device created an account for this login first; the imported key was not used"
    )]
    ImportOvertaken,
    /// The server's answer contradicts what it was sent.
    #[error("the metadata server answered with another account than the one it was sent")]
    Inconsistent,
    /// The account exists now, but this device could not remember it.
    #[error("the account was created, but this device could not remember it: {0}")]
    Device(#[from] DeviceStoreError),
    /// The account exists now, but this device knows another one for this login.
    #[error("the account was created, but {0}")]
    Pin(#[source] PinConflict),
}

impl From<UpdateError<PinConflict>> for CreateError {
    fn from(error: UpdateError<PinConflict>) -> Self {
        match error {
            UpdateError::Refused(conflict) => Self::Pin(conflict),
            UpdateError::Store(error) => error.into(),
        }
    }
}

/// Why a restore did not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The served revision did not open with the factors at hand.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A further factor was not accepted.
    #[error(transparent)]
    Provide(#[from] Box<ProvideError>),
    /// Not enough factors for the served revision.
    #[error("{missing} more factors of the served revision are needed")]
    NeedsFactors {
        /// How many.
        missing: usize,
    },
    /// This device's own newer copy cannot be read: it has no factor of its own in it.
    #[error(
        "this device has no factor of its own in the newer record, so it cannot restore it; use the device that has"
    )]
    NoOwnFactor,
    /// This device's own newer copy does not open.
    #[error("this device's own newer record: {0}")]
    OwnRecord(#[source] OpeningError),
    /// The restoring record could not be made.
    #[error(transparent)]
    Prepare(#[from] ChangeError),
    /// The server did not take it.
    #[error(transparent)]
    Commit(#[from] metadata::CommitError),
    /// The device store failed.
    #[error(transparent)]
    Device(#[from] DeviceStoreError),
}
