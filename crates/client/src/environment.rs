//! Where time and randomness enter: everything below this crate takes them as arguments.

use core::convert::Infallible;
use core::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use getrandom::SysRng;
use rand_core::{CryptoRng, TryCryptoRng, TryRng, UnwrapErr};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Seconds since 1970-01-01 UTC.
    fn unix_time(&self) -> u64;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn unix_time(&self) -> u64 {
        // A clock before 1970 is wrong by decades; the server's refusal carries the right time.
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_secs())
    }
}

/// Another clock is believed that differs by so much, in seconds. With statements for any day that it names, a server could
/// be somebody else's on that day.
const MAX_OFFSET: i64 = 24 * 60 * 60;

/// The clock and the random source of a client. Clones share both.
#[derive(Clone)]
pub struct Environment {
    clock: Arc<dyn Clock>,
    random: Arc<Mutex<dyn CryptoRng + Send>>,
}

impl Environment {
    /// The operating system's clock and random source.
    pub fn system() -> Self {
        Self::new(SystemClock, UnwrapErr(SysRng))
    }

    /// Another clock and random source. Tests fix both; an app with a hardware source can pass it here.
    pub fn new(clock: impl Clock + 'static, random: impl CryptoRng + Send + 'static) -> Self {
        Self {
            clock: Arc::new(clock),
            random: Arc::new(Mutex::new(random)),
        }
    }

    /// Seconds since 1970-01-01 UTC by this environment's clock.
    pub fn now(&self) -> u64 {
        self.clock.unix_time()
    }

    /// Another clock's time less this one's, in seconds; none where it is too far off to be believed.
    pub(crate) fn offset_to(&self, time: u64) -> Option<i64> {
        let offset = i128::from(time) - i128::from(self.now());
        let offset = i64::try_from(offset).ok();
        offset.filter(|offset| (-MAX_OFFSET..=MAX_OFFSET).contains(offset))
    }

    /// A handle on the random source, to pass to whatever takes a `CryptoRng`.
    ///
    /// Panics when drawn from where the operating system has no randomness to give, since nothing safe is left to do.
    pub fn rng(&self) -> EnvironmentRng {
        EnvironmentRng(Arc::clone(&self.random))
    }
}

impl Default for Environment {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

/// A handle on the random source of an [`Environment`].
#[derive(Clone)]
pub struct EnvironmentRng(Arc<Mutex<dyn CryptoRng + Send>>);

impl EnvironmentRng {
    // A source that panicked half way has at worst thrown bytes away.
    fn with<T>(&self, draw: impl FnOnce(&mut dyn CryptoRng) -> T) -> T {
        draw(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl TryRng for EnvironmentRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.with(|random| random.next_u32()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.with(|random| random.next_u64()))
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Infallible> {
        self.with(|random| random.fill_bytes(destination));
        Ok(())
    }
}

impl TryCryptoRng for EnvironmentRng {}

impl fmt::Debug for EnvironmentRng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnvironmentRng(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::{Rng, SeedableRng};

    struct Fixed;

    impl Clock for Fixed {
        fn unix_time(&self) -> u64 {
            43_200
        }
    }

    #[test]
    fn a_fixed_environment_repeats_itself() {
        let draw = || {
            let environment = Environment::new(Fixed, ChaCha20Rng::seed_from_u64(7));
            let mut bytes = [0; 16];
            environment.rng().fill_bytes(&mut bytes);
            (environment.now(), bytes, environment.rng().next_u64())
        };
        assert_eq!(draw(), draw());
        assert_eq!(draw().0, 43_200);
    }

    #[test]
    fn handles_share_one_stream() {
        let environment = Environment::new(Fixed, ChaCha20Rng::seed_from_u64(7));
        assert_ne!(environment.rng().next_u64(), environment.rng().next_u64());
    }

    #[test]
    fn the_system_environment_differs_each_time() {
        let environment = Environment::system();
        assert_ne!(environment.rng().next_u64(), environment.rng().next_u64());
        assert!(environment.now() > 1_700_000_000);
    }
}
