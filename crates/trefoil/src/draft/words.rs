//! Factors that are words on paper or in the app's keeping, each proven by giving it back.

use trefoil_factors::{DappShare, RecoveryPhrase, WordCount};
use trefoil_protocol::factor::FactorKind;
use zeroize::Zeroizing;

use super::{Draft, DraftError};

/// A new recovery factor and whether the user has shown that it was kept.
#[derive(Debug)]
pub(super) struct Drill<T> {
    pub(super) label: String,
    pub(super) factor: T,
    pub(super) proven: bool,
}

impl Draft<'_> {
    /// Adds a recovery phrase of 24 words.
    ///
    /// # Errors
    /// [`DraftError::OneOfAKind`].
    pub fn recovery_phrase(&mut self, label: impl Into<String>) -> Result<&mut Self, DraftError> {
        self.recovery_phrase_of(label, WordCount::TwentyFour)
    }

    /// Adds a recovery phrase of 12 or 24 words.
    ///
    /// # Errors
    /// [`DraftError::OneOfAKind`].
    pub fn recovery_phrase_of(
        &mut self,
        label: impl Into<String>,
        words: WordCount,
    ) -> Result<&mut Self, DraftError> {
        self.unsent()?;
        if self.phrase.is_some() {
            return Err(DraftError::OneOfAKind(FactorKind::RecoveryPhrase));
        }
        let factor = RecoveryPhrase::generate(&mut self.account.core().environment.rng(), words);
        self.phrase = Some(Drill {
            label: label.into(),
            factor,
            proven: false,
        });
        Ok(self)
    }

    /// Adds a dApp share of 24 words, which the app keeps.
    ///
    /// # Errors
    /// [`DraftError::DappShareNotAllowed`] unless MFA is on and one of the account's logins is of a custom verifier.
    pub fn dapp_share(&mut self, label: impl Into<String>) -> Result<&mut Self, DraftError> {
        self.unsent()?;
        if self.dapp_share.is_some() {
            return Err(DraftError::OneOfAKind(FactorKind::DappShare));
        }
        let custom = &self.account.core().custom_verifiers;
        let verifiers = self
            .account
            .factors()
            .iter()
            .filter(|note| note.kind == FactorKind::Social);
        let mut verifiers = verifiers.filter_map(|note| note.hints.get("verifier"));
        let allowed =
            verifiers.any(|verifier| custom.iter().any(|custom| custom.as_str() == verifier));
        if !allowed || !self.account.mfa_is_on() {
            return Err(DraftError::DappShareNotAllowed);
        }
        let factor = DappShare::generate(&mut self.account.core().environment.rng());
        self.dapp_share = Some(Drill {
            label: label.into(),
            factor,
            proven: false,
        });
        Ok(self)
    }

    /// The new recovery phrase, for the user to keep.
    #[must_use]
    pub fn recovery_phrase_words(&self) -> Option<Zeroizing<String>> {
        self.phrase
            .as_ref()
            .map(|drill| drill.factor.expose_words())
    }

    /// The new dApp share, for the app to keep.
    #[must_use]
    pub fn dapp_share_words(&self) -> Option<Zeroizing<String>> {
        self.dapp_share
            .as_ref()
            .map(|drill| drill.factor.expose_words())
    }

    /// The user typed the new phrase back from where it was kept.
    ///
    /// # Errors
    /// [`DraftError::Drill`] says what is wrong; try again.
    pub fn prove_recovery_phrase(&mut self, typed: &str) -> Result<&mut Self, DraftError> {
        let drill = self
            .phrase
            .as_mut()
            .ok_or(DraftError::NothingToProve(FactorKind::RecoveryPhrase))?;
        drill.factor.prove(typed)?;
        drill.proven = true;
        Ok(self)
    }

    /// The app read the new dApp share back from where it was kept.
    ///
    /// # Errors
    /// [`DraftError::Drill`] says what is wrong; try again.
    pub fn prove_dapp_share(&mut self, stored: &str) -> Result<&mut Self, DraftError> {
        let drill = self
            .dapp_share
            .as_mut()
            .ok_or(DraftError::NothingToProve(FactorKind::DappShare))?;
        drill.factor.prove(stored)?;
        drill.proven = true;
        Ok(self)
    }
}
