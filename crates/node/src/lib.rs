#![doc = include_str!("../README.md")]

mod address;
mod backup;
mod ceremony;
mod clock;
mod config;
mod evaluate;
mod http;
mod jwks;
mod limits;
mod metrics;
mod node;
mod observe;
mod ready;
mod secrets;
mod serving;
mod slots;
mod state;
mod token;
mod verifier;

pub use address::AddressError;
pub use backup::{Backup, BackupError, KdfCost, Passphrase, RestoredNode};
pub use ceremony::{CeremonyError, CeremonyPolicy, Trust};
pub use clock::Clock;
pub use config::{
    CaseRule, ConfigError, EntryError, FetchConfig, KeySource, NodeConfig, Preset, ProviderConfig,
    UserClaim, VerifierConfig, VerifierName,
};
pub use evaluate::EvaluateError;
pub use jwks::KeySetError;
pub use limits::{Limits, LimitsConfig, LimitsError, Stopwatch};
pub use metrics::Metrics;
pub use node::Node;
pub use secrets::{LoadSecretsError, load_secrets};
pub use slots::{PermitConfig, SlotsError};
pub use state::StateError;
pub use token::{TokenError, VerifiedUser};
pub use trefoil_server_kit::{Network, NetworkError};
pub use verifier::IdTokenVerifier;
