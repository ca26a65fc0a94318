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
    /// The last result, or that of a new check where the last is older than a second. `check` is called only then: what it
    /// calls may begin its work before anybody waits for it.
    pub async fn get<F: Future<Output = T>>(&self, check: impl FnOnce() -> F) -> T {
        let mut last = self.0.lock().await;
        if let Some((at, result)) = &*last
            && at.elapsed() < HOLDS
        {
            return result.clone();
        }
        let result = check().await;
        *last = Some((Instant::now(), result.clone()));
        result
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A check that begins when it is called, as a store's does which hands it to a thread.
    fn begin(checks: &AtomicU32) -> impl Future<Output = u32> {
        let number = checks.fetch_add(1, Ordering::SeqCst);
        async move {
            tokio::time::sleep(HOLDS / 10).await;
            number
        }
    }

    /// Time is turned by the runtime.
    #[tokio::test(start_paused = true)]
    async fn a_second_long_nobody_checks_again() {
        let recent = Recent::default();
        let checks = AtomicU32::new(0);
        let ask = async || recent.get(|| begin(&checks)).await;
        assert_eq!((ask().await, ask().await), (0, 0));
        assert_eq!(checks.load(Ordering::SeqCst), 1);
        tokio::time::advance(HOLDS).await;
        assert_eq!(ask().await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_crowd_one_checks() {
        let recent = Arc::new(Recent::default());
        let checks = Arc::new(AtomicU32::new(0));
        let crowd = std::iter::repeat_with(|| {
            let (recent, checks) = (Arc::clone(&recent), Arc::clone(&checks));
            tokio::spawn(async move { recent.get(|| begin(&checks)).await })
        });
        let crowd: Vec<_> = crowd.take(100).collect();
        for asked in crowd {
            assert_eq!(asked.await.unwrap(), 0);
        }
        assert_eq!(checks.load(Ordering::SeqCst), 1);
    }
}
