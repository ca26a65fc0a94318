#![doc = include_str!("../README.md")]

mod address;
mod clock;
mod config;
mod ephemeral;
mod evaluate;
mod http;
mod jwks;
mod node;
mod secrets;
mod token;
mod verifier;

pub use address::AddressError;
pub use clock::Clock;
pub use config::{
    CaseRule, ConfigError, EntryError, FetchConfig, KeySource, NodeConfig, Preset, ProviderConfig,
    UserClaim, VerifierConfig, VerifierName,
};
pub use evaluate::EvaluateError;
pub use jwks::KeySetError;
pub use node::Node;
pub use secrets::{LoadSecretsError, load_secrets};
pub use token::{TokenError, VerifiedUser};
pub use verifier::IdTokenVerifier;
