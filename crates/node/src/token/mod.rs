//! ID tokens: from text to a user whom the provider vouches for.

mod claims;
mod error;
mod jws;
mod user;

pub(crate) use claims::Claims;
pub use error::TokenError;
pub(crate) use jws::{Algorithm, Jws};
pub use user::VerifiedUser;
