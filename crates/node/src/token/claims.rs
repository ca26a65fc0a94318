//! The claims of an ID token and their checks (OpenID Connect Core 1.0 sections 2 and 3.1.3.7).

use serde::{Deserialize, Deserializer};

use super::TokenError;
use crate::config::ProviderConfig;

/// The claims that matter; others are not read. Each may be missing, none may stand there twice.
#[derive(Deserialize)]
pub(crate) struct Claims {
    iss: Option<String>,
    aud: Option<Audiences>,
    azp: Option<String>,
    exp: Option<NumericDate>,
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
    nonce: Option<String>,
    pub(super) sub: Option<String>,
    pub(super) email: Option<String>,
    email_verified: Option<Verified>,
    pub(super) tid: Option<String>,
    pub(super) oid: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audiences {
    One(String),
    Many(Vec<String>),
}

/// A boolean; some providers write it as a string.
#[derive(Deserialize)]
#[serde(untagged)]
enum Verified {
    Boolean(bool),
    Text(String),
}

/// Unix seconds, a fraction cut off (RFC 7519 section 2); not negative.
#[derive(Clone, Copy)]
struct NumericDate(u64);

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        if let Some(seconds) = number.as_u64() {
            return Ok(Self(seconds));
        }
        // Up to 2^53 every whole number is exact.
        match number.as_f64() {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the range is checked"
            )]
            Some(seconds) if (0.0..9_007_199_254_740_992.0).contains(&seconds) => {
                Ok(Self(seconds as u64))
            }
            _ => Err(serde::de::Error::custom("not a date")),
        }
    }
}

impl Audiences {
    fn values(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

impl Claims {
    /// Checks all claims but the user's at unix second `now`; `nonce` is the claim that the login's ephemeral key asks
    /// for.
    pub(crate) fn check(
        &self,
        provider: &ProviderConfig,
        nonce: &str,
        now: u64,
    ) -> Result<(), TokenError> {
        if required(self.iss.as_ref(), "iss")? != &provider.issuer {
            return Err(TokenError::WrongIssuer);
        }
        self.check_audience(provider)?;
        self.check_times(provider, now)?;
        if required(self.nonce.as_deref(), "nonce")? != nonce {
            return Err(TokenError::WrongNonce);
        }
        Ok(())
    }

    /// Every value must be known, not just one: a token for two apps can be used by either.
    fn check_audience(&self, provider: &ProviderConfig) -> Result<(), TokenError> {
        let known = |value: &String| provider.audiences.contains(value);
        let audiences = required(self.aud.as_ref(), "aud")?.values();
        if audiences.is_empty() || !audiences.iter().all(known) {
            return Err(TokenError::WrongAudience);
        }
        match &self.azp {
            Some(party) if known(party) => Ok(()),
            None if audiences.len() == 1 => Ok(()),
            _ => Err(TokenError::WrongParty),
        }
    }

    fn check_times(&self, provider: &ProviderConfig, now: u64) -> Result<(), TokenError> {
        let latest = now.saturating_add(provider.skew);
        let NumericDate(expires) = *required(self.exp.as_ref(), "exp")?;
        if expires.saturating_add(provider.skew) <= now {
            return Err(TokenError::Expired);
        }
        if self.nbf.is_some_and(|NumericDate(from)| from > latest) {
            return Err(TokenError::NotYetValid);
        }
        let NumericDate(issued) = *required(self.iat.as_ref(), "iat")?;
        if issued > latest {
            return Err(TokenError::IssuedInFuture);
        }
        if now.saturating_sub(issued) > provider.max_age.saturating_add(provider.skew) {
            return Err(TokenError::TooOld);
        }
        Ok(())
    }

    pub(super) fn email_is_verified(&self) -> bool {
        match &self.email_verified {
            Some(Verified::Boolean(verified)) => *verified,
            Some(Verified::Text(text)) => text == "true",
            None => false,
        }
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        self.sub.zeroize();
        self.email.zeroize();
        self.tid.zeroize();
        self.oid.zeroize();
    }
}

fn required<T>(claim: Option<T>, name: &'static str) -> Result<T, TokenError> {
    claim.ok_or(TokenError::MissingClaim(name))
}

#[cfg(test)]
mod tests;
