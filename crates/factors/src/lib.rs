#![doc = include_str!("../README.md")]

pub mod device;
pub mod knowledge;
pub mod passkey;

mod dapp_share;
mod recovery_phrase;
mod social;
mod words;

pub use dapp_share::DappShare;
pub use device::{DeviceStore, DeviceStoreExt};
pub use recovery_phrase::{DrillError, RecoveryPhrase, WordCount};
pub use social::SocialFactor;
pub use words::{PhraseError, UnknownWord};
