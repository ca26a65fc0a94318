//! A factor yields the same 32-byte secret again; from it come all keys by which it takes part in an account.

mod enrolment;
mod keys;
mod kind;

pub use enrolment::{Enrolment, EnrolmentError};
pub use keys::{FactorKeys, FactorSecret};
pub use kind::FactorKind;
