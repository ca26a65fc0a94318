//! Phones, users and shorthands.

mod phone;
mod steps;

pub use phone::{Phone, Wire};
pub use steps::*;
