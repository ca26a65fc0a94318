//! Factors that the user brings along.

use trefoil_factors::passkey::Passkey;
use trefoil_factors::{DappShare, EmailBackup, RecoveryPhrase};
use trefoil_protocol::factor::{FactorKeys, FactorKind, FactorSecret};
use trefoil_protocol::tenant::Tenant;

use crate::login::SocialLogin;

/// A factor at hand, whose secret opens its share.
#[derive(Debug, Clone)]
pub struct Factor {
    kind: FactorKind,
    secret: FactorSecret,
}

impl Factor {
    /// A factor whose secret the app has obtained itself, such as a device secret from a store of its own.
    #[must_use]
    pub const fn new(kind: FactorKind, secret: FactorSecret) -> Self {
        Self { kind, secret }
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> FactorKind {
        self.kind
    }

    pub(crate) fn keys(&self, tenant: &Tenant) -> FactorKeys {
        FactorKeys::derive(tenant, &self.secret)
    }
}

impl From<RecoveryPhrase> for Factor {
    fn from(phrase: RecoveryPhrase) -> Self {
        Self::new(FactorKind::RecoveryPhrase, phrase.factor_secret())
    }
}

impl From<DappShare> for Factor {
    fn from(share: DappShare) -> Self {
        Self::new(FactorKind::DappShare, share.factor_secret())
    }
}

impl From<Passkey> for Factor {
    fn from(passkey: Passkey) -> Self {
        Self::new(FactorKind::Passkey, passkey.factor_secret())
    }
}

impl From<EmailBackup> for Factor {
    fn from(backup: EmailBackup) -> Self {
        Self::new(FactorKind::EmailBackup, backup.factor_secret())
    }
}

impl From<SocialLogin> for Factor {
    fn from(login: SocialLogin) -> Self {
        Self::new(FactorKind::Social, login.secret)
    }
}
