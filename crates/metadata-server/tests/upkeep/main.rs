//! What an operator does to a store of real, signed accounts: checking, backing up, restoring.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod ages;
mod files;
#[path = "../support/mod.rs"]
mod support;
mod verifying;
mod world;
