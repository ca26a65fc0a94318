//! Section 6: what a server checks before it replaces one record with another, and what it takes the commit for.
//! Clients run the same checks before they send.

mod derived;
mod error;
mod rules;

pub use derived::{Derived, NonceChange};
pub use error::CommitError;
pub use rules::{check_commit, check_create};
