//! Counted guesses at one node, as its owner, its clients and their attackers meet them.

mod enrolling;
mod fixture;
mod guessing;
mod lists;
mod logs;
mod round_trip;
mod storing;
mod unlocking;
