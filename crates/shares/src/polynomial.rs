//! The dealer's polynomial: secret, kept only as long as shares are made from it.

use alloc::vec::Vec;
use core::fmt;

use k256::Scalar;
use rand_core::CryptoRng;
use vsss_rs::{IdentifierPrimeField, Polynomial as VsssPolynomial, PrimeFieldShare, Share as _};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::commitments::Commitments;
use crate::index::{ShareIndex, Threshold};
use crate::secret::SharedSecret;
use crate::share::Share;

pub(crate) type VsssShare = PrimeFieldShare<Scalar>;

/// Coefficients in the form `vsss-rs` fills and evaluates: `a_0` is the value of the first element, `a_j` the
/// identifier of element `j`. Its own `Vec` polynomial is neither wiped nor redacted; this one is.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Coefficients(Vec<VsssShare>);

impl VsssPolynomial<VsssShare> for Coefficients {
    fn create(size_hint: usize) -> Self {
        // Never grown afterwards: a growing vector would leave unwiped copies behind.
        Self(alloc::vec![VsssShare::default(); size_hint])
    }

    fn coefficients(&self) -> &[VsssShare] {
        &self.0
    }

    fn coefficients_mut(&mut self) -> &mut [VsssShare] {
        &mut self.0
    }
}

impl Coefficients {
    /// A random polynomial with `intercept` as its value at zero. All other coefficients are uniform.
    pub(crate) fn random<R: CryptoRng + ?Sized>(
        intercept: &Scalar,
        threshold: Threshold,
        rng: &mut R,
    ) -> Self {
        let mut coefficients = Self::create(threshold.to_usize());
        // Fails only where the vector is shorter than asked for, and it was made of that length.
        let filled =
            coefficients.fill(&IdentifierPrimeField(*intercept), rng, threshold.to_usize());
        debug_assert!(filled.is_ok());
        coefficients
    }

    /// `a_0` and then the others.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Scalar> {
        let first = self.0.iter().take(1).map(|first| &first.value().0);
        first.chain(self.random_part())
    }

    /// `a_1` and up.
    pub(crate) fn random_part(&self) -> impl Iterator<Item = &Scalar> {
        self.0.iter().skip(1).map(|other| &other.identifier().0)
    }

    /// The value at `index`, in constant time.
    pub(crate) fn share_at(&self, index: ShareIndex) -> Share {
        let mut value = IdentifierPrimeField(Scalar::ZERO);
        self.evaluate_in_place(
            &IdentifierPrimeField(index.to_scalar()),
            self.0.len(),
            &mut value,
        );
        let share = Share::from_scalar(index, &value.0);
        value.zeroize();
        share
    }
}

/// A polynomial `f` of degree `t - 1` over the scalars of secp256k1 with `f(0)` the shared secret, and its
/// commitments. One polynomial is one epoch.
///
/// Wiped on drop; `Debug` shows the threshold only.
#[derive(Clone, ZeroizeOnDrop)]
pub struct Polynomial {
    coefficients: Coefficients,
    #[zeroize(skip)]
    commitments: Commitments,
}

impl Polynomial {
    /// A new random polynomial through the secret.
    pub fn generate<R: CryptoRng + ?Sized>(
        secret: &SharedSecret,
        threshold: Threshold,
        rng: &mut R,
    ) -> Self {
        loop {
            let coefficients = Coefficients::random(secret.as_scalar(), threshold, rng);
            // A zero coefficient (chance 2^-256 each) has no commitment that may be sent: draw again.
            let committed = Commitments::commit(coefficients.iter()).ok();
            if let Some(commitments) =
                committed.and_then(|points| Commitments::from_points(points).ok())
            {
                return Self {
                    coefficients,
                    commitments,
                };
            }
        }
    }

    /// The share `f(index)`.
    #[must_use]
    pub fn share_at(&self, index: ShareIndex) -> Share {
        self.coefficients.share_at(index)
    }

    /// The public commitments.
    #[must_use]
    pub fn commitments(&self) -> &Commitments {
        &self.commitments
    }

    /// How many shares reconstruct.
    #[must_use]
    pub fn threshold(&self) -> Threshold {
        self.commitments.threshold()
    }

    pub(crate) fn as_vsss(&self) -> &Coefficients {
        &self.coefficients
    }
}

impl fmt::Debug for Polynomial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Polynomial {{ threshold: {}, coefficients: [redacted] }}",
            self.threshold()
        )
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(1)
    }

    #[test]
    fn coefficients_wipe_and_are_all_used() {
        let mut coefficients =
            Coefficients::random(&Scalar::from(7u32), Threshold::MIN, &mut rng());
        let [first, second] = coefficients.iter().copied().collect::<Vec<_>>()[..] else {
            panic!("a line has two coefficients");
        };
        assert_eq!(first, Scalar::from(7u32));
        assert!(!bool::from(second.is_zero()));
        let at_three = coefficients.share_at(ShareIndex::new(3).unwrap());
        assert_eq!(*at_three.value(), first + second * Scalar::from(3u32));

        coefficients.zeroize();
        assert_eq!(coefficients.iter().count(), 0);
    }

    #[test]
    fn coefficients_are_never_reallocated() {
        let coefficients =
            Coefficients::random(&Scalar::ONE, Threshold::new(9).unwrap(), &mut rng());
        assert_eq!(coefficients.0.capacity(), 9);
    }

    #[test]
    fn the_next_epoch_has_other_coefficients() {
        let secret = SharedSecret::random(&mut rng());
        let mut rng = rng();
        let one = Polynomial::generate(&secret, Threshold::MIN, &mut rng);
        let two = Polynomial::generate(&secret, Threshold::MIN, &mut rng);
        assert_ne!(one.commitments(), two.commitments());
        assert_eq!(
            one.commitments().secret_point(),
            two.commitments().secret_point()
        );
    }
}
