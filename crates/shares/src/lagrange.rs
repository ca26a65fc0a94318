//! Lagrange interpolation over public `u32` indices (Shamir 1979).
//!
//! `f(a) = N * sum of y_i / d_i` with `N = prod_j (a - x_j)` and `d_i = (a - x_i) * prod_{j != i} (x_i - x_j)`. The
//! indices are public, so the `d_i` may be computed in variable time; only the products with `y_i` touch secrets and
//! run in constant time.

use alloc::vec::Vec;

use k256::Scalar;
use zeroize::Zeroizing;

use crate::share::Share;

/// `f(at)` of the polynomial of degree `shares.len() - 1` through `shares`.
///
/// The indices must be distinct and other than `at`. Where they are not, the result is zero: no difference vanishes
/// otherwise, and callers check the result against commitments in any case.
pub(crate) fn interpolate(shares: &[Share], at: u32) -> Zeroizing<Scalar> {
    let mut numerator = Product::new();
    for share in shares {
        numerator.times_difference(at, share.index().get());
    }
    let weights = inverses(
        shares
            .iter()
            .map(|share| denominator(shares, share.index().get(), at)),
    );

    let mut sum = Zeroizing::new(Scalar::ZERO);
    for (share, weight) in shares.iter().zip(&weights) {
        let term = Zeroizing::new(Scalar::mul(share.value(), weight));
        *sum = Scalar::add(&sum, &term);
    }
    *sum = Scalar::mul(&sum, &numerator.finish());
    sum
}

/// `d_i` for the index `own`.
fn denominator(shares: &[Share], own: u32, at: u32) -> Scalar {
    let mut product = Product::new();
    product.times_difference(at, own);
    for share in shares {
        let other = share.index().get();
        if other != own {
            product.times_difference(own, other);
        }
    }
    product.finish()
}

/// The inverses of all elements with one inversion (Montgomery's trick). Variable time. All zero if any element is.
fn inverses(elements: impl ExactSizeIterator<Item = Scalar>) -> Vec<Scalar> {
    // First each element's product of those before it, then from the end each one's inverse.
    let mut elements: Vec<Scalar> = elements.collect();
    let mut before = Vec::with_capacity(elements.len());
    let mut product = Scalar::ONE;
    for element in &elements {
        before.push(product);
        product = Scalar::mul(&product, element);
    }
    let mut inverse = product.invert_vartime().unwrap_or(Scalar::ZERO);
    for (element, before) in elements.iter_mut().zip(&before).rev() {
        let own = Scalar::mul(&inverse, before);
        inverse = Scalar::mul(&inverse, element);
        *element = own;
    }
    elements
}

/// A product of differences of `u32` numbers. Multiplies exactly in a `u128` for as long as the next factor surely
/// fits, so at least four factors (twelve for indices up to 1000) cost one multiplication modulo `n`.
struct Product {
    scalar: Scalar,
    pending: u128,
    negative: bool,
}

impl Product {
    fn new() -> Self {
        Self {
            scalar: Scalar::ONE,
            pending: 1,
            negative: false,
        }
    }

    /// Multiplies by `a - b`.
    fn times_difference(&mut self, a: u32, b: u32) {
        // A factor below 2^32 fits while the top 32 bits are free.
        if self.pending.leading_zeros() < u32::BITS {
            self.flush();
        }
        self.pending *= u128::from(a.abs_diff(b));
        self.negative ^= a < b;
    }

    fn flush(&mut self) {
        self.scalar = Scalar::mul(&self.scalar, &Scalar::from(self.pending));
        self.pending = 1;
    }

    fn finish(mut self) -> Scalar {
        self.flush();
        if self.negative {
            self.scalar.negate()
        } else {
            self.scalar
        }
    }
}
