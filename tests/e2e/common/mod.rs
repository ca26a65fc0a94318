//! Phones, users and shorthands.

mod phone;
mod steps;

pub(crate) use phone::Phone;
pub(crate) use steps::*;
