//! The social factor: what `T` nodes of the network answer together for one user of one identity provider.
//!
//! Asking the nodes, checking their proofs and combining the answers is the work of
//! [`Gathering`](trefoil_protocol::social::Gathering); here its result takes its place among the factors.

use core::fmt;

use trefoil_protocol::factor::FactorSecret;
use trefoil_protocol::social::UserIdentity;

/// A social login that the network has confirmed. The secret is wiped when dropped; `Debug` is redacted.
#[derive(Clone, PartialEq, Eq)]
pub struct SocialFactor {
    identity: UserIdentity,
    secret: FactorSecret,
}

impl SocialFactor {
    /// Takes what [`Gathering::add`](trefoil_protocol::social::Gathering::add) combined.
    #[must_use]
    pub const fn new(identity: UserIdentity, secret: FactorSecret) -> Self {
        Self { identity, secret }
    }

    /// Who logged in, as the nodes see it.
    #[must_use]
    pub const fn identity(&self) -> &UserIdentity {
        &self.identity
    }

    /// The factor secret: the same for every login of this user in this generation.
    #[must_use]
    pub const fn factor_secret(&self) -> &FactorSecret {
        &self.secret
    }
}

impl From<(UserIdentity, FactorSecret)> for SocialFactor {
    fn from((identity, secret): (UserIdentity, FactorSecret)) -> Self {
        Self::new(identity, secret)
    }
}

impl fmt::Debug for SocialFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocialFactor")
            .field("identity", &self.identity)
            .field("secret", &"redacted")
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use trefoil_protocol::social::VerifierId;
    use trefoil_protocol::tenant::Tenant;

    use super::*;

    #[test]
    fn debug_shows_neither_user_nor_secret() {
        let tenant = Tenant::new("acme").unwrap();
        let verifier = VerifierId::new("google").unwrap();
        let identity = UserIdentity::new(tenant, verifier, "alice@example.com", 0).unwrap();
        let factor = SocialFactor::from((identity, FactorSecret::from_bytes([0xAB; 32])));
        let shown = format!("{factor:?}");
        assert!(shown.contains("redacted"), "{shown}");
        assert!(
            !shown.contains("alice") && !shown.contains("171"),
            "{shown}"
        );
    }
}
