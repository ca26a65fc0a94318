//! Section 5: the one record an account is.

mod limits;
mod payload;
mod signed;

pub use limits::{MAX_ENVELOPE, MAX_FACTORS, MAX_PAYLOAD, MAX_SEALED_NONCE};
pub use payload::{Custody, FactorEntry, Payload, VERSION};
pub use signed::{RecordError, SignedPayload, VerifiedRecord};
