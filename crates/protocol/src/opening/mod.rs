//! Section 5: from a record and factors at hand to the account.

mod account;
mod error;
mod lending;
mod steps;

pub use account::{HeldFactor, OpenAccount};
pub use error::OpeningError;
pub use steps::Opening;
