//! How often an address and a user may ask: token buckets, in bounded memory.
//!
//! The address is looked at before anything else of a request, the user only when the token is verified: whoever has
//! no token of a user cannot spend that user's requests.

mod buckets;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::middleware::NoOpMiddleware;
use governor::{Quota, RateLimiter};
use http::HeaderMap;
use rand_core::CryptoRng;
use ring::hmac;
use serde::{Deserialize, Serialize};
use trefoil_protocol::social::VerifierId;
use trefoil_protocol::tenant::Tenant;
use trefoil_server_kit::{Network, Proxies, subnet};
use zeroize::Zeroizing;

use self::buckets::{Buckets, CAPACITY};
use crate::metrics::Limited;
use crate::node::Node;

/// Time between two looks for buckets that are full again and need not be remembered.
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// The same while there is no room.
const PRUNE_FULL_EVERY: Duration = Duration::from_secs(1);

/// Requests a minute on the long run, and at once after a pause. 0 a minute: no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Of one IPv4 address or one IPv6 /64.
    pub address_per_minute: u32,
    /// At least 1 where there is a limit.
    pub address_burst: u32,
    /// Of one user of one verifier, counted when the token is verified.
    pub user_per_minute: u32,
    /// At least 1 where there is a limit.
    pub user_burst: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            address_per_minute: 60,
            address_burst: 30,
            user_per_minute: 20,
            user_burst: 10,
        }
    }
}

/// A rate without a burst allows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} must be at least 1; for no limit set the rate a minute to 0")]
pub struct LimitsError(&'static str);

impl LimitsError {
    /// The field of [`LimitsConfig`] that is wrong.
    #[must_use]
    pub const fn field(self) -> &'static str {
        self.0
    }
}

impl LimitsConfig {
    /// Whether the limits allow anything.
    ///
    /// # Errors
    /// [`LimitsError`], with the field.
    pub fn check(&self) -> Result<(), LimitsError> {
        quota(self.address_per_minute, self.address_burst, "address_burst")?;
        quota(self.user_per_minute, self.user_burst, "user_burst")?;
        Ok(())
    }
}

/// Time that only grows, since any moment. Clones share the source.
#[derive(Clone)]
pub struct Stopwatch(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Stopwatch {
    /// Any source; tests pass one they can turn.
    #[must_use]
    pub fn new(source: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }

    /// The operating system's monotonic clock.
    #[must_use]
    pub fn system() -> Self {
        let start = Instant::now();
        Self::new(move || start.elapsed())
    }
}

impl governor::clock::Clock for Stopwatch {
    type Instant = Duration;

    fn now(&self) -> Duration {
        (self.0)()
    }
}

impl fmt::Debug for Stopwatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stopwatch")
    }
}

/// Over the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany {
    pub(crate) of: Limited,
    /// Seconds, at least 1.
    pub(crate) retry_after: u64,
}

/// The limits of one node.
pub struct Limits {
    addresses: Option<Limiter>,
    users: Option<Limiter>,
    proxies: Proxies,
    /// Users are remembered by a keyed hash: memory holds no names, and nobody can choose names that collide.
    user_key: hmac::Key,
}

impl Limits {
    /// No limits.
    #[must_use]
    pub fn none() -> Self {
        Self {
            addresses: None,
            users: None,
            proxies: Proxies::default(),
            user_key: hmac::Key::new(hmac::HMAC_SHA256, &[]),
        }
    }

    /// Limits behind these proxies, whose `X-Forwarded-For` is believed. `random` gives the key under which users are
    /// remembered.
    ///
    /// # Errors
    /// [`LimitsError`], with the field.
    pub fn new(
        config: &LimitsConfig,
        proxies: Vec<Network>,
        stopwatch: &Stopwatch,
        random: &mut impl CryptoRng,
    ) -> Result<Self, LimitsError> {
        let limiter = |quota: Option<Quota>| quota.map(|quota| Limiter::new(quota, stopwatch));
        let addresses = quota(
            config.address_per_minute,
            config.address_burst,
            "address_burst",
        )?;
        let users = quota(config.user_per_minute, config.user_burst, "user_burst")?;
        let mut key = Zeroizing::new([0; 32]);
        random.fill_bytes(key.as_mut());
        Ok(Self {
            addresses: limiter(addresses),
            users: limiter(users),
            proxies: Proxies::new(proxies),
            user_key: hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()),
        })
    }

    /// Counts a request of the client behind `peer`. Where nobody says who the peer is, all such requests count as one
    /// address's.
    pub(crate) fn check_address(
        &self,
        peer: Option<IpAddr>,
        headers: &HeaderMap,
    ) -> Result<(), TooMany> {
        let Some(limiter) = &self.addresses else {
            return Ok(());
        };
        let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let client = self.proxies.client(peer, headers);
        limiter.check(subnet(client), Limited::Address)
    }

    /// Counts a request of a user whose token is verified.
    pub(crate) fn check_user(
        &self,
        tenant: &Tenant,
        verifier: &VerifierId,
        user: &str,
    ) -> Result<(), TooMany> {
        let Some(limiter) = &self.users else {
            return Ok(());
        };
        let mut context = hmac::Context::with_key(&self.user_key);
        for part in [tenant.as_str(), verifier.as_str(), user] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let tag = context.sign();
        let key = tag.as_ref().first_chunk().copied().unwrap_or_default();
        limiter.check(u128::from_be_bytes(key), Limited::User)
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits")
            .field("addresses", &self.addresses.is_some())
            .field("users", &self.users.is_some())
            .field("proxies", &self.proxies)
            .finish_non_exhaustive()
    }
}

impl Node {
    /// Sets how often addresses and users may ask; without this there is no limit. The server must say who the peer
    /// is, as `axum`'s `ConnectInfo<SocketAddr>`.
    #[must_use]
    pub fn limited(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// One kind of limit.
struct Limiter {
    buckets: RateLimiter<u128, Buckets, Stopwatch, NoOpMiddleware<Duration>>,
    stopwatch: Stopwatch,
    /// When full buckets were last forgotten.
    pruned: Mutex<Duration>,
}

impl Limiter {
    fn new(quota: Quota, stopwatch: &Stopwatch) -> Self {
        Self {
            buckets: RateLimiter::new(quota, Buckets::default(), stopwatch.clone()),
            stopwatch: stopwatch.clone(),
            pruned: Mutex::default(),
        }
    }

    fn check(&self, key: u128, of: Limited) -> Result<(), TooMany> {
        let now = (self.stopwatch.0)();
        self.prune(now);
        self.buckets.check_key(&key).map_err(|until| {
            let wait = until.wait_time_from(now);
            TooMany {
                of,
                retry_after: (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1),
            }
        })
    }

    fn prune(&self, now: Duration) {
        let pause = if self.buckets.len() < CAPACITY {
            PRUNE_EVERY
        } else {
            PRUNE_FULL_EVERY
        };
        let mut pruned = self.pruned.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(*pruned) >= pause {
            *pruned = now;
            drop(pruned);
            self.buckets.retain_recent();
            self.buckets.shrink_to_fit();
        }
    }
}

fn quota(
    per_minute: u32,
    burst: u32,
    burst_field: &'static str,
) -> Result<Option<Quota>, LimitsError> {
    let Some(per_minute) = NonZeroU32::new(per_minute) else {
        return Ok(None);
    };
    let burst = NonZeroU32::new(burst).ok_or(LimitsError(burst_field))?;
    Ok(Some(Quota::per_minute(per_minute).allow_burst(burst)))
}

#[cfg(test)]
mod tests;
