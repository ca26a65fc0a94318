//! When a failed exchange is tried again, and how long to wait before.

use core::time::Duration;

use rand_core::CryptoRng;
use tokio::time::Instant;

/// A policy without end is one of a day: adding to an instant overflows.
const LONGEST_CALL: Duration = Duration::from_secs(24 * 60 * 60);

/// How often and how long to try.
///
/// Waiting grows by doubling from `first_delay` to `longest_delay`, each time shortened by up to half at random, so
/// that clients cut off together do not come back together. A wait that the server asks for comes before ours: it asks all
/// of them for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Times one call may be sent, the first included. At least 1.
    pub attempts: u32,
    /// Wait before the second attempt.
    pub first_delay: Duration,
    /// No wait of ours is longer.
    pub longest_delay: Duration,
    /// The whole call, waits included, ends within this.
    pub total: Duration,
}

impl RetryPolicy {
    /// One attempt only, within `total`.
    pub const fn once(total: Duration) -> Self {
        Self {
            attempts: 1,
            first_delay: Duration::ZERO,
            longest_delay: Duration::ZERO,
            total,
        }
    }

    /// When a call that begins now has to be over.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.total.min(LONGEST_CALL)
    }

    /// The wait after failed attempt number `failed`, from 1.
    pub fn delay(&self, failed: u32, rng: &mut impl CryptoRng) -> Duration {
        let doubled = self.first_delay.saturating_mul(
            1_u32
                .checked_shl(failed.saturating_sub(1))
                .unwrap_or(u32::MAX),
        );
        let full = doubled.min(self.longest_delay);
        // Between one and two halves.
        full.mul_f64(0.5 + f64::from(rng.next_u32()) / f64::from(u32::MAX) * 0.5)
    }
}

impl Default for RetryPolicy {
    /// Three attempts, waits of about 0.2 and 0.4 s, 20 s in all.
    fn default() -> Self {
        Self {
            attempts: 3,
            first_delay: Duration::from_millis(200),
            longest_delay: Duration::from_secs(2),
            total: Duration::from_secs(20),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    #[test]
    fn waits_double_up_to_the_longest_and_are_shortened_by_at_most_half() {
        let policy = RetryPolicy::default();
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for (failed, full) in [
            (1, 200),
            (2, 400),
            (3, 800),
            (4, 1600),
            (5, 2000),
            (40, 2000),
            (u32::MAX, 2000),
        ] {
            for _ in 0..50 {
                let delay = policy.delay(failed, &mut rng);
                assert!(delay <= Duration::from_millis(full), "{failed}: {delay:?}");
                assert!(
                    delay >= Duration::from_millis(full / 2),
                    "{failed}: {delay:?}"
                );
            }
        }
    }
}
