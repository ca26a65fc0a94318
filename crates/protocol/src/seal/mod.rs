//! Sealing: [`aead`] under a shared key, [`hpke`] to a public key.

pub mod aead;
pub mod hpke;
mod usable;

/// The ciphertext does not open: another key, another context, or changed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed bytes do not open with this key in this place")]
pub struct OpenError;
