//! The name of a verifier.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

/// Names a verifier (one login provider with its rules) within a tenant: 1 to 64 characters of `a-z`, `0-9` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VerifierId(String);

/// The text is not a verifier's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a verifier's name has 1 to 64 characters of a-z, 0-9 and -")]
pub struct VerifierIdError;

impl VerifierId {
    /// Checks the name.
    ///
    /// # Errors
    /// [`VerifierIdError`] for an empty or over-long name or another character.
    pub fn new(name: &str) -> Result<Self, VerifierIdError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=64).contains(&name.len()) && name.bytes().all(allowed) {
            Ok(Self(name.to_owned()))
        } else {
            Err(VerifierIdError)
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for VerifierId {
    type Error = VerifierIdError;

    fn try_from(name: String) -> Result<Self, VerifierIdError> {
        Self::new(&name)
    }
}

impl From<VerifierId> for String {
    fn from(verifier: VerifierId) -> Self {
        verifier.0
    }
}

impl core::str::FromStr for VerifierId {
    type Err = VerifierIdError;

    fn from_str(name: &str) -> Result<Self, VerifierIdError> {
        Self::new(name)
    }
}

impl fmt::Display for VerifierId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_plain_names() {
        assert!(VerifierId::new("google-2").is_ok());
        for bad in ["", "Google", "a/b", "a b", "ä", &"a".repeat(65)] {
            assert_eq!(VerifierId::new(bad), Err(VerifierIdError), "{bad:?}");
        }
    }
}
