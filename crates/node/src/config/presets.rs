//! Ready-made entries: what is fixed at well-known login providers, so that an operator need not look it up.

use std::fmt;

use serde::Deserialize;
use url::Url;

use super::entry::{Entry, EntryError};
use super::{KeySource, UserClaim};

/// `provider` of an entry. Sources stand beside each; where they say nothing, OpenID Connect Core 1.0 holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Preset {
    /// Issuer `https://accounts.google.com`. `sub` is one per account, whatever the app, and never given to another.
    /// (Google Identity, "OpenID Connect API Reference". The issuer without a scheme that very old flows still write is
    /// not taken.)
    Google,
    /// Issuer `https://appleid.apple.com`. `sub` is one per developer team, so all audiences must be of one team.
    /// `email_verified` may be a string. The nonce comes back as it was sent; iOS libraries that hash it first need
    /// `nonce = "hex_sha256"`. (Sign in with Apple, "id_token".)
    Apple,
    /// Issuer `https://login.microsoftonline.com/<directory>/v2.0`, one directory (tenant) of Microsoft Entra ID. `sub`
    /// is pairwise; `tid` and `oid` are not, and `oid` comes only with the scope `profile`. `email` is not guaranteed to
    /// be correct and there is no `email_verified`. (Microsoft identity platform, "ID token claims reference".)
    Microsoft,
    /// Issuer `https://<domain>/`, with the slash: the tenant's domain, or the custom one if the app logs in there.
    /// (Auth0's own libraries compare with just this.)
    Auth0,
    /// Issuer `https://cognito-idp.<region>.amazonaws.com/<pool>`. (Amazon Cognito, "Understanding the identity (ID)
    /// token"; `nonce` is that of the request to the authorize endpoint.)
    Cognito,
    /// Issuer `<base>/realms/<realm>`; before version 17 `base` ends with `/auth`. `sub` is public unless a client has
    /// the pairwise mapper: then `pairwise = true`. (Keycloak, "Securing applications".)
    Keycloak,
    /// Any issuer with discovery: a broker in front of a provider that cannot carry a nonce, for instance.
    Oidc,
    /// An issuer without discovery, whose keys are pinned: an app that signs its own tokens.
    Jwt,
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Google => "google",
            Self::Apple => "apple",
            Self::Microsoft => "microsoft",
            Self::Auth0 => "auth0",
            Self::Cognito => "cognito",
            Self::Keycloak => "keycloak",
            Self::Oidc => "oidc",
            Self::Jwt => "jwt",
        })
    }
}

