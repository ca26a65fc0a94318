//! A secret polynomial (Shamir 1979) and its Feldman commitments (Feldman 1987).
//!
//! Splitting is written here and not taken from a crate because the coefficients, each as secret as the key, have to
//! be wiped; a test interpolates the result with a foreign implementation.

use alloc::vec::Vec;

use curve25519_dalek::Scalar;
use curve25519_dalek::ristretto::RistrettoPoint;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::index::NodeIndex;

/// Constant coefficient first.
pub(crate) struct Polynomial(Zeroizing<Vec<Scalar>>);

impl Polynomial {
    /// Of degree `threshold - 1` through `constant` at zero; the other coefficients are uniform.
    pub(crate) fn random(constant: &Scalar, threshold: u16, rng: &mut impl CryptoRng) -> Self {
        // Reserved whole: growing would leave unwiped copies behind.
        let mut coefficients = Zeroizing::new(Vec::with_capacity(usize::from(threshold)));
        coefficients.push(*constant);
        coefficients.extend((1..threshold).map(|_| Scalar::random(rng)));
        Self(coefficients)
    }

    /// The value at a node's place, by Horner's rule.
    pub(crate) fn at(&self, index: NodeIndex) -> Zeroizing<Scalar> {
        let x = index.scalar();
        let horner = |sum: Scalar, coefficient: &Scalar| sum * x + coefficient;
        Zeroizing::new(self.0.iter().rev().fold(Scalar::ZERO, horner))
    }

    /// `C_k = a_k*B`, constant coefficient first.
    pub(crate) fn commitments(&self) -> impl Iterator<Item = RistrettoPoint> {
        self.0.iter().map(RistrettoPoint::mul_base)
    }
}
