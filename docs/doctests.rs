//! The pages of the book that show Rust code. Their examples run as doctests of this crate.
