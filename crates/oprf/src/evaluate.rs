//! One node's answer: made by its [`KeyShare`], believed only after [`Committee::verify`].

use core::fmt;

use curve25519_dalek::ristretto::RistrettoPoint;
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::committee::Committee;
use crate::dleq::{Claim, Proof};
use crate::element::{ElementError, ScalarError, decode};
use crate::index::NodeIndex;
use crate::input::Input;
use crate::keys::KeyShare;

/// One node's answer as it says so itself. Secret of the user who asked.
#[derive(Clone)]
pub struct Evaluation {
    index: NodeIndex,
    epoch: u32,
    value: SecretPoint,
    proof: Proof,
}

/// One node's answer that is known to be right. Secret of the user who asked.
#[derive(Clone)]
pub struct VerifiedEvaluation {
    pub(crate) index: NodeIndex,
    pub(crate) network: [u8; 32],
    pub(crate) epoch: u32,
    pub(crate) input: [u8; 32],
    pub(crate) value: SecretPoint,
}

/// Why a node's answer is refused. Whatever the reason, the node is faulty or lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// The answer is not a group element that may be used.
    #[error("the node's answer is malformed: {0}")]
    Value(#[from] ElementError),
    /// The proof is not a pair of scalars.
    #[error("the node's proof is malformed: {0}")]
    Proof(#[from] ScalarError),
    /// The committee has no node of this index.
    #[error("the network has no node {0}")]
    UnknownIndex(NodeIndex),
    /// Made with the shares of another epoch.
    #[error(
        "the node answered for epoch {answered}, the network is in epoch {expected}: fetch the current manifest"
    )]
    Epoch {
        /// Epoch of the committee.
        expected: u32,
        /// Epoch of the answer.
        answered: u32,
    },
    /// The proof does not hold: another input, another key, or a made-up answer.
    #[error("node {0} did not prove that it used its own key share: its answer is ignored")]
    Refuted(NodeIndex),
}

impl KeyShare {
    /// Evaluates `input` (`Z_i = sk_i*Q`) and proves it for `epoch`. Constant time in the share.
    #[must_use]
    pub fn evaluate(&self, epoch: u32, input: &Input, rng: &mut impl CryptoRng) -> Evaluation {
        let value = SecretPoint::new(self.scalar() * input.point());
        let claim = Claim {
            epoch,
            public: self.verifying_share(),
            input,
            output: &value.point,
            output_bytes: &value.bytes,
        };
        let proof = claim.prove(self, rng);
        Evaluation {
            index: self.index(),
            epoch,
            value,
            proof,
        }
    }
}

impl Evaluation {
    /// Takes apart what a node sent.
    ///
    /// # Errors
    /// [`EvaluationError::Value`] and [`EvaluationError::Proof`] for bytes that are not canonical or the identity.
    pub fn from_parts(
        index: NodeIndex,
        epoch: u32,
        value: &[u8; 32],
        proof: &[u8; Proof::LEN],
    ) -> Result<Self, EvaluationError> {
        let value = SecretPoint {
            point: decode(value)?,
            bytes: *value,
        };
        Ok(Self {
            index,
            epoch,
            value,
            proof: Proof::from_bytes(proof)?,
        })
    }

    /// Whose it claims to be.
    #[must_use]
    pub const fn index(&self) -> NodeIndex {
        self.index
    }

    /// The epoch it claims.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The encoded group element: keep it out of logs, errors and arguments.
    #[must_use]
    pub const fn expose_secret(&self) -> &[u8; 32] {
        &self.value.bytes
    }

    /// The proof that goes with it.
    #[must_use]
    pub const fn proof(&self) -> &Proof {
        &self.proof
    }
}

impl Committee {
    /// Checks one node's answer for `input`: the only way to a [`VerifiedEvaluation`].
    ///
    /// # Errors
    /// [`EvaluationError`] for an unknown index, another epoch or a proof that does not hold.
    pub fn verify(
        &self,
        input: &Input,
        evaluation: Evaluation,
    ) -> Result<VerifiedEvaluation, EvaluationError> {
        let Evaluation {
            index,
            epoch,
            value,
            proof,
        } = evaluation;
        if epoch != self.epoch() {
            return Err(EvaluationError::Epoch {
                expected: self.epoch(),
                answered: epoch,
            });
        }
        let public = self
            .verifying_share(index)
            .ok_or(EvaluationError::UnknownIndex(index))?;
        let claim = Claim {
            epoch,
            public,
            input,
            output: &value.point,
            output_bytes: &value.bytes,
        };
        if !claim.verify(&proof) {
            return Err(EvaluationError::Refuted(index));
        }
        Ok(VerifiedEvaluation {
            index,
            network: *self.group_key().as_bytes(),
            epoch,
            input: *input.bytes(),
            value,
        })
    }
}

impl VerifiedEvaluation {
    /// Whose it is.
    #[must_use]
    pub const fn index(&self) -> NodeIndex {
        self.index
    }
}

/// A group element that only the user may know.
#[derive(Clone)]
pub(crate) struct SecretPoint {
    pub(crate) point: RistrettoPoint,
    pub(crate) bytes: [u8; 32],
}

impl SecretPoint {
    pub(crate) fn new(point: RistrettoPoint) -> Self {
        Self {
            point,
            bytes: point.compress().to_bytes(),
        }
    }
}

impl Zeroize for SecretPoint {
    fn zeroize(&mut self) {
        self.point.zeroize();
        self.bytes.zeroize();
    }
}

impl Drop for SecretPoint {
    fn drop(&mut self) {
        self.zeroize();
    }
}

// The proof says nothing about the value.
impl Zeroize for Evaluation {
    fn zeroize(&mut self) {
        self.value.zeroize();
    }
}

impl ZeroizeOnDrop for Evaluation {}

impl ZeroizeOnDrop for VerifiedEvaluation {}

impl fmt::Debug for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Evaluation(redacted, index {}, epoch {})",
            self.index, self.epoch
        )
    }
}

impl fmt::Debug for VerifiedEvaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "VerifiedEvaluation(redacted, index {}, epoch {})",
            self.index, self.epoch
        )
    }
}
