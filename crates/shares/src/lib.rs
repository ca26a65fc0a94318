#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;

mod commitments;
mod index;
mod lagrange;
mod nonce;
mod point;
mod polynomial;
mod reconstruct;
mod refresh;
mod secret;
mod share;
mod split;

pub use commitments::{Commitments, CommitmentsError};
pub use index::{ShareIndex, Threshold, ThresholdError, ZeroIndex};
pub use nonce::NonceError;
pub use point::{PointError, PublicPoint};
pub use polynomial::Polynomial;
pub use reconstruct::{ReconstructError, interpolate_at, reconstruct};
pub use refresh::{Refresh, RefreshError};
pub use secret::{KeyScalar, Nonce, ScalarError, SharedSecret, scalar_from_wide};
pub use share::{Share, ShareError, VerifiedShare};
pub use split::{Sharing, SplitError, split, split_count};
