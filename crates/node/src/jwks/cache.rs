//! Keeps a provider's keys: one fetch serves many logins, a rotation is seen at once, an outage changes nothing and is
//! asked about less and less often.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Mutex;

use super::{Fetcher, KeySet, Selection};
use crate::config::FetchConfig;
use crate::token::Algorithm;

/// The keys of one issuer.
pub(crate) struct KeyCache {
    issuer: String,
    fetcher: Arc<Fetcher>,
    config: FetchConfig,
    state: RwLock<State>,
    /// Held by the one fetch that is under way.
    flight: Mutex<()>,
}

#[derive(Clone, Default)]
struct State {
    /// The last good copy and its unix second.
    copy: Option<(Arc<KeySet>, u64)>,
    last: Option<Attempt>,
    /// Fetches so far, by which a waiter sees that another has done its work.
    count: u64,
}

#[derive(Clone, Copy)]
struct Attempt {
    time: u64,
    /// In a row, this one included; 0 where it succeeded.
    failures: u32,
}

/// No usable copy is at hand.
pub(crate) struct Unreachable {
    /// Seconds until somebody asks the provider again; at least 1.
    pub(crate) retry_after: u64,
}

impl KeyCache {
    pub(crate) fn new(issuer: &str, fetcher: Arc<Fetcher>, config: FetchConfig) -> Arc<Self> {
        Arc::new(Self {
            issuer: issuer.to_owned(),
            fetcher,
            config,
            state: RwLock::default(),
            flight: Mutex::default(),
        })
    }

    /// The provider's keys at unix second `now`, fetched if there are none, if they are old, or if the token names a
    /// key that is not among them.
    pub(crate) async fn keys(
        self: &Arc<Self>,
        kid: Option<&str>,
        algorithm: Algorithm,
        now: u64,
    ) -> Result<Arc<KeySet>, Unreachable> {
        let before = self.state();
        let known = |state: &State| {
            let keys = state.copy.as_ref().map(|(keys, _)| keys);
            keys.is_some_and(|keys| !matches!(keys.select(kid, algorithm), Selection::Unknown))
        };
        let fresh = before
            .copy
            .as_ref()
            .is_some_and(|(_, time)| now.saturating_sub(*time) < self.config.fresh_for);
        if !(fresh && known(&before)) && before.wait(&self.config, now) == 0 {
            // Where the copy would do, it is enough that somebody looks for a newer one.
            if !known(&before) || self.flight.try_lock().is_ok() {
                self.refresh(before.count, now).await;
            }
        }
        let state = self.state();
        let unreachable = Unreachable {
            retry_after: state.wait(&self.config, now).max(1),
        };
        match &state.copy {
            None => Err(unreachable),
            Some((_, time)) if now.saturating_sub(*time) > self.config.keep_for => Err(unreachable),
            // The key may be one that was published since the provider went down.
            Some(_) if !known(&state) && state.failures() > 0 => Err(unreachable),
            Some((keys, _)) => Ok(Arc::clone(keys)),
        }
    }

    /// One fetch at a time; whoever waited takes the result of the one before.
    async fn refresh(self: &Arc<Self>, seen: u64, now: u64) {
        let cache = Arc::clone(self);
        // A task of its own: a client that hangs up must not cancel the fetch that others wait for.
        let fetch = tokio::spawn(async move {
            let _flight = cache.flight.lock().await;
            if cache.state().count != seen {
                return;
            }
            let result = cache.fetcher.fetch(&cache.issuer).await;
            let mut state = cache.state.write().unwrap_or_else(PoisonError::into_inner);
            state.count = state.count.wrapping_add(1);
            let failures = match &result {
                Ok(_) => 0,
                Err(_) => state.failures().saturating_add(1),
            };
            state.last = Some(Attempt {
                time: now,
                failures,
            });
            match result {
                Ok(keys) => state.copy = Some((Arc::new(keys), now)),
                Err(error) => {
                    let source = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::warn!(issuer = %cache.issuer, %error, source, "a login provider's keys could not be fetched");
                }
            }
        });
        // It fails only where the runtime shuts down; then nobody waits for an answer.
        let _ = fetch.await;
    }

    fn state(&self) -> State {
        self.state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl State {
    fn failures(&self) -> u32 {
        self.last.map_or(0, |last| last.failures)
    }

    /// Seconds until the next fetch may be made; the clock may have been set back.
    fn wait(&self, config: &FetchConfig, now: u64) -> u64 {
        self.last.map_or(0, |last| {
            let passed = now.abs_diff(last.time);
            config.pause(last.failures).saturating_sub(passed)
        })
    }
}
