//! A network of nodes over real sockets with a real OpenID provider, honest users and attackers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers may fail as the test itself"
)]

mod attackers;
mod claims;
mod forgeries;
mod http_form;
mod keys;
mod limits;
mod login;
mod observed;
mod secrets;
mod world;
