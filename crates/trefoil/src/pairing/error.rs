use trefoil_client::metadata;
use trefoil_factors::device::DeviceStoreError;
use trefoil_protocol::opening::OpeningError;
use trefoil_protocol::pairing::{PairingError, Purpose};

use crate::draft::{CommitError, DraftError};
use crate::login::LoginError;

/// Why two devices did not come together. Unless the error says otherwise nothing was enrolled and nothing was lent: make a
/// new request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PairError {
    /// The code asks for something else than what it was given to.
    #[error("{}", wrong_purpose(.0))]
    WrongPurpose(Purpose),
    /// A one-click account has one factor only.
    #[error("turn on MFA first: a one-click account has one factor only")]
    MfaOff,
    /// No contact of that account.
    #[error("this device is not a trusted contact of the account that asks for help")]
    NotAContact,
    /// The other side, or whoever stands between, did not do its part.
    #[error(transparent)]
    Pairing(#[from] PairingError),
    /// The mailbox at the server.
    #[error(transparent)]
    Mailbox(#[from] metadata::MailboxError),
    /// Logging in failed.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// The session had ended and could not be renewed.
    #[error(transparent)]
    Session(#[from] metadata::LoginError),
    /// The other device says that it is done, but this one could not see it at the server. Its factor is kept: log in later to
    /// see.
    #[error("the other device says that it is done, but that could not be seen at the server: {0}")]
    NotSeen(#[source] LoginError),
    /// The other device says that it is done, but the server shows an account without this factor. The factor is kept.
    #[error("the other device says that it is done, but the server does not know this factor")]
    NotListed,
    /// The contact's own envelope does not open.
    #[error("this contact's share: {0}")]
    Share(#[from] OpeningError),
    /// The factor could not be added.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// The change is not known to be committed; opening the account again shows whether it is.
    #[error(transparent)]
    Commit(#[from] Box<CommitError>),
    /// The device store failed.
    #[error(transparent)]
    Device(#[from] DeviceStoreError),
    /// The device store does not give back what was stored.
    #[error("the device store does not give back the secret it was given; another store is needed")]
    DeviceDrill,
}

const fn wrong_purpose(purpose: &Purpose) -> &'static str {
    match purpose {
        Purpose::Device => "this request is of a device that wants to join: approve it as a device",
        Purpose::Contact => "this request is of a trusted contact: enrol it as a contact",
        Purpose::Help { .. } => "this request asks a trusted contact for help: answer it as one",
    }
}
