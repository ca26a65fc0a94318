//! How the providers' keys are fetched and kept.

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// How the providers' keys are fetched and kept. All in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FetchConfig {
    /// For discovery and keys together; at least 1.
    pub time_limit: u64,
    /// After which fetched keys are fetched anew; at least 1.
    pub fresh_for: u64,
    /// For which the last good copy is used while the provider is down; must not be less than `fresh_for`.
    pub keep_for: u64,
    /// Between two fetches that tokens with an unknown key id cause.
    pub cool_down: u64,
    /// After a fetch that failed; at least 1. Each further failure doubles it.
    pub retry_pause: u64,
    /// To which `retry_pause` grows; must not be less. Also the longest time that a provider's return goes unnoticed.
    pub longest_pause: u64,
}

impl Default for FetchConfig {
    fn default() -> Self {
        Self {
            time_limit: 5,
            fresh_for: 3600,
            keep_for: 24 * 3600,
            cool_down: 30,
            retry_pause: 5,
            longest_pause: 300,
        }
    }
}

impl FetchConfig {
    pub(crate) const fn check(&self) -> Result<(), ConfigError> {
        let none = self.time_limit == 0 || self.fresh_for == 0 || self.retry_pause == 0;
        if none || self.keep_for < self.fresh_for || self.longest_pause < self.retry_pause {
            return Err(ConfigError::Fetching);
        }
        Ok(())
    }

    /// Seconds in which nothing is fetched, after so many failures in a row: `retry_pause` doubled with each after the
    /// first, `longest_pause` at most; after a success, `cool_down`.
    pub(crate) fn pause(&self, failures: u32) -> u64 {
        let Some(doublings) = failures.checked_sub(1) else {
            return self.cool_down;
        };
        let grown = self
            .retry_pause
            .saturating_mul(2u64.saturating_pow(doublings));
        grown.min(self.longest_pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let config = FetchConfig::default();
        let pauses: Vec<u64> = (0..9).map(|failures| config.pause(failures)).collect();
        assert_eq!(pauses, [30, 5, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(config.pause(u32::MAX), 300);
        let endless = FetchConfig {
            retry_pause: u64::MAX,
            longest_pause: u64::MAX,
            ..config
        };
        assert_eq!((endless.pause(1), endless.pause(2)), (u64::MAX, u64::MAX));
        let constant = FetchConfig {
            longest_pause: 5,
            ..config
        };
        assert_eq!((constant.pause(1), constant.pause(50)), (5, 5));
    }
}
