//! What users do, and what bad input gets them.

mod delete;
mod factors;
mod import;
mod kit;
mod levels;
mod one_click;
mod postgres;
mod upgrade;
