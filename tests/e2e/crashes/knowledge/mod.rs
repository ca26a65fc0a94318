//! What a user knows, enrolled, guessed, changed, renewed and removed by a client that is cut off around every message.

mod change;
mod cuts;
mod enrol;
mod guess;

mod remove;
mod renew;
