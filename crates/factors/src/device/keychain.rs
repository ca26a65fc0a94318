//! The device store whose secrets lie in the operating system's keychain.

use core::fmt;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use keyring_core::api::CredentialPersistence;
use keyring_core::{CredentialStore, Entry, Error as KeychainError};
use trefoil_protocol::bytes::Locator;
use trefoil_protocol::factor::{FactorKeys, FactorSecret};
use trefoil_protocol::tenant::Tenant;
use zeroize::Zeroizing;

use super::codec::{self, Kind};
use super::state::{DeviceSecret, DeviceState, LostSecret};
use super::state_file::{StateFile, Step};
use super::store::{Change, DeviceStore, DeviceStoreError};

/// Secrets in the keychain, one entry each; everything else in an index file, kept as
/// [`FileDeviceStore`](super::FileDeviceStore) keeps its own.
///
/// What counts is the presence of the secret, not of the index: an indexed secret that the keychain does not have, or
/// has replaced by something else, shows among [`DeviceState::lost_secrets`]. A new secret is in the keychain before
/// the index names it; a removed one leaves the index first. So a crash leaves at most an entry that nothing uses, and
/// removal is tried again with the next change.
#[derive(Clone)]
pub struct KeychainDeviceStore {
    keychain: Arc<CredentialStore>,
    service: String,
    file: StateFile,
}

impl KeychainDeviceStore {
    /// The store of the app `service` in `keychain` (a store of the `keyring-core` family, chosen by the app), with the
    /// index in the file `index`. One index file per service: two would not know each other's entries.
    ///
    /// # Errors
    /// [`DeviceStoreError::KeychainNotDurable`] for a keychain that forgets at logout or reboot, such as kernel keyutils.
    pub fn new(
        keychain: Arc<CredentialStore>,
        service: &str,
        index: PathBuf,
    ) -> Result<Self, DeviceStoreError> {
        if !matches!(keychain.persistence(), CredentialPersistence::UntilDelete) {
            return Err(DeviceStoreError::KeychainNotDurable {
                vendor: keychain.vendor(),
            });
        }
        Ok(Self {
            keychain,
            service: service.to_owned(),
            file: StateFile::new(index, Kind::Keychain),
        })
    }

    /// For tests: every change stops after `step`, as if the process had died there.
    #[cfg(any(test, feature = "conformance"))]
    #[must_use]
    pub fn crash_after(mut self, step: Step) -> Self {
        self.file = self.file.crash_after(step);
        self
    }

    fn entry(&self, tenant: &Tenant, locator: &Locator) -> Result<Entry, DeviceStoreError> {
        self.keychain
            .build(&self.service, &format!("{tenant}/{locator}"), None)
            .map_err(refused("find a device secret"))
    }

    /// `None` where the keychain has no secret under this name, or one that is not this factor's.
    fn fetch(
        &self,
        tenant: &Tenant,
        locator: &Locator,
    ) -> Result<Option<FactorSecret>, DeviceStoreError> {
        let bytes = match self.entry(tenant, locator)?.get_secret() {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(KeychainError::NoEntry) => return Ok(None),
            Err(error) => return Err(refused("read a device secret")(error)),
        };
        let secret = core::str::from_utf8(&bytes)
            .ok()
            .and_then(codec::secret_from_text);
        Ok(secret.filter(|secret| FactorKeys::derive(tenant, secret).locator() == *locator))
    }

    fn store(&self, secret: &DeviceSecret) -> Result<(), DeviceStoreError> {
        let text = codec::secret_text(&secret.secret);
        self.entry(&secret.tenant, &secret.locator)?
            .set_secret(text.as_bytes())
            .map_err(refused("store a device secret"))?;
        // Some keychains accept and drop what they cannot hold.
        match self.fetch(&secret.tenant, &secret.locator)? {
            Some(stored) if stored == secret.secret => Ok(()),
            _ => Err(DeviceStoreError::Keychain {
                action: "store a device secret",
                reason: "it did not give back what was stored".to_owned(),
            }),
        }
    }

