//! The wallet key and what hangs on it.

mod keys;
mod wallet_key;

pub use keys::{AccountKeys, GuessSeed, SharedSecretKeys};
pub use wallet_key::{Nonce, OneClickScalar, WalletKey, WalletKeyError, WalletPublicKey};
