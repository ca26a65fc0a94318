//! A small OpenID provider on loopback: discovery, JWKS, ID tokens signed with real keys, and every bad token one might
//! be shown.
//!
//! It has no login page: [`OpenIdProvider::id_token`] and `POST /dev/token` sign in whoever is named. Never put it where
//! strangers can reach it.

mod claims;
mod forge;
mod keys;
mod provider;
mod routes;

pub use claims::Claims;
pub use forge::Forger;
pub use keys::{Algorithm, KeyRing, ProviderKey};
pub use provider::{Fault, Fetches, OidcError, OpenIdProvider, ProviderOptions};
