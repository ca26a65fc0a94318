//! Two devices that have nothing in common but a code that one shows and the other reads (protocol section 8): another device
//! of the user, a trusted contact, and a contact's help.
//!
//! Each type offers only what may come next, so that no app can leave out the comparison of the digits. What is dropped half
//! way is given up without a word, and the other side finds out when the time is over; `cancel` and `deny` tell it at once.

mod approve;
mod ask;
mod channel;
mod enrol;
mod error;
mod help;

pub use approve::{Approval, Enrolled};
pub use ask::{ContactShare, HelpComparing, HelpRequest};
pub use channel::Canceller;
pub use enrol::{ContactOf, EnrolComparing, EnrolRequest, Joined};
pub use error::PairError;
pub use help::Help;
