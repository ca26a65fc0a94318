//! Tests of the crate from outside, with the eyes of its users and of its attackers.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail the test"
)]

mod attackers;
mod bytes;
mod exhaustive;
mod interop;
mod properties;
mod secrets;
mod support;
