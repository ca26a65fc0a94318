//! The keys that login providers publish: reading them, fetching them, keeping them.

mod cache;
mod fetch;
mod key;
mod set;

pub(crate) use cache::KeyCache;
pub(crate) use fetch::Fetcher;
pub use set::KeySetError;
pub(crate) use set::{KeySet, Selection};