impl Preset {
    /// The fields that place its issuer.
    const fn places(self) -> &'static [&'static str] {
        match self {
            Self::Google | Self::Apple => &[],
            Self::Microsoft => &["directory"],
            Self::Auth0 => &["domain"],
            Self::Cognito => &["region", "pool"],
            Self::Keycloak => &["base", "realm"],
            Self::Oidc | Self::Jwt => &["issuer"],
        }
    }

    /// The claim where the entry names none.
    pub(super) const fn user(self) -> UserClaim {
        match self {
            Self::Microsoft => UserClaim::TenantObject,
            _ => UserClaim::Subject,
        }
    }

    /// Whether the provider's `sub` differs from app to app.
    pub(super) const fn pairwise(self) -> bool {
        matches!(self, Self::Microsoft)
    }

    /// What would never work, or would not mean what it says.
    pub(super) fn check(self, entry: &Entry) -> Result<(), EntryError> {
        let foreign = entry
            .places()
            .into_iter()
            .find(|(name, value)| value.is_some() && !self.places().contains(name));
        match foreign {
            Some(("issuer", _)) => return Err(EntryError::FixedIssuer(self)),
            Some((field, _)) => {
                return Err(EntryError::Foreign {
                    preset: self,
                    field,
                });
            }
            None => {}
        }
        if self.pairwise() && entry.pairwise == Some(false) {
            return Err(EntryError::Pairwise(self));
        }
        match (self, &entry.keys) {
            (Self::Jwt, None | Some(KeySource::Discovery)) => Err(EntryError::KeysNeeded),
            (Self::Oidc, Some(KeySource::Pinned(_))) => Err(EntryError::KeysPinned),
            _ => Ok(()),
        }
    }

    /// What the provider never vouches for.
    pub(super) const fn check_user(self, claim: UserClaim) -> Result<(), EntryError> {
        match (self, claim) {
            (Self::Microsoft, UserClaim::Email) => Err(EntryError::UnverifiedEmail(self)),
            (Self::Google | Self::Apple, UserClaim::TenantObject) => {
                Err(EntryError::NoTenantObject(self))
            }
            _ => Ok(()),
        }
    }

    /// Whether it can be the app itself that runs it.
    pub(super) const fn can_be_custom(self) -> bool {
        !matches!(self, Self::Google | Self::Apple | Self::Microsoft)
    }

    /// The issuer, character for character as the provider writes it.
    pub(super) fn issuer(self, entry: &Entry) -> Result<String, EntryError> {
        let place = |field| entry.place(field).ok_or(EntryError::Missing(field));
        match self {
            Self::Google => Ok("https://accounts.google.com".to_owned()),
            Self::Apple => Ok("https://appleid.apple.com".to_owned()),
            Self::Microsoft => {
                let directory = place("directory")?.to_ascii_lowercase();
                if !is_guid(&directory) {
                    return Err(EntryError::Directory);
                }
                Ok(format!("https://{MICROSOFT}/{directory}/v2.0"))
            }
            Self::Auth0 => {
                let domain = place("domain")?.to_ascii_lowercase();
                if !domain.contains('.') || !of(&domain, "-.") {
                    return Err(EntryError::Domain);
                }
                Ok(format!("https://{domain}/"))
            }
            Self::Cognito => {
                let (region, pool) = (place("region")?, place("pool")?);
                // China is a partition of its own, under another domain.
                if !of(region, "-") || region.starts_with("cn-") {
                    return Err(EntryError::Region);
                }
                let name = pool
                    .strip_prefix(region)
                    .and_then(|pool| pool.strip_prefix('_'));
                if !name.is_some_and(|name| of(name, "")) {
                    return Err(EntryError::Pool);
                }
                Ok(format!("https://cognito-idp.{region}.amazonaws.com/{pool}"))
            }
            Self::Keycloak => {
                let (base, realm) = (place("base")?, place("realm")?);
                let base = base.trim_end_matches('/');
                if base.contains("/realms/") || base.ends_with("/realms") || !of(realm, "-._~") {
                    return Err(EntryError::Realm);
                }
                Ok(format!("{base}/realms/{realm}"))
            }
            Self::Oidc | Self::Jwt => place("issuer").map(str::to_owned),
        }
    }
}

const MICROSOFT: &str = "login.microsoftonline.com";

/// Whether it is an endpoint of Microsoft's for users of any directory, whose tokens have other issuers.
pub(super) fn is_many_directories(issuer: &Url) -> bool {
    let first = issuer
        .path_segments()
        .and_then(|mut segments| segments.next());
    let many = ["common", "organizations", "consumers"];
    issuer.host_str() == Some(MICROSOFT)
        && first.is_some_and(|first| many.iter().any(|name| first.eq_ignore_ascii_case(name)))
}

/// Not empty, of ASCII letters, digits and the marks given.
fn of(text: &str, marks: &str) -> bool {
    let known = |sign: char| sign.is_ascii_alphanumeric() || marks.contains(sign);
    !text.is_empty() && text.chars().all(known)
}

/// 8, 4, 4, 4 and 12 hexadecimal digits (RFC 9562 section 4).
fn is_guid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12])
        && text
            .bytes()
            .all(|digit| digit == b'-' || digit.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
