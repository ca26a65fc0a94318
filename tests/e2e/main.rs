//! End to end: the SDK against real servers on loopback sockets.
//!
//! - [`flows`]: what users do, and what bad input gets them.
//! - [`attackers`]: one file per attacker of the protocol's section 13, each trying to get more than it should.
//! - [`crashes`]: clients killed around every request, clients racing each other, servers that lost data.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod attackers;
mod ceremonies;
mod common;
mod crashes;
mod flows;
