//! An e-mailed backup share as a factor. The app sends the mail; the metadata server has no part in it.

use trefoil_factors::EmailBackup;
use trefoil_factors::email::{Mail, VerifiedContact};
use trefoil_protocol::factor::FactorKind;

use super::words::Drill;
use super::{Draft, DraftError};

/// A backup share and who gets it.
#[derive(Debug)]
pub(super) struct Mailed {
    pub(super) drill: Drill<EmailBackup>,
    pub(super) contact: VerifiedContact,
}

impl Draft<'_> {
    /// Adds a backup share that is mailed to an address whose owner has shown to read it. Send [`Self::email_backup_mail`],
    /// then have the user copy the words back from the mail ([`Self::prove_email_backup`]).
    ///
    /// Whoever reads the mailbox, the app that sends and the mail provider have this factor, too.
    ///
    /// # Errors
    /// [`DraftError::OneOfAKind`], [`DraftError::Sent`].
    pub fn email_backup(
        &mut self,
        label: impl Into<String>,
        contact: VerifiedContact,
    ) -> Result<&mut Self, DraftError> {
        self.unsent()?;
        if self.email.is_some() {
            return Err(DraftError::OneOfAKind(FactorKind::EmailBackup));
        }
        let factor = EmailBackup::generate(&mut self.account.core().environment.rng());
        let drill = Drill {
            label: label.into(),
            factor,
            proven: false,
        };
        self.email = Some(Mailed { drill, contact });
        Ok(self)
    }

    /// The message with the words, to be sent by a [`Mailer`](trefoil_factors::email::Mailer).
    #[must_use]
    pub fn email_backup_mail(&self) -> Option<Mail> {
        let mailed = self.email.as_ref()?;
        Some(mailed.drill.factor.mail(&mailed.contact))
    }

    /// The user copied the words from the mail.
    ///
    /// # Errors
    /// [`DraftError::Drill`] says what is wrong; try again.
    pub fn prove_email_backup(&mut self, copied: &str) -> Result<&mut Self, DraftError> {
        let nothing = DraftError::NothingToProve(FactorKind::EmailBackup);
        let drill = &mut self.email.as_mut().ok_or(nothing)?.drill;
        drill.factor.prove(copied)?;
        drill.proven = true;
        Ok(self)
    }
}
