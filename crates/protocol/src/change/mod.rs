//! Making the next record: creating, changing, restoring. Nothing is stored here; what comes out was self-checked.

mod blueprint;
mod create;
mod error;
mod prepared;
mod request;
mod restore;
mod slots;
mod update;

pub use create::create;
pub use error::ChangeError;
pub use prepared::Prepared;
pub use request::{Accepted, Change, NewFactor};
pub use restore::restore;
