//! `trefoil serve metadata` as a deployment runs it: the real binary, real sockets, attackers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

#[path = "../support/authority.rs"]
mod authority;
mod connections;
mod cors;
mod limits;
mod observed;
mod settings;
mod stopping;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod world;
