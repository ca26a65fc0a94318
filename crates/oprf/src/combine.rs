//! Combination in the exponent: `T` verified answers become the master key's own answer.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::fmt;

use curve25519_dalek::Scalar;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::committee::Committee;
use crate::evaluate::{SecretPoint, VerifiedEvaluation};
use crate::index::NodeIndex;
use crate::lagrange;

/// The network's answer, `Z = sk*Q`: the same from every set of `T` nodes, in every epoch.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Output([u8; 32]);

/// These answers do not combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CombineError {
    /// Fewer or more than the threshold.
    #[error("the network combines exactly {needed} answers, got {given}")]
    Count {
        /// The threshold.
        needed: u16,
        /// Answers that were given.
        given: usize,
    },
    /// One node's answer twice.
    #[error("node {0} answered twice: use answers of different nodes")]
    Duplicate(NodeIndex),
    /// Verified by another committee (another network or epoch).
    #[error("node {0}'s answer was verified for another network or epoch")]
    Foreign(NodeIndex),
    /// Verified for another input than the others.
    #[error("node {0} answered for another input than the others")]
    Input(NodeIndex),
}

impl Committee {
    /// Interpolates exactly `T` answers at zero.
    ///
    /// # Errors
    /// [`CombineError`] for another number of answers, a node twice, or answers for different networks, epochs or
    /// inputs.
    pub fn combine(&self, evaluations: &[VerifiedEvaluation]) -> Result<Output, CombineError> {
        let given = evaluations.len();
        let Some(first) = evaluations
            .first()
            .filter(|_| given == usize::from(self.threshold()))
        else {
            return Err(CombineError::Count {
                needed: self.threshold(),
                given,
            });
        };
        let mut seen = BTreeSet::new();
        for evaluation in evaluations {
            let index = evaluation.index;
            if evaluation.network != *self.group_key().as_bytes()
                || evaluation.epoch != self.epoch()
            {
                return Err(CombineError::Foreign(index));
            }
            if evaluation.input != first.input {
                return Err(CombineError::Input(index));
            }
            if !seen.insert(index) {
                return Err(CombineError::Duplicate(index));
            }
        }
        let points: Vec<_> = evaluations
            .iter()
            .map(|e| (e.index.scalar(), e.value.point))
            .collect();
        let points = Zeroizing::new(points);
        Ok(Output(
            SecretPoint::new(lagrange::interpolate(&points, &Scalar::ZERO)).bytes,
        ))
    }
}

impl Output {
    /// The encoded group element: keep it out of logs, errors and arguments.
    #[must_use]
    pub const fn expose_secret(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Output(redacted)")
    }
}

impl ConstantTimeEq for Output {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl PartialEq for Output {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for Output {}
