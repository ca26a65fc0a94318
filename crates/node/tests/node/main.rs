//! A network of nodes over real sockets with a real OpenID provider, honest users and attackers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers may fail as the test itself"
)]

mod aggregates;
mod attackers;
mod book;
mod claims;
mod every_node;
mod forgeries;
mod http_form;
mod keys;
mod limits;
mod login;
mod observed;
mod presets;
mod secrets;
mod slots;
mod world;
