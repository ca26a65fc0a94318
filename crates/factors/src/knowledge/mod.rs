//! What the user knows: normalised, checked for strength when it is chosen, and stretched. What comes of it goes through the
//! threshold OPRF of protocol section 10 before it opens anything.

mod normalise;
mod password;
mod pin;
mod questions;
mod strength;
mod stretch;

pub use normalise::{NormaliseError, RULE};
pub use password::{Password, PasswordError};
pub use pin::{Pin, PinError};
pub use questions::{
    Answers, AnswersError, BANK, BankQuestion, NewQuestion, QuestionsError, SecurityQuestions,
};
pub use strength::Weakness;
pub use stretch::{Cost, Input, StretchError, Stretched};
