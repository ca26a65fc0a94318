//! A passkey as a factor: created and probed before anything relies on it.

use trefoil_factors::passkey::{CredentialId, Passkey, PasskeyAuthenticator};
use trefoil_protocol::change::NewFactor;
use trefoil_protocol::factor::{FactorKeys, FactorKind};

use super::{Draft, DraftError};
use crate::account::Account;

/// Names of the hints in a factor's note.
const CREDENTIAL: &str = "credential";
const RP_ID: &str = "rp_id";

impl Draft<'_> {
    /// Creates a passkey for the relying party `rp_id`, the wallet's domain, and adds it, proven by two uses. An account may
    /// have several, each on an authenticator of its own.
    ///
    /// # Errors
    /// [`DraftError::Passkey`], and nothing is added; [`DraftError::Sent`].
    pub async fn passkey(
        &mut self,
        label: impl Into<String>,
        rp_id: &str,
        authenticator: &dyn PasskeyAuthenticator,
    ) -> Result<&mut Self, DraftError> {
        self.unsent()?;
        let label = label.into();
        let core = self.account.core().clone();
        let rng = &mut core.environment.rng();
        let exclude = credentials(self.account, rp_id);
        let name = (rp_id, label.as_str());
        let passkey = Passkey::create(authenticator, &core.tenant, name, exclude, rng).await?;
        let keys = FactorKeys::derive(&core.tenant, &passkey.factor_secret());
        let factor = NewFactor::present(FactorKind::Passkey, label, keys)
            .hint(CREDENTIAL, passkey.credential().to_text())
            .hint(RP_ID, rp_id);
        self.edit(|change| change.add.push(factor))
    }
}

/// The account's passkeys at this relying party.
fn credentials(account: &Account, rp_id: &str) -> Vec<CredentialId> {
    let notes = account.factors().iter();
    let here = notes.filter(|note| note.hints.get(RP_ID).is_some_and(|hint| hint == rp_id));
    here.filter_map(|note| CredentialId::parse(note.hints.get(CREDENTIAL)?))
        .collect()
}
