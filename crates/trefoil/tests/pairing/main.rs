//! Two devices and the real servers between them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod attackers;
mod ends;
mod enrolling;
mod faults;
mod helping;
mod support;
