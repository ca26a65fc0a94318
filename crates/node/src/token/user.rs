//! Who the user is, by the verifier's claim and case rule.

use std::fmt;

use trefoil_protocol::social::MAX_USER;
use zeroize::Zeroizing;

use super::{Claims, TokenError};
use crate::config::{CaseRule, UserClaim};

/// The user string of a login whose ID token passed every check. Identifies a person: `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedUser(Zeroizing<String>);

impl VerifiedUser {
    /// Picks the claim and applies the case rule.
    pub(crate) fn from_claims(
        claims: &Claims,
        claim: UserClaim,
        case: CaseRule,
    ) -> Result<Self, TokenError> {
        let user = match claim {
            UserClaim::Subject => part(claims.sub.as_deref(), "sub")?.to_owned(),
            UserClaim::Email => {
                let address = part(claims.email.as_deref(), "email")?;
                if !claims.email_is_verified() {
                    return Err(TokenError::UnverifiedEmail);
                }
                // One `@` with something on both sides: what the provider verified is its business.
                if !address
                    .split_once('@')
                    .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
                {
                    return Err(TokenError::BadUser("email"));
                }
                address.to_owned()
            }
            UserClaim::TenantObject => {
                let tenant = part(claims.tid.as_deref(), "tid")?;
                let object = part(claims.oid.as_deref(), "oid")?;
                // The separator must be unmistakable.
                if tenant.contains('/') {
                    return Err(TokenError::BadUser("tid"));
                }
                if object.contains('/') {
                    return Err(TokenError::BadUser("oid"));
                }
                let joined = format!("{tenant}/{object}");
                if joined.len() > MAX_USER {
                    return Err(TokenError::BadUser("oid"));
                }
                joined
            }
        };
        let mut user = Zeroizing::new(user);
        match case {
            CaseRule::Exact => {}
            CaseRule::Lower => user.make_ascii_lowercase(),
        }
        Ok(Self(user))
    }

    /// The user string: keep it out of logs.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn part<'a>(claim: Option<&'a str>, name: &'static str) -> Result<&'a str, TokenError> {
    let value = claim.ok_or(TokenError::MissingClaim(name))?;
    if value.is_empty() || value.len() > MAX_USER || value.chars().any(char::is_control) {
        return Err(TokenError::BadUser(name));
    }
    Ok(value)
}

impl fmt::Debug for VerifiedUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifiedUser(redacted)")
    }
}
