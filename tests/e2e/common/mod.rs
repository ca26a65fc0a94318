//! Phones, users and shorthands.

pub(crate) mod keeper;
mod phone;
mod steps;

pub(crate) use phone::Phone;
pub(crate) use steps::*;
