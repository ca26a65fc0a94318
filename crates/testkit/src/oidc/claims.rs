//! The claims of an ID token (OpenID Connect Core 1.0 section 2), freely bent for tests.

use serde_json::{Map, Value, json};

/// Claims of a token to be signed. [`crate::oidc::OpenIdProvider::claims`] fills in an honest set; each method
/// replaces, adds or takes away.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// `iss`, `sub`, `aud` (one value), `iat` and `exp` in unix seconds.
    #[must_use]
    pub fn new(issuer: &str, subject: &str, audience: &str, issued: u64, lifetime: u64) -> Self {
        Self(Map::new())
            .with("iss", issuer)
            .with("sub", subject)
            .with("aud", audience)
            .with("iat", issued)
            .with("exp", issued.saturating_add(lifetime))
    }

    /// Sets any claim to any JSON value.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Takes a claim away.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// The OIDC nonce of the login.
    #[must_use]
    pub fn nonce(self, nonce: &str) -> Self {
        self.with("nonce", nonce)
    }

    /// `email` and `email_verified`.
    #[must_use]
    pub fn email(self, address: &str, verified: bool) -> Self {
        self.with("email", address).with("email_verified", verified)
    }

    /// `aud` as a list.
    #[must_use]
    pub fn audiences(self, audiences: &[&str]) -> Self {
        self.with("aud", json!(audiences))
    }

    /// `azp`, the party the token was made for.
    #[must_use]
    pub fn authorized_party(self, party: &str) -> Self {
        self.with("azp", party)
    }

    /// Reads a claim back.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    pub(super) fn to_json(&self) -> Value {
        Value::Object(self.0.clone())
    }
}
