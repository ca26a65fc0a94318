use std::collections::BTreeMap;
use std::sync::Arc;

use trefoil_client::Session;
use trefoil_client::metadata;
use trefoil_protocol::change;
use trefoil_protocol::factor::FactorKeys;
use trefoil_shares::KeyScalar;

use super::locked::{SocialIdentity, open_found, ready};
use super::{CreateError, Opened, ProvideError};
use crate::account::Account;
use crate::core::Core;
use crate::login::authenticate;

/// No account is known for this login. Creating one gives the user a new address, so it is a step of its own.
#[derive(Debug)]
pub struct NewAccount {
    core: Arc<Core>,
    social: Option<(FactorKeys, SocialIdentity)>,
}

impl NewAccount {
    pub(super) const fn new(core: Arc<Core>, social: Option<(FactorKeys, SocialIdentity)>) -> Self {
        Self { core, social }
    }

    /// Whether an account can be created here: only after a social login.
    #[must_use]
    pub const fn can_create(&self) -> bool {
        self.social.is_some()
    }

    /// Creates a one-click wallet with a new key. Where another device was faster, opens that device's wallet.
    ///
    /// # Errors
    /// [`CreateError`].
    pub async fn create(self) -> Result<Opened, CreateError> {
        self.make(None).await
    }

    /// Creates a one-click wallet with an existing secp256k1 key, 32 bytes big-endian.
    ///
    /// # Errors
    /// [`CreateError::NotAKey`], [`CreateError::ImportOvertaken`] where another device was faster, and the others.
    pub async fn import(self, key: &[u8; 32]) -> Result<Opened, CreateError> {
        let key = KeyScalar::from_bytes(key).map_err(|_| CreateError::NotAKey)?;
        self.make(Some(key)).await
    }

    async fn make(self, imported: Option<KeyScalar>) -> Result<Opened, CreateError> {
        let (keys, identity) = self
            .social
            .ok_or(trefoil_protocol::change::ChangeError::NoPrimaryFactor)?;
        let importing = imported.is_some();
        let prepared = change::create(
            &self.core.tenant,
            keys.clone(),
            identity.verifier.as_str().to_owned(),
            identity.hints(),
            imported,
            self.core.now(),
            &mut self.core.environment.rng(),
        )?;
        let record = prepared.record();
        let sent = self
            .core
            .metadata
            .create(
                keys.auth(),
                record,
                &prepared.envelopes,
                prepared.sealed_nonce.as_ref(),
            )
            .await;
        let response = match sent {
            Err(metadata::CreateError::LocatorTaken) if importing => {
                return Err(CreateError::ImportOvertaken);
            }
            Err(metadata::CreateError::LocatorTaken) => return overtaken(self.core, keys).await,
            sent => sent?,
        };
        // A retry may find that this very account was created and has moved on since: then it is opened, not assumed.
        if response.record != *record.signed() {
            return if response.account_id == record.account_id {
                overtaken(self.core, keys).await
            } else {
                Err(CreateError::Inconsistent)
            };
        }
        self.core.remember(record, &[keys], None)?;
        let session = Session::of(&response);
        Ok(ready(Account::new(
            self.core,
            prepared.account,
            session,
            response.logins,
            false,
        )))
    }
}

/// The winner's wallet is this user's wallet; the key made here is dropped.
async fn overtaken(core: Arc<Core>, keys: FactorKeys) -> Result<Opened, CreateError> {
    let wrap = |error: ProvideError| CreateError::Overtaken(error.into());
    let locked = authenticate(&core, vec![keys], &[])
        .await
        .map_err(|error| wrap(error.into()))?;
    let found = locked.into_found().ok_or(CreateError::Inconsistent)?;
    open_found(core, found)
        .await
        .map_err(|error| wrap(error.into()))
}

impl SocialIdentity {
    /// What the state keeps to find this login again, and to tell whether another is of the same identity.
    pub(crate) fn hints(&self) -> BTreeMap<String, String> {
        let verifier = Some(self.verifier.as_str().to_owned());
        let generation = Some(self.generation.to_string());
        let identity = Some(self.identity.clone());
        let hints = [
            ("verifier", verifier),
            ("generation", generation),
            ("identity", identity),
            ("email", self.email.clone()),
        ];
        let known = |(name, hint): (&str, Option<String>)| Some((name.to_owned(), hint?));
        hints.into_iter().filter_map(known).collect()
    }
}
