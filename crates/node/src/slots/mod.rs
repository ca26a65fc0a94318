//! Counted guesses (protocol section 10): this node as one evaluator of its slots, one file per call.
//!
//! What a slot does is [`trefoil_protocol::guess::SlotRecord`]'s; here it is loaded, asked and put back by compare-and-set
//! before anything is answered.

mod delete;
mod enrol;
mod error;
mod guess;
mod keeper;
mod list;
mod permits;
mod routes;
mod unlock;

pub use error::SlotsError;
pub use permits::PermitConfig;

pub(crate) use keeper::SlotKeeper;
pub(crate) use permits::Permits;
pub(crate) use routes::routes;
