//! Changes that need nothing but a word.

use trefoil_protocol::vault::Vault;

use super::{Draft, DraftError};

impl Draft<'_> {
    /// Removes a factor; all others get new shares, so that the removed one's is worth nothing.
    ///
    /// # Errors
    /// [`DraftError::Sent`].
    pub fn remove(&mut self, index: u32) -> Result<&mut Self, DraftError> {
        self.edit(|change| change.remove.push(index))
    }

    /// Changes how many factors are needed.
    ///
    /// # Errors
    /// [`DraftError::Sent`].
    pub fn threshold(&mut self, threshold: u8) -> Result<&mut Self, DraftError> {
        self.edit(|change| change.threshold = Some(threshold))
    }

    /// Gives every factor a new share of the same key.
    ///
    /// # Errors
    /// [`DraftError::Sent`].
    pub fn refresh(&mut self) -> Result<&mut Self, DraftError> {
        self.edit(|change| change.refresh = true)
    }

    /// Renames a factor.
    ///
    /// # Errors
    /// [`DraftError::Sent`].
    pub fn label(&mut self, index: u32, label: impl Into<String>) -> Result<&mut Self, DraftError> {
        let label = label.into();
        self.edit(|change| {
            change.labels.insert(index, label);
        })
    }

    /// Notes that a factor has just been proven to work.
    ///
    /// # Errors
    /// [`DraftError::Sent`].
    pub fn proven(&mut self, index: u32) -> Result<&mut Self, DraftError> {
        self.edit(|change| change.proven.push(index))
    }

    /// Changes after how many days the user is reminded to prove recovery factors.
    ///
    /// # Errors
    /// [`DraftError::Sent`].
    pub fn remind_every(&mut self, days: u32) -> Result<&mut Self, DraftError> {
        self.edit(|change| change.reminder_days = Some(days))
    }

    /// Replaces the vault; start from a clone of [`crate::Account::vault`].
    ///
    /// # Errors
    /// [`DraftError::Sent`].
    pub fn vault(&mut self, vault: Vault) -> Result<&mut Self, DraftError> {
        self.edit(|change| change.vault = Some(vault))
    }

    /// The user accepts that no factor will be spare: losing any one would lose the key.
    ///
    /// # Errors
    /// [`DraftError::Sent`].
    pub fn accept_no_spare_factor(&mut self) -> Result<&mut Self, DraftError> {
        self.edit(|change| change.accepted.no_spare_factor = true)
    }

    /// The user accepts that only one factor will be left from which an opening can start.
    ///
    /// # Errors
    /// [`DraftError::Sent`].
    pub fn accept_one_primary_factor(&mut self) -> Result<&mut Self, DraftError> {
        self.edit(|change| change.accepted.one_primary_factor = true)
    }
}
