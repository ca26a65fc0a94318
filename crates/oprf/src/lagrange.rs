//! Interpolation in the exponent. All scalars here come from node indices, which are public.

use alloc::vec::Vec;

use curve25519_dalek::Scalar;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::traits::VartimeMultiscalarMul;

/// `Π (at - x_j) / (x_i - x_j)` over `j ≠ i`, for each `i`, with one inversion in all. The `xs` are distinct.
pub(crate) fn coefficients(xs: &[Scalar], at: &Scalar) -> Vec<Scalar> {
    let others = |i: usize| {
        xs.iter()
            .enumerate()
            .filter(move |(j, _)| *j != i)
            .map(|(_, x)| x)
    };
    let mut denominators: Vec<Scalar> = xs
        .iter()
        .enumerate()
        .map(|(i, xi)| others(i).map(|xj| xi - xj).product())
        .collect();
    Scalar::invert_batch_alloc(&mut denominators);
    denominators
        .iter()
        .enumerate()
        .map(|(i, inverse)| others(i).map(|xj| at - xj).product::<Scalar>() * inverse)
        .collect()
}

/// The value at `at` of the one polynomial of degree below `points.len()` through `points`.
pub(crate) fn interpolate(points: &[(Scalar, RistrettoPoint)], at: &Scalar) -> RistrettoPoint {
    let xs: Vec<Scalar> = points.iter().map(|(x, _)| *x).collect();
    RistrettoPoint::vartime_multiscalar_mul(coefficients(&xs, at), points.iter().map(|(_, y)| y))
}
