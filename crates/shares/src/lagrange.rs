//! Lagrange interpolation over public `u32` indices (Shamir 1979).
//!
//! `f(a) = N * sum of y_i / d_i` with `N = prod_j (a - x_j)` and `d_i = (a - x_i) * prod_{j != i} (x_i - x_j)`. The
//! indices are public, so the `d_i` may be computed in variable time; only the products with `y_i` touch secrets and
//! run in constant time.

use alloc::vec::Vec;
use core::num::NonZeroU64;

use k256::Scalar;
use zeroize::Zeroizing;

use crate::share::Share;

/// The group order `n` (SEC 2 section 2.4.1), most significant word first.
const ORDER: [u64; 4] = [
    0xffff_ffff_ffff_ffff,
    0xffff_ffff_ffff_fffe,
    0xbaae_dce6_af48_a03b,
    0xbfd2_5e8c_d036_4141,
];

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
    let mut inverse = inverse(&product);
    for (element, before) in elements.iter_mut().zip(&before).rev() {
        let own = Scalar::mul(&inverse, before);
        inverse = Scalar::mul(&inverse, element);
        *element = own;
    }
    elements
}

/// `1 / x`, or zero for zero. Variable time.
fn inverse(x: &Scalar) -> Scalar {
    // A few shares with small indices have a small product, of either sign.
    match (small(x), small(&x.negate())) {
        (Some(x), _) => inverse_of_small(x),
        (None, Some(x)) => inverse_of_small(x).negate(),
        (None, None) => x.invert_vartime().unwrap_or(Scalar::ZERO),
    }
}

/// The scalar as a number where it is one from 1 to `2^64 - 1`.
fn small(x: &Scalar) -> Option<NonZeroU64> {
    let bytes: [u8; 32] = x.to_bytes().into();
    let [high @ .., a, b, c, d, e, f, g, h] = bytes;
    let low = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    NonZeroU64::new(low).filter(|_| high == [0; 24])
}

/// `1 / d` modulo `n` with the extended Euclidean algorithm on machine words only: several times faster than on
/// 256 bits, which for two shares is most of the work.
///
/// With `n = q*d + r` and `k = -1/r mod d`, `n*k + 1` is a multiple of `d`, and the quotient is the inverse:
/// `q*k + (r*k + 1) / d`.
fn inverse_of_small(d: NonZeroU64) -> Scalar {
    let d = u128::from(d.get());
    let (mut q, mut r) = (Scalar::ZERO, 0);
    for word in ORDER {
        // Schoolbook division, most significant word first; r stays below d, so nothing overflows.
        let part = r << u64::BITS | u128::from(word);
        q = Scalar::add(
            &Scalar::mul(&q, &Scalar::from(1u128 << u64::BITS)),
            &Scalar::from(part / d),
        );
        r = part % d;
    }
    let k = d - inverse_modulo(r, d);
    Scalar::add(
        &Scalar::mul(&q, &Scalar::from(k)),
        &Scalar::from((r * k + 1) / d),
    )
}

/// `1 / a` modulo `d` for `a` without a common divisor, both below `2^64`.
fn inverse_modulo(a: u128, d: u128) -> u128 {
    // Throughout, `first = x * a` and `second = y * a` modulo `d`; x and y stay below d in magnitude.
    let (mut first, mut second) = (a, d);
    let (mut x, mut y) = (1i128, 0i128);
    while second != 0 {
        let quotient = first / second;
        (first, second) = (second, first % second);
        (x, y) = (y, x - y * quotient.cast_signed());
    }
    x.rem_euclid(d.cast_signed()).cast_unsigned()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expected(x: &Scalar) -> Scalar {
        x.invert().unwrap_or(Scalar::ZERO)
    }

    #[test]
    fn inverses_at_the_edges() {
        let edges = [
            0,
            1,
            2,
            3,
            u64::from(u32::MAX),
            1 << 32,
            u64::MAX - 1,
            u64::MAX,
        ];
        for edge in edges {
            let x = Scalar::from(edge);
            assert_eq!(inverse(&x), expected(&x), "{edge}");
            assert_eq!(inverse(&x.negate()), expected(&x.negate()), "-{edge}");
        }
        let large = Scalar::from(1u128 << 64);
        assert!(small(&large).is_none());
        assert_eq!(inverse(&large), expected(&large));
    }

    proptest! {
        #[test]
        fn inverses_are_inverses(x: u64, shift in 0..64u32, wide: u128) {
            for x in [Scalar::from(x >> shift), Scalar::from(x >> shift).negate(), Scalar::from(wide)] {
                prop_assert_eq!(inverse(&x), expected(&x));
            }
        }

        #[test]
        fn products_are_products(factors: Vec<(u32, u32)>) {
            let mut product = Product::new();
            let mut expected = Scalar::ONE;
            for (a, b) in factors {
                product.times_difference(a, b);
                expected *= Scalar::from(a) - Scalar::from(b);
            }
            prop_assert_eq!(product.finish(), expected);
        }

        #[test]
        fn batches_are_single_inverses(elements: Vec<u128>) {
            let elements: Vec<Scalar> = elements.into_iter().filter(|x| *x != 0).map(Scalar::from).collect();
            let single: Vec<Scalar> = elements.iter().map(expected).collect();
            prop_assert_eq!(inverses(elements.into_iter()), single);
        }
    }
}
