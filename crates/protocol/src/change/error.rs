use trefoil_shares::ReconstructError;

use crate::commit::CommitError;
use crate::factor::FactorKind;
use crate::opening::OpeningError;
use crate::record::RecordError;

/// Why a change is not made. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// Nothing would change.
    #[error("nothing would change")]
    Nothing,
    /// A one-click account has one factor and no polynomial.
    #[error("turn on MFA first: a one-click account has one factor only")]
    UpgradeFirst,
    /// MFA once on stays on.
    #[error("an account that left one-click cannot go back to it")]
    CustodyReversed,
    /// There is no such factor.
    #[error("the account has no factor {0}")]
    UnknownFactor(u32),
    /// The factor is enrolled already.
    #[error("this factor is enrolled in the account already")]
    AlreadyEnrolled,
    /// 2 to 255 and not above the number of factors.
    #[error("the threshold must be at least 2 and at most the number of factors, {factors}")]
    Threshold {
        /// Factors after the change.
        factors: usize,
    },
    /// More than 255.
    #[error("an account has at most 255 factors")]
    TooManyFactors,
    /// All indices are used up.
    #[error("the account has used up all factor indices")]
    IndicesExhausted,
    /// A label is too long.
    #[error("a factor's label has at most 64 bytes")]
    LabelTooLong,
    /// `m = t`.
    #[error(
        "there would be no spare factor: losing any one would lose the key; add one, or accept it where allowed"
    )]
    NoSpareFactor,
    /// No factor would be left from which an opening can start.
    #[error("no factor would be left from which an opening can start")]
    NoPrimaryFactor,
    /// Only one such factor would be left.
    #[error(
        "only one factor would be left from which an opening can start; add one, or accept it where allowed"
    )]
    OnePrimaryFactor,
    /// A dApp share only where the network knows the login as a custom verifier.
    #[error("a {0} cannot be enrolled here")]
    KindNotAllowed(FactorKind),
    /// A secondary factor without a slot of its own, another factor with one, or a slot made for another change.
    #[error("factor {0} must have exactly the slot that was enrolled for it in this change")]
    WrongSlot(u32),
    /// The new factor's public key is unusable.
    #[error("nothing can be sealed to the new factor {0}")]
    BadFactorKey(u32),
    /// The scalars cancel, with a chance of about 2^-256, or the imported key is the factor's own scalar.
    #[error("this key cannot be used with this login; use another key")]
    DegenerateKey,
    /// The newer record is not of this account or not newer.
    #[error("there is nothing to restore: the kept record is not a newer one of this account")]
    NothingToRestore,
    /// The account could not be opened anew with what was made.
    #[error("self-check: {0}")]
    SelfCheckOpening(#[from] OpeningError),
    /// The shares made do not give the secret back.
    #[error("self-check: {0}")]
    SelfCheckShares(#[from] ReconstructError),
    /// The record made is none.
    #[error("self-check: {0}")]
    SelfCheckRecord(#[from] RecordError),
    /// The record made may not replace the current one.
    #[error("self-check: {0}")]
    SelfCheckCommit(#[from] CommitError),
}
