//! Clocks that stand still and random sources that repeat themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use trefoil_client::{Clock, Environment};

/// 2026-11-23 00:00:00 UTC: where a [`FixedClock`] starts unless told otherwise.
pub const START: u64 = 1_795_392_000;

/// A clock that moves only when told to. Clones share one time.
#[derive(Clone, Debug)]
pub struct FixedClock(Arc<AtomicU64>);

impl FixedClock {
    /// A clock at `unix_time` seconds.
    #[must_use]
    pub fn at(unix_time: u64) -> Self {
        Self(Arc::new(AtomicU64::new(unix_time)))
    }

    /// Sets the time, in seconds since 1970.
    pub fn set(&self, unix_time: u64) {
        self.0.store(unix_time, Ordering::SeqCst);
    }

    /// Lets `seconds` pass.
    pub fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Default for FixedClock {
    fn default() -> Self {
        Self::at(START)
    }
}

impl Clock for FixedClock {
    fn unix_time(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A clock that runs with the system's but is wrong by a constant.
#[derive(Clone, Copy, Debug)]
pub struct WrongClock {
    /// Seconds ahead of the system's clock; negative is behind.
    pub ahead: i64,
}

impl Clock for WrongClock {
    fn unix_time(&self) -> u64 {
        trefoil_client::SystemClock
            .unix_time()
            .saturating_add_signed(self.ahead)
    }
}

/// A random source that gives the same bytes for the same seed.
#[must_use]
pub fn seeded_rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// An environment with a clock of the test's own and repeatable randomness.
#[must_use]
pub fn environment(clock: impl Clock + 'static, seed: u64) -> Environment {
    Environment::new(clock, seeded_rng(seed))
}

/// An environment with the system's clock and repeatable randomness, for tests against servers that run on the
/// system's clock.
#[must_use]
pub fn seeded_environment(seed: u64) -> Environment {
    Environment::new(trefoil_client::SystemClock, seeded_rng(seed))
}

/// The operating system's random source.
#[must_use]
pub fn os_rng() -> impl rand_core::CryptoRng + Send + 'static {
    rand_core::UnwrapErr(getrandom::SysRng)
}
