#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod combine;
mod committee;
mod deal;
mod dleq;
mod element;
mod evaluate;
mod guess;
mod index;
mod input;
mod keys;
mod lagrange;
mod polynomial;
mod reshare;
#[cfg(test)]
mod rfc_tests;

pub use combine::{CombineError, Output};
pub use committee::{Committee, CommitteeError, check_verifying_shares};
pub use deal::{DealError, Dealing, MasterKey, deal};
pub use dleq::Proof;
pub use element::{Element, ElementError, ScalarError};
pub use evaluate::{Evaluation, EvaluationError, VerifiedEvaluation};
pub use guess::{Blinding, GuessError, GuessOutput};
pub use index::{IndexError, NodeIndex};
pub use input::Input;
pub use keys::{GroupKey, KeyShare, VerifyingShare};
pub use reshare::{Commitments, ReshareError, Resharing, ShareDealing, SubShare};
