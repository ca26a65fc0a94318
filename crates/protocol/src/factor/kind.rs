use serde::{Deserialize, Serialize};

/// What a factor is. Only the sealed state says so; servers never learn it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FactorKind {
    /// A social login, through the node network.
    Social,
    /// 32 random bytes kept by a device.
    Device,
    /// A BIP-39 phrase of 12 or 24 words.
    RecoveryPhrase,
    /// A 24-word phrase handed to the wallet app.
    DappShare,
    /// A passkey with the PRF extension.
    Passkey,
    /// A phrase that the app mails.
    EmailBackup,
    /// A secret held by another person's device.
    TrustedContact,
    /// A secret held by another device of the user.
    OtherDevice,
    /// A password, guesses counted.
    Password,
    /// A PIN, guesses counted.
    Pin,
    /// Answers to questions, guesses counted.
    SecurityQuestions,
}

impl FactorKind {
    /// Whether an opening can start with it. Secondary factors need parameters that lie in the sealed state.
    #[must_use]
    pub const fn is_primary(self) -> bool {
        !matches!(self, Self::Password | Self::Pin | Self::SecurityQuestions)
    }

    /// Its name as stored and as shown to machines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Social => "social",
            Self::Device => "device",
            Self::RecoveryPhrase => "recovery_phrase",
            Self::DappShare => "dapp_share",
            Self::Passkey => "passkey",
            Self::EmailBackup => "email_backup",
            Self::TrustedContact => "trusted_contact",
            Self::OtherDevice => "other_device",
            Self::Password => "password",
            Self::Pin => "pin",
            Self::SecurityQuestions => "security_questions",
        }
    }
}

impl core::fmt::Display for FactorKind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}
