//! The OPRF of counted guesses (RFC 9497, suite ristretto255-SHA512, mode VOPRF): the evaluators see a blinded element and
//! learn nothing of what is guessed; without enough of them nobody can try a guess.
//!
//! The key is a sum, `K = K_nodes + K_server`, of which `K_nodes` is shared among nodes. Each evaluator proves its answer
//! ([`crate::KeyShare::evaluate`], [`crate::Committee::verify`]) with this crate's own transcript, one element at a time.

use alloc::vec::Vec;
use core::fmt;

use curve25519_dalek::Scalar;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::traits::{Identity, IsIdentity};
use rand_core::CryptoRng;
use sha2::{Digest, Sha512};
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::combine::Output;
use crate::deal::MasterKey;
use crate::element::{Element, decode};
use crate::evaluate::SecretPoint;
use crate::input::{Input, hash_to_group};

/// RFC 9497 section 4.1 and 3.1: the tag for hashing inputs in mode 1.
const HASH_TO_GROUP: &[u8] = b"HashToGroup-OPRFV1-\x01-ristretto255-SHA512";

/// A guess before it is answered: what was guessed and the scalar that hides it. Used once.
pub struct Blinding {
    input: Zeroizing<Vec<u8>>,
    blind: Zeroizing<Scalar>,
    element: Element,
}

/// What the OPRF yields: 64 uniform bytes, the same for the same key and input.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct GuessOutput([u8; 64]);

/// Why a guess cannot be made or finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GuessError {
    /// More than 65,535 bytes.
    #[error("an input has at most 65535 bytes")]
    TooLong,
    /// The blind, the input's element or the sum of the answers came out as the neutral element.
    #[error("the random source gives no random numbers: a value came out as zero")]
    BrokenRandomness,
}

impl Blinding {
    /// Hashes `input`, at most 65,535 bytes, to the group and blinds it (RFC 9497 section 3.3.2, `Blind`).
    ///
    /// # Errors
    /// [`GuessError`].
    pub fn new(input: &[u8], rng: &mut impl CryptoRng) -> Result<Self, GuessError> {
        Self::with_blind(input, Scalar::random(rng))
    }

    pub(crate) fn with_blind(input: &[u8], blind: Scalar) -> Result<Self, GuessError> {
        let blind = Zeroizing::new(blind);
        if u16::try_from(input.len()).is_err() {
            return Err(GuessError::TooLong);
        }
        let point = Zeroizing::new(hash_to_group(&[input], HASH_TO_GROUP));
        Ok(Self {
            element: Element::from_point(*blind * *point).ok_or(GuessError::BrokenRandomness)?,
            input: Zeroizing::new(input.to_vec()),
            blind,
        })
    }

    /// What the evaluators are sent: uniform, whatever was guessed.
    #[must_use]
    pub const fn element(&self) -> &Element {
        &self.element
    }

    /// Adds up the answers of the parts of the key, unblinds and hashes (RFC 9497 section 3.3.2, `Finalize`).
    ///
    /// The answers must have been verified for [`Input::guess`] of this blinding's element.
    ///
    /// # Errors
    /// [`GuessError::BrokenRandomness`].
    pub fn finalize<'a>(
        &self,
        answers: impl IntoIterator<Item = &'a Output>,
    ) -> Result<GuessOutput, GuessError> {
        let mut sum = RistrettoPoint::identity();
        for answer in answers {
            sum += decode(answer.expose_secret()).map_err(|_| GuessError::BrokenRandomness)?;
        }
        let mut inverse = self.blind.invert();
        let unblinded = SecretPoint::new(inverse * sum);
        inverse.zeroize();
        sum.zeroize();
        GuessOutput::of(&self.input, &unblinded)
    }
}

impl GuessOutput {
    /// What evaluators with these parts of a key would answer to `input`, at most 65,535 bytes: for whoever deals the key.
    ///
    /// # Errors
    /// [`GuessError`].
    pub fn evaluate<'a>(
        key: impl IntoIterator<Item = &'a MasterKey>,
        input: &[u8],
    ) -> Result<Self, GuessError> {
        let mut sum = Zeroizing::new(Scalar::ZERO);
        for part in key {
            *sum += part.scalar();
        }
        let point = Zeroizing::new(hash_to_group(&[input], HASH_TO_GROUP));
        Self::of(input, &SecretPoint::new(*sum * *point))
    }

    fn of(input: &[u8], element: &SecretPoint) -> Result<Self, GuessError> {
        if element.point.is_identity() {
            return Err(GuessError::BrokenRandomness);
        }
        let length = u16::try_from(input.len()).map_err(|_| GuessError::TooLong)?;
        let hash = Sha512::new()
            .chain_update(length.to_be_bytes())
            .chain_update(input)
            .chain_update([0, 32])
            .chain_update(element.bytes)
            .chain_update(b"Finalize");
        let mut output = Self([0; 64]);
        hash.finalize_into((&mut output.0).into());
        Ok(output)
    }

    /// The bytes: keep them out of logs, errors and arguments.
    #[must_use]
    pub const fn expose_secret(&self) -> &[u8; 64] {
        &self.0
    }
}

impl Input {
    /// The input of a guess: an element that its owner has blinded.
    #[must_use]
    pub const fn guess(element: &Element) -> Self {
        Self::of_element(element, GUESS)
    }
}

/// Proof label of guesses.
const GUESS: &[u8] = b"trefoil/v1/guess";

// Blind and input wipe themselves; the element is public.
impl ZeroizeOnDrop for Blinding {}

impl fmt::Debug for Blinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blinding(redacted)")
    }
}

impl fmt::Debug for GuessOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GuessOutput(redacted)")
    }
}

impl ConstantTimeEq for GuessOutput {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl PartialEq for GuessOutput {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for GuessOutput {}
