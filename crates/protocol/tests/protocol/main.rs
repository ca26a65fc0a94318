//! Tests of the crate from outside, with the eyes of its users and of its attackers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests may fail the test"
)]

mod attackers;
mod changing;
mod commits;
mod custody;
mod dealing;
mod end_to_end;
mod guessing;
mod histories;
mod kit;
mod lending;
mod opening;
mod records;
mod restoring;
mod rounds;
mod secrets;
mod size;
mod snapshots;
mod support;
mod vectors;
mod wire;
