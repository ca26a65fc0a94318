//! Who is logging in, as the network sees it, and the factor secret that follows.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use trefoil_oprf::{Input, Output};
use zeroize::Zeroize;

use super::VerifierId;
use crate::bytes::NetworkKey;
use crate::factor::FactorSecret;
use crate::kdf::{Prk, label, lp};
use crate::tenant::Tenant;

/// Generations of one identity: 0 to 15. Where a social secret has leaked, the next one is enrolled.
pub const GENERATIONS: u32 = 16;
/// Bytes of a user string at most.
pub const MAX_USER: usize = 512;

/// One user of one verifier of one tenant, in one generation. The user string identifies a person: `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct UserIdentity {
    tenant: Tenant,
    verifier: VerifierId,
    user: String,
    generation: u32,
}

/// There can be no such identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Empty or above [`MAX_USER`] bytes.
    #[error("the user claim must have 1 to {MAX_USER} bytes")]
    User,
    /// [`GENERATIONS`] or above.
    #[error("the generation must be below {GENERATIONS}")]
    Generation,
}

impl UserIdentity {
    /// Checks lengths. `user` is the verifier's user claim after its case rule, exactly as the network evaluates it.
    ///
    /// # Errors
    /// [`IdentityError`] for an empty or over-long user and for a generation out of range.
    pub fn new(
        tenant: Tenant,
        verifier: VerifierId,
        user: &str,
        generation: u32,
    ) -> Result<Self, IdentityError> {
        if user.is_empty() || user.len() > MAX_USER {
            return Err(IdentityError::User);
        }
        if generation >= GENERATIONS {
            return Err(IdentityError::Generation);
        }
        Ok(Self {
            tenant,
            verifier,
            user: user.into(),
            generation,
        })
    }

    /// The user string.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// `LP(tenant) || LP(verifier) || LP(user) || u32 generation`.
    fn encode(&self) -> Vec<u8> {
        let mut bytes = lp(self.tenant.as_str().as_bytes());
        bytes.extend(lp(self.verifier.as_str().as_bytes()));
        bytes.extend(lp(self.user.as_bytes()));
        bytes.extend(self.generation.to_be_bytes());
        bytes
    }

    /// What the network evaluates: `Q`.
    #[must_use]
    pub fn input(&self) -> Input {
        Input::social(&[&self.encode()])
    }

    /// `F = HKDF(Z, "social" || network || LP(tenant) || LP(verifier) || LP(user) || u32 generation)`, without salt.
    #[must_use]
    pub fn factor_secret(&self, output: &Output, network: &NetworkKey) -> FactorSecret {
        let info = label("social", &[network.as_bytes(), &self.encode()]);
        FactorSecret::from_bytes(*Prk::extract(None, output.expose_secret()).expand(&info))
    }
}

impl fmt::Debug for UserIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserIdentity")
            .field("tenant", &self.tenant)
            .field("verifier", &self.verifier)
            .field("user", &format_args!("redacted"))
            .field("generation", &self.generation)
            .finish()
    }
}

impl Drop for UserIdentity {
    fn drop(&mut self) {
        self.user.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(tenant: &str, verifier: &str, user: &str, generation: u32) -> UserIdentity {
        UserIdentity::new(
            Tenant::new(tenant).unwrap(),
            VerifierId::new(verifier).unwrap(),
            user,
            generation,
        )
        .unwrap()
    }

    #[test]
    fn encoding_is_unambiguous() {
        assert_eq!(
            identity("acme", "google", "42", 1).encode(),
            b"\x00\x04acme\x00\x06google\x00\x0242\x00\x00\x00\x01"
        );
        let all = [
            identity("acme", "google", "42", 0),
            identity("acme", "google", "42", 1),
            identity("acme", "googl", "e42", 0),
            identity("acm", "google", "42", 0),
            identity("acme", "google", "4", 0),
        ];
        for (i, a) in all.iter().enumerate() {
            for b in &all[i + 1..] {
                assert_ne!(a.encode(), b.encode());
            }
        }
    }

    #[test]
    fn bounds() {
        let new = |user: &str, generation| {
            UserIdentity::new(
                Tenant::new("a").unwrap(),
                VerifierId::new("b").unwrap(),
                user,
                generation,
            )
            .map(|_| ())
        };
        assert_eq!(new("u", 15), Ok(()));
        assert_eq!(new("u", 16), Err(IdentityError::Generation));
        assert_eq!(new("", 0), Err(IdentityError::User));
        assert_eq!(new(&"u".repeat(MAX_USER + 1), 0), Err(IdentityError::User));
    }

    #[test]
    fn debug_hides_the_user() {
        assert!(
            !std::format!("{:?}", identity("acme", "google", "bob@example.com", 0)).contains("bob")
        );
    }
}
