//! The trait that a keeper of rate limits implements: token buckets that all processes of a server share.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use crate::store::StoreFuture;

/// Whose bucket it is: a keyed hash of a locator or an address, so that the store holds neither.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LimitSubject([u8; 32]);

impl LimitSubject {
    /// From the hash.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for LimitSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LimitSubject(redacted)")
    }
}

/// Tokens to take from a bucket. Its size and rate belong to the draw: a changed setting is in force at once.
#[derive(Debug, Clone, Copy)]
pub struct LimitDraw {
    /// Whose bucket.
    pub subject: LimitSubject,
    /// How many tokens to take: all of them or none.
    pub tokens: NonZeroU32,
    /// Tokens that a full bucket holds.
    pub burst: NonZeroU32,
    /// Milliseconds after which one more token is there.
    pub interval: NonZeroU32,
    /// Unix milliseconds.
    pub now: u64,
}

/// What became of a draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitDrawn {
    /// The tokens are taken.
    Granted,
    /// Nothing was taken; that many milliseconds later it would have been.
    Later(u64),
}

/// Rate limits as token buckets (GCRA: one time per bucket, before which it is not full).
///
/// A draw is atomic: however many processes draw at once, no more tokens are granted than there are. A draw of more tokens than
/// the burst is never granted. Buckets that are full again are forgotten.
///
/// Every back end must pass the suite that the feature `conformance` exports.
pub trait LimitStore: Send + Sync + 'static {
    /// Takes tokens.
    ///
    /// # Errors
    /// A fault.
    fn draw(&self, draw: LimitDraw) -> StoreFuture<'_, LimitDrawn>;
}

/// The time at which the bucket is full again after the draw, or how long until it is granted. `full_at` is that time before.
pub(crate) fn drawn(full_at: Option<u64>, draw: &LimitDraw) -> Result<u64, u64> {
    let interval = u64::from(draw.interval.get());
    let full_at = full_at.unwrap_or(draw.now).max(draw.now);
    let next = full_at.saturating_add(u64::from(draw.tokens.get()).saturating_mul(interval));
    let latest = draw
        .now
        .saturating_add(u64::from(draw.burst.get()).saturating_mul(interval));
    if next <= latest {
        Ok(next)
    } else {
        Err(next - latest)
    }
}

/// [`LimitStore`] in the memory of one process: for servers that are one, as those on SQLite are.
///
/// Clones share their buckets.
#[derive(Debug, Clone, Default)]
pub struct MemoryLimits(Arc<Mutex<Buckets>>);

#[derive(Debug, Default)]
struct Buckets {
    full_at: HashMap<LimitSubject, u64>,
    /// Draws until full buckets are looked for again.
    until_tidy: usize,
}

/// Fewest draws between two looks for full buckets.
const TIDY_EVERY: usize = 1024;

impl MemoryLimits {
    fn draw_now(&self, draw: &LimitDraw) -> LimitDrawn {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.until_tidy == 0 {
            buckets.full_at.retain(|_, full_at| *full_at > draw.now);
            // As many draws as there are buckets: tidying costs each draw a constant.
            buckets.until_tidy = buckets.full_at.len().max(TIDY_EVERY);
        }
        buckets.until_tidy -= 1;
        match drawn(buckets.full_at.get(&draw.subject).copied(), draw) {
            Ok(full_at) => {
                buckets.full_at.insert(draw.subject, full_at);
                LimitDrawn::Granted
            }
            Err(later) => LimitDrawn::Later(later),
        }
    }
}

impl LimitStore for MemoryLimits {
    fn draw(&self, draw: LimitDraw) -> StoreFuture<'_, LimitDrawn> {
        let drawn = self.draw_now(&draw);
        Box::pin(async move { Ok(drawn) })
    }
}

#[cfg(all(test, feature = "conformance"))]
mod tests {
    use super::MemoryLimits;
    use crate::conformance::LimitBackend;

    impl LimitBackend for MemoryLimits {
        type Store = Self;

        fn open(&self) -> Self {
            self.clone()
        }
    }

    crate::limit_conformance_tests!(MemoryLimits::default());
}
