//! What an evaluator keeps of a slot and every change that its record can go through: functions of (record, request, time,
//! randomness). The same for nodes and the metadata server; whoever stores the record replaces it by compare-and-set and
//! answers only when the new one is durable.

mod delete;
mod enrol;
mod error;
mod guess;
mod list;
mod record;
#[cfg(test)]
mod tests;
mod unlock;

pub use enrol::OpenedEnrolment;
pub use error::SlotError;
pub use record::{Changed, RecordError, SlotRecord};
