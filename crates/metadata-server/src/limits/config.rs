//! How much is allowed: requests a minute on the long run, and at once after a pause. 0 a minute: no limit.

use std::num::NonZeroU32;

use serde::Deserialize;

/// A rate above this is written as none.
const MOST_PER_MINUTE: u32 = 60_000;

/// The limits of a server; those below the address's are also a tenant's to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Requests of one IPv4 address or one IPv6 /64, of all tenants together.
    pub address_per_minute: u32,
    /// At least 1 where there is a limit, as every burst.
    pub address_burst: u32,
    /// Accounts that one address creates.
    pub creations_per_minute: u32,
    /// See there.
    pub creations_burst: u32,
    /// Logins with one factor, counted when its signature holds.
    pub locator_per_minute: u32,
    /// See there.
    pub locator_burst: u32,
    /// Guesses at one slot, counted when the guess key's signature holds.
    pub slot_per_minute: u32,
    /// See there.
    pub slot_burst: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            address_per_minute: 600,
            address_burst: 200,
            creations_per_minute: 10,
            creations_burst: 20,
            locator_per_minute: 20,
            locator_burst: 20,
            slot_per_minute: 20,
            slot_burst: 20,
        }
    }
}

/// What one tenant has otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TenantLimits {
    /// Instead of [`LimitsConfig::creations_per_minute`].
    pub creations_per_minute: Option<u32>,
    /// Instead of [`LimitsConfig::creations_burst`].
    pub creations_burst: Option<u32>,
    /// Instead of [`LimitsConfig::locator_per_minute`].
    pub locator_per_minute: Option<u32>,
    /// Instead of [`LimitsConfig::locator_burst`].
    pub locator_burst: Option<u32>,
    /// Instead of [`LimitsConfig::slot_per_minute`].
    pub slot_per_minute: Option<u32>,
    /// Instead of [`LimitsConfig::slot_burst`].
    pub slot_burst: Option<u32>,
}

/// A limit that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitsError {
    /// It would allow nothing.
    #[error("must be at least 1; for no limit set the rate a minute to 0")]
    NoBurst(&'static str),
    /// Finer than milliseconds.
    #[error("must be at most 60000 a minute; for no limit set it to 0")]
    TooFast(&'static str),
}

impl LimitsError {
    /// The field of [`LimitsConfig`] that is wrong.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::NoBurst(field) | Self::TooFast(field) => field,
        }
    }
}

/// Tokens that a full bucket holds, and milliseconds to the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) burst: NonZeroU32,
    pub(super) interval: NonZeroU32,
}

impl Rate {
    fn of(per_minute: u32, burst: u32) -> Option<Self> {
        let interval = MOST_PER_MINUTE.checked_div(per_minute)?.max(1);
        Some(Self {
            burst: NonZeroU32::new(burst)?,
            interval: NonZeroU32::new(interval)?,
        })
    }
}

impl LimitsConfig {
    /// With what the tenant has otherwise.
    #[must_use]
    pub fn with(self, tenant: &TenantLimits) -> Self {
        Self {
            creations_per_minute: tenant
                .creations_per_minute
                .unwrap_or(self.creations_per_minute),
            creations_burst: tenant.creations_burst.unwrap_or(self.creations_burst),
            locator_per_minute: tenant.locator_per_minute.unwrap_or(self.locator_per_minute),
            locator_burst: tenant.locator_burst.unwrap_or(self.locator_burst),
            slot_per_minute: tenant.slot_per_minute.unwrap_or(self.slot_per_minute),
            slot_burst: tenant.slot_burst.unwrap_or(self.slot_burst),
            ..self
        }
    }

    /// Every limit that makes no sense.
    #[must_use]
    pub fn errors(&self) -> Vec<LimitsError> {
        let rates = [
            (self.address_per_minute, "address_per_minute"),
            (self.creations_per_minute, "creations_per_minute"),
            (self.locator_per_minute, "locator_per_minute"),
            (self.slot_per_minute, "slot_per_minute"),
        ];
        let bursts = [
            (self.address_burst, "address_burst"),
            (self.creations_burst, "creations_burst"),
            (self.locator_burst, "locator_burst"),
            (self.slot_burst, "slot_burst"),
        ];
        let pairs = rates.into_iter().zip(bursts);
        pairs
            .filter_map(|((rate, rate_field), (burst, burst_field))| {
                if rate > MOST_PER_MINUTE {
                    Some(LimitsError::TooFast(rate_field))
                } else if rate > 0 && burst == 0 {
                    Some(LimitsError::NoBurst(burst_field))
                } else {
                    None
                }
            })
            .collect()
    }

    pub(super) fn address(&self) -> Option<Rate> {
        Rate::of(self.address_per_minute, self.address_burst)
    }

    pub(super) fn creations(&self) -> Option<Rate> {
        Rate::of(self.creations_per_minute, self.creations_burst)
    }

    pub(super) fn locator(&self) -> Option<Rate> {
        Rate::of(self.locator_per_minute, self.locator_burst)
    }

    pub(super) fn slot(&self) -> Option<Rate> {
        Rate::of(self.slot_per_minute, self.slot_burst)
    }
}
