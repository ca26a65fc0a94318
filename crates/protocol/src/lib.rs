#![doc = include_str!("../README.md")]
// What derives schemas expects the names of std.
#![cfg_attr(not(any(test, feature = "openapi")), no_std)]

extern crate alloc;

pub mod account;
pub mod bytes;
pub mod ceremony;
pub mod change;
pub mod commit;
pub mod envelope;
pub mod event;
pub mod factor;
pub mod guess;
mod kdf;
pub mod kit;
pub mod nonce;
#[cfg(feature = "openapi")]
mod openapi;
pub mod opening;
pub mod pairing;
mod point;
pub mod policy;
pub mod problem;
pub mod record;
pub mod rollback;
pub mod seal;
mod secret;
pub mod sign;
pub mod social;
pub mod state;
pub mod statement;
pub mod tenant;
pub mod vault;
mod versioned;
pub mod wire;
