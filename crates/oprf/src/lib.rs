//! The social PRF of Trefoil's node network over ristretto255 (RFC 9496).
//!
//! A master key is shared among `N` nodes with threshold `T`. Each node multiplies the hash of a user identity by its
//! share and proves that it did ([`KeyShare::evaluate`]). Whoever holds the network's [`Committee`] verifies the
//! answers, names liars, and combines exactly `T` of them into the one [`Output`] that the master key would have
//! given. Fewer than `T` answers say nothing about it.
//!
//! Sources: RFC 9380 (hashing to the group), RFC 9496 (ristretto255), RFC 9497 section 2.2 (proofs), Shamir 1979,
//! Naor-Pinkas-Reingold 1999 (distributed PRF).
//!
//! ```
//! use rand_core::SeedableRng;
//! use trefoil_oprf::{Committee, Input, deal};
//!
//! # let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
//! let dealing = deal(2, 3, &mut rng)?;
//! let committee = Committee::new(dealing.group_key, 2, 1, &dealing.verifying_shares)?;
//!
//! let input = Input::social(&[b"who the user is"]);
//! let mut verified = Vec::new();
//! for share in dealing.shares.iter().take(2) {
//!     let answer = share.evaluate(1, &input, &mut rng);
//!     verified.push(committee.verify(&input, answer)?);
//! }
//! let output = committee.combine(&verified)?;
//! assert_eq!(output.expose_secret().len(), 32);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! What is secret here: [`MasterKey`], [`KeyShare`], [`Evaluation`], [`VerifiedEvaluation`], [`Output`]. Each has a
//! redacted `Debug` and is wiped when dropped; operations on key shares take constant time. Variable-time arithmetic
//! is used only where the scalars are public: Lagrange coefficients and the two scalars of a proof.

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
mod index;
mod input;
mod keys;
mod lagrange;
#[cfg(test)]
mod rfc_tests;

pub use combine::{CombineError, Output};
pub use committee::{Committee, CommitteeError, check_verifying_shares};
pub use deal::{DealError, Dealing, MasterKey, deal};
pub use dleq::Proof;
pub use element::{Element, ElementError, ScalarError};
pub use evaluate::{Evaluation, EvaluationError, VerifiedEvaluation};
pub use index::{IndexError, NodeIndex};
pub use input::Input;
pub use keys::{GroupKey, KeyShare, VerifyingShare};
