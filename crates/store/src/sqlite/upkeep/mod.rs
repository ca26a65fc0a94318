//! What an operator does to the store: one file per verb.

pub(super) mod dump;
pub(super) mod load;
pub(super) mod prune;
pub(super) mod reseal;
pub(super) mod restore;
pub(super) mod stats;
