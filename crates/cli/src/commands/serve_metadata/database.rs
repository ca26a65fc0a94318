//! Databases that several servers share, by URL.

use std::fmt;

use serde::{Deserialize, Deserializer};
use url::Url;
use zeroize::Zeroizing;

/// Where a database is and who asks: it may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct DatabaseUrl(Zeroizing<String>);

impl DatabaseUrl {
    pub(super) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The URL with its password.
    #[expect(
        dead_code,
        reason = "the back end that connects with it is being built"
    )]
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it names a PostgreSQL server's database.
    pub(super) fn fits(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| {
            matches!(url.scheme(), "postgres" | "postgresql")
                && !url.path().trim_start_matches('/').is_empty()
        })
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(redacted)")
    }
}

impl<'de> Deserialize<'de> for DatabaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}
