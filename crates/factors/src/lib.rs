#![doc = include_str!("../README.md")]

pub mod device;
pub mod knowledge;
pub mod passkey;

/// Mails and the contacts that get them.
pub mod email {
    pub use crate::email_backup::{
        BadAddress, CODE_SECONDS, CODE_TRIES, CodeError, Mail, MailError, MailFuture, Mailer,
        UnverifiedContact, VerifiedContact,
    };
}

mod dapp_share;
mod email_backup;
mod recovery_phrase;
mod social;
mod words;

pub use dapp_share::DappShare;
pub use device::{DeviceStore, DeviceStoreExt};
pub use email_backup::EmailBackup;
pub use recovery_phrase::{DrillError, RecoveryPhrase, WordCount};
pub use social::SocialFactor;
pub use words::{PhraseError, UnknownWord};
