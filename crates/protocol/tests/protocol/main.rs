//! Tests of the crate from outside, with the eyes of its users and of its attackers.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests may fail the test"
)]

mod changing;
mod commits;
mod custody;
mod kit;
mod opening;
mod records;
mod restoring;
mod support;