    fn erase(&self, tenant: &Tenant, locator: &Locator) -> Result<(), DeviceStoreError> {
        match self.entry(tenant, locator)?.delete_credential() {
            Ok(()) | Err(KeychainError::NoEntry) => Ok(()),
            Err(error) => Err(refused("erase a device secret")(error)),
        }
    }

    /// Moves what the keychain still has from the lost secrets to the usable ones.
    fn fill(&self, state: &mut DeviceState) -> Result<(), DeviceStoreError> {
        for (locator, indexed) in core::mem::take(&mut state.lost) {
            match self.fetch(&indexed.tenant, &locator)? {
                Some(secret) => {
                    let LostSecret {
                        account_id,
                        tenant,
                        created,
                        pending,
                        contact,
                    } = indexed;
                    let secret = DeviceSecret {
                        account_id,
                        tenant,
                        locator,
                        secret,
                        created,
                        pending,
                        contact,
                    };
                    state.secrets.insert(locator, secret);
                }
                None => {
                    state.lost.insert(locator, indexed);
                }
            }
        }
        Ok(())
    }
}

impl DeviceStore for KeychainDeviceStore {
    fn read(&self) -> Result<DeviceState, DeviceStoreError> {
        if self.file.read()? == DeviceState::default() {
            return Ok(DeviceState::default());
        }
        // Under the lock: between index and keychain another process might remove a secret, which would look lost.
        let locked = self.file.lock()?;
        let mut state = locked.load()?.state;
        self.fill(&mut state)?;
        Ok(state)
    }

    fn update_dyn(
        &self,
        change: &mut dyn FnMut(&mut DeviceState) -> Change,
    ) -> Result<(), DeviceStoreError> {
        let locked = self.file.lock()?;
        let mut current = locked.load()?;
        let state = &mut current.state;
        self.fill(state)?;
        let stored: BTreeSet<Locator> = state.secrets.keys().copied().collect();
        let overdue = core::mem::take(&mut state.erase);
        if change(state) == Change::Discard {
            return Ok(());
        }
        for secret in state
            .secrets
            .values()
            .filter(|secret| !stored.contains(&secret.locator))
        {
            self.store(secret)?;
        }
        self.file.reached(Step::SecretsStored)?;
        let removed = state.erase.clone();
        // What an earlier change could not erase stays on the list until it is gone.
        for (tenant, locator) in overdue {
            let used_again = state.secrets.contains_key(&locator);
            if !used_again && self.erase(&tenant, &locator).is_err() {
                state.erase.insert((tenant, locator));
            }
        }
        locked.replace(&current)?;
        for (tenant, locator) in &removed {
            // The change itself is durable; the list in the index sees to it that this is tried again.
            let _ = self.erase(tenant, locator);
        }
        self.file.reached(Step::SecretsErased)
    }

    fn restore_previous(&self) -> Result<(), DeviceStoreError> {
        self.file.lock()?.restore_previous()
    }
}

impl fmt::Debug for KeychainDeviceStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeychainDeviceStore")
            .field("keychain", &self.keychain.vendor())
            .field("service", &self.service)
            .field("index", &self.file.path())
            .finish()
    }
}

/// Keeps what the keychain says, but never the data it could not read.
fn refused(action: &'static str) -> impl FnOnce(KeychainError) -> DeviceStoreError {
    move |error| {
        let reason = match error {
            KeychainError::BadEncoding(_) | KeychainError::BadDataFormat(..) => {
                "the entry is not readable".to_owned()
            }
            KeychainError::Ambiguous(entries) => {
                format!("there are {} entries of that name", entries.len())
            }
            other => other.to_string(),
        };
        DeviceStoreError::Keychain { action, reason }
    }
}
