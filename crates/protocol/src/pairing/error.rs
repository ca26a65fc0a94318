use crate::factor::EnrolmentError;

/// Why a pairing came to its end without an outcome. Nothing was enrolled and nothing was lent; start over with a new
/// request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PairingError {
    /// A message does not open: not by somebody who knows the code, or put where it does not belong.
    #[error("a message of the other device does not open: somebody interferes; make a new request")]
    Sealed,
    /// It opens, but is not of a known form.
    #[error("a message of the other device is not of a known form: update both devices")]
    Malformed,
    /// A version this software does not know.
    #[error("the other device speaks version {0}, which this software does not know: update it")]
    UnknownVersion(u32),
    /// What the other side revealed is not what it had committed to.
    #[error(
        "the other device did not keep to what it had committed to: somebody interferes; make a new request"
    )]
    NotAsCommitted,
    /// The other side speaks of another purpose.
    #[error("the other device takes the request for something else than it is")]
    WrongPurpose,
    /// The other side speaks of another account, or of one that is none.
    #[error("the other device speaks of another account")]
    WrongAccount,
    /// A key to which nothing can be sealed.
    #[error("the other device showed a key to which nothing can be sealed")]
    UnusableKey,
    /// A name that is too long, or holds characters that steer a terminal or turn the direction of writing.
    #[error(
        "a label has at most 64 bytes and no control characters, those for the direction of writing included"
    )]
    Label,
    /// Binding or proof are not those of the factor that was compared.
    #[error("the other device's factor does not fit this account: {0}")]
    Enrolment(#[from] EnrolmentError),
    /// A user said that the digits differ, or that this is not wanted.
    #[error("the request was denied on the other device")]
    Denied,
    /// The other side gave it up.
    #[error("the request was cancelled on the other device")]
    Cancelled,
    /// The other side could not carry it out.
    #[error("the other device could not finish; see there, and make a new request")]
    Failed,
}
