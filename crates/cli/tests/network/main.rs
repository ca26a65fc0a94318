//! A node network as it is deployed: processes of the real binary that make, refresh and move a key, and are killed,
//! stopped, and impersonated meanwhile.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod faults;
mod gate;
mod interrupted;
mod liars;
mod load;
mod mistakes;

#[path = "../support/mod.rs"]
mod support;
mod users;
mod world;
