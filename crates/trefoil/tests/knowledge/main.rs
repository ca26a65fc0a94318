//! What the user knows, against real servers: nine nodes of which five must answer, and a metadata server.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod changes;
mod guesses;
mod opening;
mod user;
