//! The name space of accounts.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

/// A name space of accounts: 1 to 64 characters of `a-z`, `0-9` and `-`. Apps that should open the same wallets share one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tenant(String);

/// The text is not a tenant name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tenant name has 1 to 64 characters of a-z, 0-9 and -")]
pub struct TenantError;

impl Tenant {
    /// Checks the name.
    ///
    /// # Errors
    /// [`TenantError`] for an empty or over-long name or another character.
    pub fn new(name: &str) -> Result<Self, TenantError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=64).contains(&name.len()) && name.bytes().all(allowed) {
            Ok(Self(name.to_owned()))
        } else {
            Err(TenantError)
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Tenant {
    type Error = TenantError;

    fn try_from(name: String) -> Result<Self, TenantError> {
        Self::new(&name)
    }
}

impl From<Tenant> for String {
    fn from(tenant: Tenant) -> Self {
        tenant.0
    }
}

impl core::str::FromStr for Tenant {
    type Err = TenantError;

    fn from_str(name: &str) -> Result<Self, TenantError> {
        Self::new(name)
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_plain_names() {
        assert!(Tenant::new("acme-2").is_ok());
        for bad in ["", "Acme", "a/b", "a b", "ä", &"a".repeat(65)] {
            assert_eq!(Tenant::new(bad), Err(TenantError), "{bad:?}");
        }
    }
}
