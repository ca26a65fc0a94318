//! What a user knows, enrolled, guessed, changed, renewed and removed by a client that is cut off around every message.

mod change;
mod enrol;
mod guess;
mod keeper;
mod remove;
mod renew;
