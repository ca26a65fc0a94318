//! The README and those pages of the book that show Rust code: their examples run as doctests of this crate.

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
pub mod readme {}

#[doc = include_str!("src/sdk.md")]
#[cfg(doctest)]
pub mod sdk {}
