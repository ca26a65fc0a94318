use trefoil_client::metadata;
use trefoil_client::slots::EnrolError;
use trefoil_factors::DrillError;
use trefoil_factors::device::{DeviceStoreError, PinConflict, UpdateError};
use trefoil_factors::knowledge::{NormaliseError, StretchError};
use trefoil_factors::passkey::PasskeyError;
use trefoil_protocol::change::ChangeError;
use trefoil_protocol::factor::FactorKind;
use trefoil_protocol::record::RecordError;

/// Why a draft cannot take a step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DraftError {
    /// One of a kind per draft.
    #[error("this draft already has a new {0}; commit it first")]
    OneOfAKind(FactorKind),
    /// There is nothing of this kind to prove.
    #[error("this draft has no new {0}")]
    NothingToProve(FactorKind),
    /// What the user gave back is not the drafted one.
    #[error(transparent)]
    Drill(#[from] DrillError),
    /// A dApp share needs a custom verifier's login in an account whose MFA is on.
    #[error("a dApp share is only for accounts of a custom verifier whose MFA is on already")]
    DappShareNotAllowed,
    /// The account already has a factor of this device.
    #[error("this device is a factor of the account already")]
    DeviceEnrolled,
    /// The factor is not of the kind that was to be changed.
    #[error("factor {index} is no {kind} of this account")]
    NothingToChange {
        /// Its index.
        index: u32,
        /// What it should be.
        kind: FactorKind,
    },
    /// No passkey was made, or it cannot keep a secret.
    #[error(transparent)]
    Passkey(#[from] PasskeyError),
    /// What the user knows cannot be used.
    #[error(transparent)]
    Knowledge(#[from] NormaliseError),
    /// The device store failed.
    #[error("the device store cannot be read; see its own error")]
    DeviceStore,
    /// Changes were made after the commit was prepared and may have been sent.
    #[error("this draft was sent already; repeat its commit or start another draft")]
    Sent,
}

/// Why a change is not known to be committed. Every factor that worked before still works.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// A recovery factor was not proven yet.
    #[error("prove the new {0} first: the user gives it back from where it was kept")]
    NotProven(FactorKind),
    /// The change is not allowed, or needs a risk to be accepted.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// Social logins that are, or may be, of one identity would open the account without any other factor: only if the user
    /// accepts it, by [`super::Draft::accept_one_identity`].
    #[error("{}", crate::custody::one_identity(factors, *threshold, *certain))]
    OneIdentity {
        /// Which ones, by the indices that they have or would get.
        factors: Vec<u32>,
        /// How many factors would be needed.
        threshold: u8,
        /// Whether that they are of one identity is known; else it cannot be told.
        certain: bool,
    },
    /// The server did not take it, or its answer was lost: the same draft can be committed again.
    #[error(transparent)]
    Metadata(#[from] metadata::CommitError),
    /// The slot of a password, PIN or of security questions was not enrolled. What worked before still works; try again.
    #[error("what you know could not be set up with the servers that count guesses: {0}")]
    Enrol(#[from] EnrolError),
    /// There is not enough memory to stretch what the user knows.
    #[error(transparent)]
    Stretch(#[from] StretchError),
    /// The session had ended and could not be renewed; the same draft can be committed again.
    #[error(transparent)]
    Session(#[from] metadata::LoginError),
    /// The commit was acknowledged, but reading it again failed; opening the account again shows it.
    #[error("the change was acknowledged but could not be read again: {0}")]
    Reread(#[from] metadata::ReadError),
    /// The server acknowledged the commit and then showed something else.
    #[error("the metadata server acknowledged the change but shows another record")]
    NotKept,
    /// What it showed is no record.
    #[error("the metadata server acknowledged the change but shows no record: {0}")]
    Record(#[from] RecordError),
    /// The device store failed; nothing was sent before the device's own secret was stored.
    #[error(transparent)]
    Device(#[from] DeviceStoreError),
    /// The device store does not give back what was stored.
    #[error("the device store does not give back the secret it was given; another store is needed")]
    DeviceDrill,
    /// This device knows one of the factors as another account's.
    #[error(transparent)]
    Pin(PinConflict),
}

impl From<UpdateError<PinConflict>> for CommitError {
    fn from(error: UpdateError<PinConflict>) -> Self {
        match error {
            UpdateError::Refused(conflict) => Self::Pin(conflict),
            UpdateError::Store(error) => error.into(),
        }
    }
}
