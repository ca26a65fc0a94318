//! A check whose result holds for a moment.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// For which a result holds: anybody may ask, and each check is a durable write.
const HOLDS: Duration = Duration::from_secs(1);

/// The last result of a check. Whoever asks while one is under way waits for that one.
#[derive(Debug)]
pub struct Recent<T>(Mutex<Option<(Instant, T)>>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone> Recent<T> {
    /// The last result, or that of a new check where the last is older than a second.
    pub async fn get(&self, check: impl Future<Output = T>) -> T {
        let mut last = self.0.lock().await;
        if let Some((at, result)) = &*last
            && at.elapsed() < HOLDS
        {
            return result.clone();
        }
        let result = check.await;
        *last = Some((Instant::now(), result.clone()));
        result
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Time is turned by the runtime.
    #[tokio::test(start_paused = true)]
    async fn a_second_long_nobody_checks_again() {
        let recent = Recent::default();
        let checks = AtomicU32::new(0);
        let ask = async || {
            let check = async { checks.fetch_add(1, Ordering::SeqCst) };
            recent.get(check).await
        };
        assert_eq!((ask().await, ask().await), (0, 0));
        tokio::time::advance(HOLDS).await;
        assert_eq!(ask().await, 1);
    }
}
