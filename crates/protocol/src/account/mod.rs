//! The wallet key and what hangs on it (section 3).

mod keys;

pub use keys::{AccountKeys, GuessSeed, ed25519_wallet_seed, guarded_nonce_key, reset_key};
