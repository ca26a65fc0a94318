//! Logging in: the social factor through the network, then the metadata server.

mod authenticate;
mod error;
mod hints;
mod social;

pub(crate) use authenticate::{authenticate, authenticate_device};
pub use error::LoginError;
pub use social::{Login, SocialLogin};
