use trefoil_shares::ReconstructError;

use crate::envelope::EnvelopeError;
use crate::factor::EnrolmentError;
use crate::state::StateError;
use crate::vault::VaultError;

/// Why factors and a record do not open an account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpeningError {
    /// The record has no entry for this factor: never enrolled, or removed.
    #[error("this factor does not belong to the account, or was removed from it")]
    NotEnrolled,
    /// The factor was given before.
    #[error("this factor was given already; give another one")]
    AlreadyGiven,
    /// The entry is not the one the factor made.
    #[error(transparent)]
    Foreign(#[from] EnrolmentError),
    /// The envelope is not the one that the signed record names: of an older epoch, or another's.
    #[error(
        "the server gave an envelope for factor {index} that is not the record's: stale or foreign"
    )]
    StaleEnvelope {
        /// Whose.
        index: u32,
    },
    /// The envelope is the record's but does not open.
    #[error("the envelope of factor {index}: {source}")]
    Envelope {
        /// Whose.
        index: u32,
        /// What is wrong.
        source: EnvelopeError,
    },
    /// The state does not open or does not fit the record.
    #[error(transparent)]
    State(#[from] StateError),
    /// State and record contradict each other.
    #[error("the account's state does not fit its record")]
    Inconsistent,
    /// Too few, wrong, stale or foreign shares.
    #[error(transparent)]
    Shares(#[from] ReconstructError),
    /// A lent share of an older or newer epoch than the record's.
    #[error(
        "the contact's share is of epoch {lent}, the account is in epoch {current}: open it again and ask again"
    )]
    StaleShare {
        /// The share's.
        lent: u32,
        /// The record's.
        current: u32,
    },
    /// A lent share of another account.
    #[error("the contact's share is of another account")]
    ForeignShare,
    /// A lent share for an account that has no shares.
    #[error("this account is opened by one factor; no share is needed")]
    NoSharesHere,
    /// The server has to release the nonce first.
    #[error("the server's nonce is needed and was not given")]
    NonceNeeded,
    /// The nonce is not the one that the record names, or does not open.
    #[error("the server gave a nonce that is not this account's")]
    WrongNonce,
    /// What came out is not the account's key.
    #[error("the factors give a key that is not this account's")]
    WrongKey,
    /// The vault does not open.
    #[error(transparent)]
    Vault(#[from] VaultError),
}
